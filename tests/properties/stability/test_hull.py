"""Hulls: analytic toy systems, agreement with pymatgen, and invariants."""

from typing import Any

import numpy as np
import pytest
from pymatgen.analysis.phase_diagram import GrandPotentialPhaseDiagram, GrandPotPDEntry, PDEntry, PhaseDiagram
from pymatgen.core import Composition, Element

from screening.errors import UserError
from screening.properties.stability import hull
from screening.properties.stability.hull import HullEntry

LI = Element("Li")


def entry(formula: str, energy_per_atom: float) -> HullEntry:
    composition = {str(el): int(n) for el, n in Composition(formula).items()}
    return HullEntry(name=formula, composition=composition, energy_per_atom=energy_per_atom)


def pd_entry(e: HullEntry) -> PDEntry:
    return PDEntry(Composition(dict(e.composition)), e.energy_per_atom * e.n_atoms, name=e.name)


@pytest.fixture
def binary() -> list[HullEntry]:
    """Li (-1 eV), F (0); LiF2 formed at 4 V, LiF at 2 V, Li3F at 0.5 V: energies per formula unit follow."""
    li = -1.0
    lif2 = li - 4.0  # F2 + Li -> LiF2
    lif = (lif2 + (li - 2.0)) / 2  # LiF2 + Li -> 2 LiF
    li3f = lif + 2 * (li - 0.5)  # LiF + 2 Li -> Li3F
    return [entry("Li", li), entry("F", 0.0), entry("LiF2", lif2 / 3), entry("LiF", lif / 2), entry("Li3F", li3f / 4)]


def random_system(seed: int, elements: str = "Li Nb O") -> list[HullEntry]:
    """Random phases, all below the elements."""
    rng = np.random.default_rng(seed)
    symbols = elements.split()
    references = {s: float(rng.uniform(-8, -1)) for s in symbols}
    entries = [entry(s, e) for s, e in references.items()]
    seen = set(symbols)
    while len(entries) < 14:
        amounts = {s: int(n) for s, n in zip(symbols, rng.integers(0, 5, len(symbols)), strict=True) if n}
        formula = Composition(amounts).reduced_formula if len(amounts) > 1 else ""
        if not formula or formula in seen:
            continue
        seen.add(formula)
        total = sum(amounts.values())
        mean = sum(references[s] * n for s, n in amounts.items()) / total
        entries.append(entry(formula, mean - float(rng.uniform(0.1, 1.5))))
    return entries


def test_binary_breakpoints_are_the_reaction_voltages(binary):
    segments = hull.li_profile({"Li": 1, "F": 1}, binary)
    assert [s.low for s in segments[1:]] == pytest.approx([0.5, 2.0, 4.0], abs=1e-9)
    assert [set(s.decomposition.products) for s in segments] == [{"Li3F"}, {"LiF"}, {"LiF2"}, {"F"}]


def test_window_of_a_stable_phase_is_the_pair_of_its_reactions(binary):
    lif = next(e for e in binary if e.name == "LiF")
    rivals = [e for e in binary if e is not lif]
    window = hull.stable_range({"Li": 1, "F": 1}, lif.energy_per_atom, rivals)
    assert window is not None
    assert (window.reduction, window.oxidation) == pytest.approx((0.5, 2.0), abs=1e-5)
    assert set(window.products_reduction) == {"Li3F"}
    assert set(window.products_oxidation) == {"LiF2"}


def test_driving_force_is_linear_in_voltage_beyond_the_limit(binary):
    """LiF loses half a Li to LiF2 per formula unit: 0.5 e (V - 2) / 2 atoms."""
    lif = next(e for e in binary if e.name == "LiF")
    force, products = hull.driving_force({"Li": 1, "F": 1}, lif.energy_per_atom, 3.0, binary)
    assert force == pytest.approx(0.5 * (3.0 - 2.0) / 2, abs=1e-9)
    assert products == pytest.approx({"LiF2": 0.25})
    assert hull.driving_force({"Li": 1, "F": 1}, lif.energy_per_atom, 1.0, binary)[0] == pytest.approx(0.0, abs=1e-9)


def test_metastable_candidate_has_no_own_window_but_a_pinned_one(binary):
    lif = next(e for e in binary if e.name == "LiF")
    composition = {"Li": 2, "F": 2}
    assert hull.stable_range(composition, lif.energy_per_atom + 0.01, binary) is None
    pinned = hull.pinned_window(composition, binary)
    assert pinned is not None
    assert (pinned.reduction, pinned.oxidation) == pytest.approx((0.5, 2.0), abs=1e-5)


