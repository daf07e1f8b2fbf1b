"""Details of jobs are in the manifest what they were when planned; those of early manifests are read."""

import json
from dataclasses import replace

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from screening.errors import UserError
from screening.validation.job_details import (
    BulkJobDetails,
    HopJobDetails,
    LabelJobDetails,
    NoDetails,
    PhaseJobDetails,
    SlabJobDetails,
)
from screening.validation.jobs import said

SITES = st.lists(st.text(), min_size=2, max_size=2)
DETAILS = st.one_of(
    st.builds(NoDetails),
    st.builds(BulkJobDetails, n_fu=st.integers(1, 99)),
    st.builds(SlabJobDetails),
    st.builds(HopJobDetails, hop=SITES, stands_for=st.none() | SITES),
    st.builds(PhaseJobDetails),
)


# the first example resolves the types of all fields, which takes its time on a busy machine
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(DETAILS)
def test_a_manifest_gives_back_what_was_planned(details):
    row = {"name": "Mg/job", "role": "any", "details": json.loads(json.dumps(details.to_details()))}
    assert repr(said(row, type(details))) == repr(details)


@pytest.mark.parametrize(
    ("details", "plain"),
    [
        (NoDetails(), {}),
        (BulkJobDetails(n_fu=12), {"n_fu": 12}),
        (
            SlabJobDetails(y=1.0, y_realised=0.99, order=0, area=169.5),
            {"y": 1.0, "y_realised": 0.99, "order": 0, "area": 169.5},
        ),
        (SlabJobDetails(y=1.0, order=2, area=169.5), {"y": 1.0, "order": 2, "area": 169.5}),
        (SlabJobDetails(area=169.5), {"area": 169.5}),
        (
            HopJobDetails(hop=["V0", "Li1"], chosen_as=["critical"], stands_for=["Li7", "Li9"], side="a"),
            {"hop": ["V0", "Li1"], "chosen_as": ["critical"], "stands_for": ["Li7", "Li9"], "side": "a"},
        ),
        (
            HopJobDetails(hop=["V0", "Li1"], chosen_as=["lowest"], saddle=2),
            {"hop": ["V0", "Li1"], "chosen_as": ["lowest"], "saddle": 2},
        ),
        (PhaseJobDetails(phase="Li2O", formula="Li2O"), {"phase": "Li2O", "formula": "Li2O"}),
        (
            PhaseJobDetails(phase="O2", formula="O2", molecule=True),
            {"phase": "O2", "formula": "O2", "molecule": True},
        ),
        (LabelJobDetails(said={"name": "a", "n": 3}), {"name": "a", "n": 3}),
    ],
)
def test_keys_and_their_order_are_those_of_every_manifest_so_far(details, plain):
    assert json.dumps(details.to_details()) == json.dumps(plain)


def test_jobs_of_one_hop_share_its_lists():
    """So that the manifest writes them once, with a YAML anchor, as every manifest so far."""
    first = HopJobDetails(hop=["V0", "Li1"], chosen_as=["critical"])
    side, band = replace(first, side="a").to_details(), replace(first, saddle=2).to_details()
    assert side["hop"] is band["hop"]
    assert "hop: *id001" in yaml.safe_dump([side, band], sort_keys=False)


def test_early_manifests_say_less():
    assert said({"name": "a", "role": "bulk"}, BulkJobDetails).n_fu == 1
    assert said({"name": "a", "role": "band", "details": {"hop": ["V0", "Li1"]}}, HopJobDetails).chosen_as == []


@pytest.mark.parametrize(
    ("kind", "details", "words"),
    [
        (SlabJobDetails, {"y": 1.0}, "it does not say area"),
        (SlabJobDetails, {"area": "large"}, "area should be a valid number, not 'large'"),
        (HopJobDetails, {"hop": ["V0"]}, "hop has 1 items, too many or too few"),
        (BulkJobDetails, {"n_fu": 2.5}, "n_fu should be a valid integer"),
        (PhaseJobDetails, ["O2"], "should be an object"),
    ],
)
def test_nonsense_in_a_manifest_is_named_with_its_job(kind, details, words):
    with pytest.raises(UserError) as error:
        said({"name": "Mg/job", "role": "slab", "details": details}, kind)
    assert "the slab job Mg/job" in str(error.value)
    assert words in str(error.value)
    assert "screen validate" in str(error.value)
