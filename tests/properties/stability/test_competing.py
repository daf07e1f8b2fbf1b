"""Which phases compete: listed, cached, foreign, predicted; and what is refused."""

import json

import pytest
from phase_toys import phase, run, toy_answer
from pymatgen.core import Composition
from pymatgen.entries.computed_entries import ComputedEntry

from screening.engine.running.records import PotentialId
from screening.errors import UserError
from screening.properties.stability.competing import check_elements, phases_flow, without_compounds
from screening.properties.stability.phase_files import cached_energies, cached_path, read_energies, remember
from screening.properties.stability.phases import PhaseEnergy

POTENTIAL_ID = PotentialId("toy", "0" * 64)


def energies(corrections: str, elements=frozenset({"Mg", "O"}), answer=toy_answer, **options) -> dict[str, PhaseEnergy]:
    flow = phases_flow(set(elements), potential_id=POTENTIAL_ID, potential_corrections=corrections, **options)
    return {p.name: p for p in run(flow, answer)}


def refuse(task):
    raise AssertionError(f"{task.recipe} should not be computed")


def test_what_is_not_shipped_is_computed_and_the_gas_keeps_its_reference(monkeypatch, tmp_path):
    found = {}
    for corrections in ("MP2020-in-model", "MP2020-needed", "own-hull"):
        monkeypatch.setenv("COATSCREEN_CACHE", str(tmp_path / corrections))
        found[corrections] = energies(corrections)
    in_model, needed, own = found.values()
    assert in_model["Li"].energy_per_atom == pytest.approx(-2.0)
    assert in_model["MgO"].energy_per_atom == pytest.approx((-1.6 - 6) / 2)
    assert in_model["O2"].origin == "reference"
    assert in_model["O2"].energy_per_atom == pytest.approx(-4.948, abs=2e-3)
    assert own["O2"].energy_per_atom == pytest.approx(-5.0)
    shift = needed["MgO"].energy_per_atom - in_model["MgO"].energy_per_atom
    assert shift == pytest.approx(-0.687 / 2, abs=1e-3)


def test_a_computed_phase_is_cached_for_its_checkpoint_only():
    first = energies("own-hull")
    again = energies("own-hull", answer=refuse)
    assert {n: p.energy_per_atom for n, p in again.items()} == pytest.approx(
        {n: p.energy_per_atom for n, p in first.items()}, abs=1e-6
    )
    other = PotentialId("toy", "1" * 64)
    assert cached_energies(other) == {}
    assert "MgO" in cached_energies(POTENTIAL_ID)


def test_a_cache_that_is_no_energies_file_is_refused_with_its_name():
    path = cached_path(POTENTIAL_ID)
    path.parent.mkdir(parents=True)
    path.write_text("{")
    with pytest.raises(UserError, match=rf"{path.name} .* delete it"):
        energies("own-hull")


def test_failed_phase_survives_the_file_and_stays_unusable(tmp_path):
    bad = phase("MgO", {"Mg": 1, "O": 1}, float("nan"), gate="failed: cell exploded")
    remember([bad], POTENTIAL_ID, "own-hull")
    text = cached_path(POTENTIAL_ID).read_text()
    assert "NaN" not in text
    assert json.loads(text)["quarantined"] == {"MgO": "failed: cell exploded"}
    (read,) = read_energies(cached_path(POTENTIAL_ID), POTENTIAL_ID, origin="computed").values()
    assert not read.usable


def test_element_with_nothing_but_its_solid_has_no_compounds():
    entries = [phase("Li", {"Li": 1}, -2.0), phase("Pu", {"Pu": 1}, -3.0), phase("Li2O", {"Li": 2, "O": 1}, -5.0)]
    assert without_compounds({"Pu", "O"}, entries) == ["Pu"]
    assert without_compounds({"O"}, entries) == []
    with pytest.raises(UserError, match=r"Pu.*datasets/phases.*--substitute.*--phases"):
        check_elements({"Li", "Pu", "O"})


def mp_file(path, *compounds):
    entries = [ComputedEntry(Composition(formula), energy) for formula, energy in compounds]
    path.write_text(json.dumps([e.as_dict() for e in entries]))
    return str(path)


def test_own_entries_take_the_place_of_the_listed_phases(tmp_path):
    source = mp_file(tmp_path / "own.json", ("Li", -1.9), ("Mg", -1.5), ("O2", -9.9), ("MgO", -12.0))
    found = energies("MP2020-in-model", source=source, answer=refuse)
    assert {e.formula for e in found.values()} == {"Li", "Mg", "O2", "MgO"}
    assert all(e.origin.startswith("file:own.json@") for e in found.values())
    with pytest.raises(UserError, match="scale"):
        energies("own-hull", source=source)
    short = mp_file(tmp_path / "short.json", ("Li", -1.9), ("MgO", -12.0), ("O2", -9.9))
    with pytest.raises(UserError, match="elemental Mg"):
        energies("MP2020-in-model", source=short)


@pytest.mark.slow
def test_element_without_compounds_gets_predicted_ones_that_are_marked():
    """Tb is listed as a metal only; Tb2O3 follows from the other sesquioxides."""
    found = energies("own-hull", {"Li", "Tb", "O"}, substitute=[{"Li", "Tb", "O"}])
    predicted = [p for p in found.values() if p.substituted]
    assert predicted
    assert all("Tb" in p.composition for p in predicted)
    assert without_compounds({"Li", "Tb", "O"}, found.values()) == []