def test_candidate_below_the_hull_has_a_wider_window(binary):
    lif = next(e for e in binary if e.name == "LiF")
    energy = lif.energy_per_atom - 0.05
    window = hull.stable_range({"Li": 1, "F": 1}, energy, binary)
    assert window is not None
    # 0.1 eV per formula unit over 0.5 Li on oxidation and 2 Li on reduction
    assert (window.reduction, window.oxidation) == pytest.approx((0.5 - 0.05, 2.0 + 0.2), abs=1e-5)
    assert hull.e_above_hull({"Li": 1, "F": 1}, energy, binary) == pytest.approx(-0.05, abs=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_closed_hull_agrees_with_pymatgen(seed):
    entries = random_system(seed)
    diagram = PhaseDiagram([pd_entry(e) for e in entries])
    rng = np.random.default_rng(seed)
    for _ in range(10):
        amounts = dict(zip(["Li", "Nb", "O"], (int(n) for n in rng.integers(1, 6, 3)), strict=True))
        energy = float(rng.uniform(-9, -3))
        own = PDEntry(Composition(amounts), energy * sum(amounts.values()))
        expected = diagram.get_decomp_and_e_above_hull(own, allow_negative=True)[1]
        assert hull.e_above_hull(amounts, energy, entries) == pytest.approx(expected, abs=1e-6)
        assert hull.formation_energy(amounts, energy, entries) == pytest.approx(
            diagram.get_form_energy_per_atom(own), abs=1e-6
        )


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("voltage", [0.7, 2.1, 4.3])
def test_driving_force_agrees_with_pymatgens_grand_potential_diagram(seed, voltage):
    entries = random_system(seed, "Li Nb Mg O")
    mu = hull.li_reference(entries) - voltage
    diagram = GrandPotentialPhaseDiagram([pd_entry(e) for e in entries], {LI: mu})
    amounts = {"Li": 10, "Mg": 1, "Nb": 12, "O": 36}
    own = GrandPotPDEntry(PDEntry(Composition(amounts), -5.0 * 59), {LI: mu})
    per_other_atom = diagram.get_decomp_and_e_above_hull(own, allow_negative=True)[1]
    force, _ = hull.driving_force(amounts, -5.0, voltage, entries)
    assert force == pytest.approx(per_other_atom * 49 / 59, abs=1e-6)


@pytest.mark.parametrize("seed", range(6))
def test_windows_agree_with_pymatgens_chemical_potential_ranges(seed):
    """Li range of every stable compound of Li."""
    entries = random_system(seed)
    diagram = PhaseDiagram([pd_entry(e) for e in entries])
    mu_metal = hull.li_reference(entries)
    checked = 0
    for stable in diagram.stable_entries:
        if len(stable.composition) < 2 or LI not in stable.composition:
            continue  # a phase without Li has no upper limit, which facets do not show
        low, high = _li_range(diagram, stable.composition)
        amounts = {str(el): n for el, n in stable.composition.items()}
        window = hull.pinned_window(amounts, entries, v_max=40.0)
        assert window is not None
        assert window.reduction == pytest.approx(max(mu_metal - high, 0.0), abs=1e-4)
        assert window.oxidation == pytest.approx(mu_metal - low, abs=1e-4)
        checked += 1
    assert checked > 0


def _li_range(diagram: PhaseDiagram, composition: Composition) -> tuple[float, float]:
    """Extreme mu_Li over the facets around a stable phase: corners of its region of chemical potentials."""
    mus = []
    for facet in diagram.facets:
        members = [diagram.qhull_entries[i].composition.reduced_formula for i in facet]
        if composition.reduced_formula in members:
            mus.append(diagram._get_facet_chempots(facet)[LI])
    return min(mus), max(mus)


def test_pinned_window_of_a_metastable_candidate_is_that_of_its_products(binary):
    """Li3F2 falls into LiF and Li3F, which are stable together at exactly one voltage."""
    pinned = hull.pinned_window({"Li": 4, "F": 2}, binary)
    assert pinned is not None
    assert (pinned.reduction, pinned.oxidation) == pytest.approx((0.5, 0.5), abs=1e-5)


@pytest.mark.parametrize("seed", range(4))
def test_pinned_window_lies_within_the_window_of_every_product(seed):
    entries = random_system(seed, "Li Nb Mg O")
    amounts = {"Li": 10, "Mg": 1, "Nb": 12, "O": 36}
    products = hull.decompose(amounts, entries).products
    pinned = hull.pinned_window(amounts, entries)
    assert pinned is not None
    for e in entries:
        if e.name in products and e.name != "Li":
            window = hull.pinned_window(e.composition, entries)
            assert window is not None
            assert window.reduction <= pinned.reduction + 1e-4
            assert window.oxidation >= pinned.oxidation - 1e-4


@pytest.mark.parametrize("seed", range(4))
def test_an_added_phase_never_widens_a_window(seed):
    entries = random_system(seed)
    amounts = {"Li": 1, "Nb": 1, "O": 3}
    energy = hull.decompose(amounts, entries).energy - 0.3
    before = hull.stable_range(amounts, energy, entries)
    added = entry("Li2NbO5", hull.decompose({"Li": 2, "Nb": 1, "O": 5}, entries).energy - 0.1)
    after = hull.stable_range(amounts, energy, [*entries, added])
    assert before is not None
    assert before.reduction < before.oxidation
    if after is not None:
        assert after.reduction >= before.reduction - 1e-6
        assert after.oxidation <= before.oxidation + 1e-6


def test_profile_is_piecewise_linear_and_matches_the_single_voltage(binary):
    amounts = {"Li": 1, "F": 1}
    rows: list[Any] = hull.driving_force_profile(amounts, -2.0, binary, low=1.0, high=4.6)
    assert [row["voltage"] for row in rows] == pytest.approx([1.0, 2.0, 4.0, 4.6])
    for voltage in (1.3, 2.5, 4.3):
        between = np.interp(voltage, [r["voltage"] for r in rows], [r["driving_force"] for r in rows])
        assert hull.driving_force(amounts, -2.0, voltage, binary)[0] == pytest.approx(between, abs=1e-9)


def test_missing_element_and_missing_lithium_are_named(binary):
    with pytest.raises(UserError, match="Zr"):
        hull.decompose({"Li": 1, "Zr": 1, "F": 5}, binary)
    with pytest.raises(UserError, match="elemental Li"):
        hull.li_reference([entry("LiF", -4.0)])
