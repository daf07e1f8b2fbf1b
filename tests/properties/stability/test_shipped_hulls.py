"""The shipped energies: complete, fresh, and right about what is known of the compounds behind a coating."""

import json

import pytest
from phase_toys import run

from screening.assets import asset
from screening.engine.running.records import PotentialId
from screening.properties.stability import hull
from screening.properties.stability.competing import phases_flow
from screening.properties.stability.phase_build import MAX_ABOVE_HULL, distance_to_others
from screening.properties.stability.phase_files import read_energies
from screening.properties.stability.phases import MAX_VOLUME_CHANGE, PhaseEnergy
from screening.properties.stability.window import formula_window
from screening.structures.crystals.phases import load_phases

POTENTIALS = ("chgnet", "sevennet-0", "sevennet-l3i5")
FACTS = {f.name: f for f in load_phases()}


def id_of(potential: str) -> PotentialId:
    data = json.loads((asset("datasets", "energies") / f"{potential}.json").read_text())
    return PotentialId(potential, data["checkpoint_sha256"])


@pytest.fixture(scope="module", params=POTENTIALS)
def shipped(request) -> dict[str, PhaseEnergy]:
    path = asset("datasets", "energies") / f"{request.param}.json"
    return read_energies(path, id_of(request.param), origin="shipped")


@pytest.fixture(scope="module")
def usable(shipped) -> list[PhaseEnergy]:
    return [e for e in shipped.values() if e.usable]


def within(elements: set[str], phases: list[PhaseEnergy]) -> list[PhaseEnergy]:
    return [p for p in phases if set(p.composition) <= elements | {"Li"}]


def crystal(formula: str, phases: list[PhaseEnergy]) -> PhaseEnergy:
    return min((p for p in phases if p.formula == formula), key=lambda p: p.energy_per_atom)


def test_every_listed_phase_is_there_and_fresh(shipped):
    assert set(shipped) == set(FACTS), "run `screen phases build` for this potential"
    stale = [n for n, e in shipped.items() if e.facts_sha256 != FACTS[n].facts_sha256]
    assert stale == [], "run `screen phases build` for this potential"


def test_every_usable_phase_keeps_to_its_facts(usable):
    for energy in usable:
        facts = FACTS[energy.name]
        assert energy.composition == facts.composition
        if facts.reference is None and not facts.substituted:
            assert energy.space_group == facts.space_group
            assert energy.volume_per_atom == pytest.approx(facts.volume, rel=MAX_VOLUME_CHANGE + 1e-6)


def test_no_usable_phase_is_implausible_and_few_are_quarantined(shipped):
    distances = [distance_to_others(e, shipped) for e in shipped.values() if e.usable]
    assert max(d for d in distances if d is not None) <= MAX_ABOVE_HULL + 1e-9
    assert sum(not e.usable for e in shipped.values()) < 0.15 * len(shipped)


@pytest.mark.parametrize(
    "formula",
    [
        "LiNbO3", "Li3NbO4", "LiNb3O8", "Li2O", "MgO", "MgNb2O6", "ZrO2", "Ta2O5", "LiTaO3", "Li3PS4", "Li2S", "LiCl",
    ],
)  # fmt: skip
def test_known_compounds_are_near_the_hull(usable, formula):
    """25 meV/atom, every other listed phase among the rivals."""
    own = crystal(formula, usable)
    assert hull.e_above_hull(own.composition, own.energy_per_atom, within(set(own.composition), usable)) < 0.025


def test_lithium_niobate_oxidises_to_lithium_poor_niobate_and_oxygen(usable):
    """3.79 V (doi:10.1016/j.ensm.2026.105167) to 3.88 V (Zhu, He, Mo 2016, 4, 3253)."""
    window = formula_window("LiNbO3", within({"Nb", "O"}, usable))
    assert window.kind == "own"
    assert window.oxidation == pytest.approx(3.84, abs=0.15)
    assert "O2" in window.products_oxidation
    assert 1.3 < window.reduction < 1.95


LITHIUM_COMPOUNDS = sorted({f.formula for f in FACTS.values() if "Li" in f.composition and len(f.composition) > 1})


def test_reduction_lies_below_oxidation_for_every_lithium_compound(usable):
    for formula in LITHIUM_COMPOUNDS[::4]:
        own = next((p for p in usable if p.formula == formula), None)
        if own is None:
            continue
        window = formula_window(formula, within(set(own.composition), usable))
        assert 0 <= window.reduction <= window.oxidation + 1e-6, formula
        if window.kind == "own":
            assert window.reduction < window.oxidation


def test_pinned_window_is_the_common_window_of_the_products(usable):
    """For metastable candidates: niobate cells with a dopant, and the electrolyte of the paper."""
    for formula in ("Li10MgNb12O36", "Li8Zr1Nb12O36", "Li6PS5Cl0.5Br0.5", "Li2NbO3.5"):
        elements = {"Li", "Mg", "Zr", "Nb", "O"} if "Nb" in formula else {"Li", "P", "S", "Cl", "Br"}
        phases = within(elements, usable)
        window = formula_window(formula, phases)
        assert window.kind == "pinned"
        ends = []
        for name in window.decomposition:
            product = next(p for p in phases if p.name == name)
            own = hull.pinned_window(product.composition, phases)
            ends.append((own.reduction, own.oxidation))
        low, high = max(r for r, _ in ends), min(o for _, o in ends)
        assert (window.reduction, window.oxidation) == pytest.approx((low, high), abs=1e-4), formula


def test_a_phase_that_changes_no_closed_decomposition_never_widens_a_window(usable):
    """Phases are taken away one by one from the full set; where the closed hull stays, the window may only widen."""
    phases = within({"Nb", "O", "Mg"}, usable)
    for formula in ("LiNbO3", "MgNb2O6", "Li3NbO4"):
        composition = crystal(formula, phases).composition
        closed = hull.decompose(composition, phases).energy
        full = hull.pinned_window(composition, phases)
        for absent in phases:
            if len(absent.composition) == 1:
                continue
            fewer = [p for p in phases if p is not absent]
            if hull.decompose(composition, fewer).energy > closed + 1e-9:
                continue
            wider = hull.pinned_window(composition, fewer)
            assert wider.reduction <= full.reduction + 1e-6
            assert wider.oxidation >= full.oxidation - 1e-6


def test_nothing_that_is_shipped_is_computed_again():
    def refuse(task):
        raise AssertionError(f"{task.recipe} is shipped and should not be computed")

    flow = phases_flow(
        {"Li", "Nb", "O", "Mg", "Zr", "Ta"}, potential_id=id_of("chgnet"), potential_corrections="MP2020-in-model"
    )
    assert len(run(flow, refuse)) > 30


def test_sevennet_energies_carry_mp2020_and_chgnet_none():
    """LiCoO2: oxide and Co+U terms on two O and one Co of four atoms (doi:10.1038/s41598-021-94550-5)."""
    for potential, expected in (("chgnet", 0.0), ("sevennet-0", (2 * -0.687 - 1.638) / 4)):
        path = asset("datasets", "energies") / f"{potential}.json"
        energies = read_energies(path, id_of(potential), origin="shipped")
        assert energies["LiCoO2"].correction_per_atom == pytest.approx(expected, abs=1e-3)
