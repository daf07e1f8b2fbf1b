"""A potential's own energies, taken for DFT's, must give the potential's own records: one definition for both."""

import json
from pathlib import Path

import pytest
from dft_toys import calculation, manifest

from screening.engine.running.records import Record
from screening.validation.records.records import records_from

DATA = Path(__file__).parent / "data" / "validated-run.json"


@pytest.fixture(scope="module")
def both():
    """Records of a real screen, and those made from its jobs with CHGNet's energies, by candidate, property and y."""
    data = json.loads(DATA.read_text())
    own = [Record.from_dict({"versions": {}, **row}) for row in data["records"]]
    # a potential knows no charges: the neutral band stands for the made vacancy
    jobs = [job for job in data["jobs"] if job["charge"] == 0]
    finished = {}
    for job in jobs:
        result = calculation(job["formula"], job["mlip_energy"])
        finished[job["name"]] = [result] * (3 if job["role"] == "band" else 1)
    found = records_from(manifest(jobs), finished, own, "kim2026")
    assert {m.property for m in found.missing} == {"band_gap"}

    def keyed(records):
        return {(r.candidate, r.property, round(float(r.details.get("y", -1)), 3)): r for r in records}

    return keyed(own), keyed(found)


def test_every_record_is_there(both):
    own, found = both
    assert own.keys() == found.keys()
    assert len(found) > 25


# the critical hop stands for a network's mean over equal hops; the host's relaxed cell and its phase are two cells
TOLERANCE = {
    "migration_barrier": 0.02,
    "e_above_hull": 1e-4,
    "oxidation_driving_force": 1e-4,
    "window_oxidation": 1e-3,
    "window_reduction": 1e-3,
    "window_pinned_oxidation": 1e-3,
    "window_pinned_reduction": 1e-3,
}


def test_values_are_those_of_the_potential(both):
    own, found = both
    for key, record in found.items():
        expected = own[key].value
        if expected is None:
            assert record.value is None, key
        else:
            assert record.value == pytest.approx(expected, abs=TOLERANCE.get(key[1], 1e-6)), key


def test_the_barrier_is_exactly_that_of_the_same_hop(both):
    _, found = both
    barriers = [r for r in found.values() if r.property == "migration_barrier"]
    assert len(barriers) == 2
    for record in barriers:
        # hops in a record are rounded to 0.1 meV
        assert record.value == pytest.approx(record.details["mlip"]["value"], abs=1.1e-4)


def test_flags_of_the_structures_are_kept(both):
    own, found = both
    for key, record in found.items():
        structural = set(own[key].flags) - {"below_hull", "no_limit_found", "delithiated_below_hull"}
        assert structural <= set(record.flags), key
