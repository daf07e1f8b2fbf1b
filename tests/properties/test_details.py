"""Details of records come out of JSON as they went in; those of earlier versions are read, nonsense is named."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from screening.engine.running.records import Record
from screening.engine.running.serialise import from_json, to_json
from screening.errors import UserError
from screening.properties.adhesion.details import AdhesionDetails, VacancyOrder
from screening.properties.migration.details import CriticalHop, HopDetails, MigrationDetails

STORED = json.loads((Path(__file__).parent / "data" / "records-by-position.json").read_text())["records"]
KINDS = {
    "work_of_adhesion": AdhesionDetails,
    "work_of_adhesion_eq": AdhesionDetails,
    "adhesion_energy": AdhesionDetails,
    "migration_barrier": MigrationDetails,
    "lowest_hop_barrier": MigrationDetails,
}
DETAILED = [r for r in STORED if r["property"] in KINDS]


def record(prop: str, details: dict) -> Record:
    return Record(
        candidate="Mg", property=prop, value=1.0, unit="eV", fidelity="mlip:chgnet", converged=True,
        potential="chgnet", checkpoint_sha256="0" * 64, details=details,
    )  # fmt: skip


@pytest.mark.parametrize("stored", DETAILED, ids=lambda r: f"{r['property']}-{r['candidate']}")
def test_stored_details_are_written_as_they_were_read(stored):
    """Keys, their order, nulls and what is left out: the dataclasses say exactly what earlier versions stored."""
    details: Any = Record.from_dict(stored).said(KINDS[stored["property"]])
    assert json.dumps(details.to_details()) == json.dumps(stored["details"])


# the first example resolves the types of all fields, which takes its time on a busy machine
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from([AdhesionDetails, MigrationDetails, VacancyOrder, HopDetails]).flatmap(st.from_type))
def test_details_come_back_as_they_were(details):
    stored = from_json(to_json(details.to_details()))
    # NaN, which a failed band may have, equals nothing but its text
    assert repr(type(details).from_details(stored)) == repr(details)


def test_the_network_is_told_only_where_something_was_computed():
    bare = MigrationDetails(mechanism="vacancy").to_details()
    assert not {"saddles_from", "critical_hop", "ground_site", "isolated_trap_depth"} & bare.keys()
    assert bare["image_distance"] is None
    percolating = MigrationDetails(critical_hop=CriticalHop(start="Li1", end="Li2", computed=True)).to_details()
    assert percolating["critical_hop"]["from"] == "Li1"


def test_numpy_numbers_are_numbers():
    found = record("work_of_adhesion", {"area": np.float64(25), "n_atoms": np.int64(3)}).said(AdhesionDetails)
    assert (found.area, found.n_atoms) == (25.0, 3)


@pytest.mark.parametrize("kind", [AdhesionDetails, MigrationDetails])
def test_fields_that_an_earlier_version_did_not_write_are_not_there(kind):
    found = record("work_of_adhesion", {"y": 1.0, "an_older_field": 3}).said(kind)
    empty: Any = (None, (), {})
    assert all(value in empty for name, value in vars(found).items() if name != "y")


def test_a_record_from_before_orders_were_numbered_has_order_0():
    assert VacancyOrder.from_details({}).order == 0


@pytest.mark.parametrize(
    ("prop", "details", "words"),
    [
        ("work_of_adhesion", {"area": "wide"}, "area should be a valid number, not 'wide'"),
        ("work_of_adhesion", {"orders": [{"order": 1.5}]}, "orders.0.order should be a valid integer"),
        ("work_of_adhesion", {"orders": 3}, "orders should be a valid array"),
        ("migration_barrier", {"hops": [{"from": "Li1"}]}, "it does not say hops.0.to"),
        ("migration_barrier", {"hops": [{"from": "Li1", "to": "Li2", "used": "yes"}]}, "hops.0.used"),
        ("migration_barrier", {"critical_hop": ["Li1", "Li2"]}, "critical_hop"),
        ("migration_barrier", {"site_energies": {"Li1": None}}, "site_energies.Li1 should be a valid number"),
    ],
)
def test_nonsense_is_named_in_one_sentence(prop, details, words):
    with pytest.raises(UserError) as error:
        record(prop, details).said(KINDS[prop])
    text = str(error.value)
    assert words in text
    assert text.startswith(f"the record of {prop} of Mg ")
    assert "\n" not in text


def test_barriers_of_a_hop_follow_its_direction():
    hops = (
        HopDetails(start="a", end="b"),
        HopDetails(start="a", end="b", forward=0.3, backward=0.5),
        HopDetails(start="b", end="a", forward=0.9, backward=0.8),
    )
    details = MigrationDetails(hops=hops)
    assert details.barriers_between("a", "b") == (0.3, 0.5)
    assert details.barriers_between("b", "a") == (0.5, 0.3)
    assert details.barriers_between("a", "c") is None


def test_the_potentials_own_value_is_read_from_a_dft_record():
    assert record("band_gap", {}).mlip is None
    own = record("migration_barrier", {"mlip": {"fidelity": "mlip:chgnet", "value": 0.5}}).mlip
    assert own is not None
    assert (own.fidelity, own.value) == ("mlip:chgnet", 0.5)
    with pytest.raises(UserError, match="value should be a valid number"):
        _ = record("migration_barrier", {"mlip": {"fidelity": "mlip:chgnet", "value": "low"}}).mlip


def test_y_is_a_number_where_there_is_one():
    assert record("work_of_adhesion", {"y": 1}).y == 1.0
    assert record("work_of_adhesion", {}).y is None
    with pytest.raises(UserError, match="has no number but 'full' as its y"):
        _ = record("work_of_adhesion", {"y": "full"}).y
