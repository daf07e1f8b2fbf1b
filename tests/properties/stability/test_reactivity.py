"""Reactions of two materials: by hand, against pymatgen's interface reactions, and invariants."""

import itertools
from typing import Any

import numpy as np
import pytest
from pymatgen.analysis.interface_reactions import GrandPotentialInterfacialReactivity, InterfacialReactivity
from pymatgen.analysis.phase_diagram import GrandPotentialPhaseDiagram, PDEntry, PhaseDiagram
from pymatgen.core import Composition, Element

from screening.errors import UserError
from screening.properties.stability import hull
from screening.properties.stability.hull import HullEntry
from screening.properties.stability.reactivity import Reactant, Reaction, most_reactive

LI = Element("Li")


def entry(formula: str, energy_per_formula: float) -> HullEntry:
    composition = {str(el): int(n) for el, n in Composition(formula).items()}
    return HullEntry(
        name=formula, composition=composition, energy_per_atom=energy_per_formula / sum(composition.values())
    )


def reactant(formula: str, energy_per_atom: float | None = None) -> Reactant:
    amounts = {str(el): n for el, n in Composition(formula).items()}
    return Reactant(name=formula, composition=amounts, energy_per_atom=energy_per_atom)


def of(phase: HullEntry) -> Reactant:
    return Reactant(name=phase.name, composition=phase.composition, energy_per_atom=phase.energy_per_atom)


@pytest.fixture
def exchange() -> list[HullEntry]:
    """MgS + Li2O -> MgO + Li2S releases 1.5 eV; the elements are at zero."""
    elements = [entry(s, 0.0) for s in ("Li", "Mg", "O", "S")]
    return [*elements, entry("MgS", -4.0), entry("Li2O", -6.0), entry("MgO", -6.5), entry("Li2S", -5.0)]


@pytest.fixture
def displacement() -> list[HullEntry]:
    """Nb takes the O of Li2O where Li is cheap to give away: Nb + Li2O -> NbO + 2 Li."""
    return [*[entry(s, 0.0) for s in ("Li", "Nb", "O")], entry("NbO", -4.0), entry("Li2O", -6.0)]


def random_system(seed: int, elements: str = "Li Nb P O", size: int = 16) -> list[HullEntry]:
    """Random phases, all below the elements, some of them not on the hull."""
    rng = np.random.default_rng(seed)
    symbols = elements.split()
    references = {s: float(rng.uniform(-8, -1)) for s in symbols}
    entries = [entry(s, e) for s, e in references.items()]
    seen = set(symbols)
    while len(entries) < size:
        chosen = rng.choice(symbols, int(rng.integers(2, 5)), replace=False)
        amounts = {str(s): int(n) for s, n in zip(chosen, rng.integers(1, 5, len(chosen)), strict=True)}
        formula = Composition(amounts).reduced_formula
        if formula in seen:
            continue
        seen.add(formula)
        elemental = sum(references[str(s)] * n for s, n in Composition(formula).items())
        entries.append(entry(formula, elemental - float(rng.uniform(0.1, 1.5)) * Composition(formula).num_atoms))
    return entries


def diagram_of(entries: list[HullEntry]) -> PhaseDiagram:
    return PhaseDiagram([_pd_entry(e) for e in entries])


def _pd_entry(e: HullEntry) -> PDEntry:
    return PDEntry(Composition(dict(e.composition)), e.energy_per_atom * e.n_atoms, name=e.name)


def compounds(entries: list[HullEntry], seed: int, count: int = 6) -> list[tuple[HullEntry, HullEntry]]:
    """Random pairs of compounds."""
    found = [e for e in entries if len(e.composition) > 1]
    pairs = list(itertools.combinations(found, 2))
    chosen = np.random.default_rng(seed).choice(len(pairs), count, replace=False)
    return [pairs[i] for i in chosen]


def non_li(fractions: dict[str, float]) -> float:
    return 1.0 - fractions.get("Li", 0.0)


# ----- by hand


def test_exchange_reaction_by_hand(exchange):
    reaction = most_reactive(reactant("MgS", -2.0), reactant("Li2O", -2.0), exchange)
    assert reaction.energy == pytest.approx(-1.5 / 5, abs=1e-9)
    assert reaction.mixing == pytest.approx(2 / 5, abs=1e-9)
    assert reaction.products == pytest.approx({"MgO": 0.2, "Li2S": 0.2})
    assert reaction.self_decomposition == pytest.approx((0.0, 0.0), abs=1e-9)
    assert (reaction.mutual_energy, reaction.mutual_mixing) == pytest.approx((reaction.energy, reaction.mixing))
    assert (reaction.voltage, reaction.mu_li, reaction.li_released) == (None, None, 0.0)


def test_displacement_open_to_lithium_by_hand(displacement):
    """2 eV to form the products, less 2 V for the two Li: 4 atoms, a quarter of them Nb."""
    reaction = most_reactive(reactant("Nb"), reactant("Li2O"), displacement, voltage=2.5)
    assert reaction.energy == pytest.approx((2.0 - 2 * 2.5) / 4, abs=1e-9)
    assert reaction.mixing == pytest.approx(1 / 4, abs=1e-9)
    assert reaction.products == pytest.approx({"NbO": 0.25})
    assert reaction.li_released == pytest.approx(2 / 4, abs=1e-9)
    assert reaction.self_decomposition == pytest.approx((0.0, 0.0), abs=1e-9)
    assert reaction.mu_li == pytest.approx(-2.5)
    assert most_reactive(reactant("Nb"), reactant("Li2O"), displacement).products == {}


def test_what_a_reactant_does_alone_is_kept_apart_from_what_contact_adds(displacement):
    """At 4 V Li2O gives off its Li by itself: 6 - 8 eV on 3 atoms. Contact adds NbO, -4 eV on 4 atoms, all the same."""
    reaction = most_reactive(reactant("Nb"), reactant("Li2O"), displacement, voltage=4.0)
    assert reaction.self_decomposition == pytest.approx((0.0, -2.0 / 3), abs=1e-9)
    assert reaction.energy == pytest.approx((2.0 - 8.0) / 4, abs=1e-9)
    assert (reaction.mutual_energy, reaction.mutual_mixing) == pytest.approx((-4.0 / 4, 1 / 4), abs=1e-9)


def test_a_metastable_reactant_counts_its_own_decomposition(exchange):
    """Li2MgO2 falls into Li2O and MgO, which are stable with MgO: contact adds nothing to that."""
    above = 0.25
    own = hull.decompose({"Li": 2, "Mg": 1, "O": 2}, exchange).energy + above
    reaction = most_reactive(reactant("Li2MgO2", own), reactant("MgO"), exchange)
    assert (reaction.energy, reaction.mixing) == pytest.approx((-above, 1.0), abs=1e-9)
    assert reaction.self_decomposition == pytest.approx((-above, 0.0), abs=1e-9)
    assert (reaction.mutual_energy, reaction.mutual_mixing) == (0.0, 0.0)
    assert set(reaction.products) == {"Li2O", "MgO"}


# ----- against pymatgen


def pymatgen_kinks(model: InterfacialReactivity, one: HullEntry, two: HullEntry) -> list[tuple[float, float]]:
    """(atom fraction of the first, eV per atom of the mixture) at all kinks."""
    c1, c2 = hull.normalised(one.composition), hull.normalised(two.composition)
    kinks = []
    for _, x, energy, _, _ in model.get_kinks():
        # open to Li pymatgen's energies are per atom of what is not Li
        share = x * non_li(c1) + (1 - x) * non_li(c2) if model.grand else 1.0
        kinks.append((float(x), float(energy) * share))
    return kinks


def check_minimum(reaction: Reaction, kinks: list[tuple[float, float]]) -> None:
    x, energy = min(kinks, key=lambda kink: kink[1])
    assert reaction.energy == pytest.approx(min(energy, 0.0), abs=1e-6)
    if energy < -1e-4:
        assert reaction.mixing == pytest.approx(x, abs=1e-5)


@pytest.mark.parametrize("own", [True, False], ids=["own energies", "hull energies"])
@pytest.mark.parametrize("seed", range(5))
def test_closed_reactions_agree_with_pymatgen(seed, own):
    entries = random_system(seed)
    diagram = diagram_of(entries)
    reacting = 0
    for one, two in compounds(entries, seed):
        first, second = (of(e) if own else reactant(e.name) for e in (one, two))
        reaction = most_reactive(first, second, entries)
        model = InterfacialReactivity(
            Composition(dict(one.composition)), Composition(dict(two.composition)), diagram, use_hull_energy=not own
        )
        check_minimum(reaction, pymatgen_kinks(model, one, two))
        if reaction.energy < -1e-4:
            reacting += 1
            expected: dict[Any, float] = diagram.get_decomposition(_mixture(one, two, reaction.mixing))
            assert _by_atoms(reaction.products, entries) == pytest.approx(
                {e.name: amount for e, amount in expected.items() if amount > 1e-7}, abs=1e-6
            )
    assert reacting >= 2


@pytest.mark.parametrize("own", [True, False], ids=["own energies", "hull energies"])
@pytest.mark.parametrize("voltage", [0.4, 2.1, 4.3])
@pytest.mark.parametrize("seed", range(4))
def test_open_reactions_agree_with_pymatgen(seed, voltage, own):
    entries = random_system(seed)
    diagram = diagram_of(entries)
    grand = GrandPotentialPhaseDiagram(diagram.all_entries, {LI: hull.li_reference(entries) - voltage})
    reacting = 0
    for one, two in compounds(entries, seed):
        first, second = (of(e) if own else reactant(e.name) for e in (one, two))
        reaction = most_reactive(first, second, entries, voltage=voltage)
        total, mutual = (
            GrandPotentialInterfacialReactivity(
                Composition(dict(one.composition)),
                Composition(dict(two.composition)),
                grand,
                pd_non_grand=diagram,
                include_no_mixing_energy=include,
                use_hull_energy=not own,
            )
            for include in (True, False)
        )
        check_minimum(reaction, pymatgen_kinks(total, one, two))
        released = [min(energy for _, energy in pymatgen_kinks(mutual, one, two)), 0.0]
        assert reaction.mutual_energy == pytest.approx(min(released), abs=1e-6)
        alone = [
            value * non_li(hull.normalised(e.composition))
            for (_, value), e in zip(total.get_no_mixing_energy(), (one, two), strict=True)
        ]
        assert reaction.self_decomposition == pytest.approx(alone, abs=1e-6)
        if reaction.energy < -1e-4:
            reacting += 1
            mixture = _mixture(one, two, reaction.mixing)
            rest = Composition({el: n for el, n in mixture.items() if el != LI})
            expected: dict[Any, float] = grand.get_decomposition(rest)
            amounts = {e.name: x * rest.num_atoms for e, x in expected.items() if x > 1e-7}
            assert _by_atoms(reaction.products, entries, without="Li") == pytest.approx(amounts, abs=1e-6)
    assert reacting >= 2


def _mixture(one: HullEntry, two: HullEntry, mixing: float) -> Composition:
    c1, c2 = (Composition(hull.normalised(e.composition)) for e in (one, two))
    return c1 * mixing + c2 * (1 - mixing)


def _by_atoms(products: dict[str, float], entries: list[HullEntry], without: str = "") -> dict[str, float]:
    """Atoms in each product per atom of the mixture."""
    atoms = {e.name: sum(n for s, n in e.composition.items() if s != without) for e in entries}
    return {name: amount * atoms[name] for name, amount in products.items() if amount > 1e-7}


# ----- invariants


@pytest.mark.parametrize("voltage", [None, 4.3])
@pytest.mark.parametrize("seed", range(4))
def test_no_mixing_ratio_releases_more(seed, voltage):
    entries = random_system(seed)
    for one, two in compounds(entries, seed, 3):
        first, second = of(one), of(two)
        reaction = most_reactive(first, second, entries, voltage=voltage)
        line = [_released(first, second, x, entries, voltage) for x in np.linspace(0, 1, 21)]
        assert min(line) >= reaction.energy - 1e-7
        if reaction.products:
            assert _released(first, second, reaction.mixing, entries, voltage) == pytest.approx(
                reaction.energy, abs=1e-7
            )


def _released(one: Reactant, two: Reactant, x: float, entries: list[HullEntry], voltage: float | None) -> float:
    mu = None if voltage is None else hull.li_reference(entries) - voltage
    mixture = {"Li": 0.0}
    own = 0.0
    for end, share in ((one, x), (two, 1 - x)):
        assert end.energy_per_atom is not None
        own += share * end.energy_per_atom
        for symbol, amount in hull.normalised(end.composition).items():
            mixture[symbol] = mixture.get(symbol, 0.0) + share * amount
    state = hull.decompose(mixture, entries, mu_li=mu)
    return state.grand_potential(mu or 0.0) - (own - (mu or 0.0) * mixture["Li"])


@pytest.mark.parametrize("voltage", [None, 3.0])
def test_order_and_scale_of_the_reactants_do_not_matter(exchange, voltage):
    one, two = reactant("MgS", -1.9), reactant("Li2O", -1.95)
    reaction = most_reactive(one, two, exchange, voltage=voltage)
    swapped = most_reactive(two, one, exchange, voltage=voltage)
    assert (swapped.energy, swapped.mixing) == pytest.approx((reaction.energy, 1 - reaction.mixing), abs=1e-9)
    assert swapped.products == pytest.approx(reaction.products)
    assert swapped.self_decomposition == pytest.approx(reaction.self_decomposition[::-1], abs=1e-9)
    cell = Reactant(name="cell", composition={"Mg": 12, "S": 12}, energy_per_atom=-1.9)
    fractions = Reactant(name="fractions", composition={"Li": 2 / 3, "O": 1 / 3}, energy_per_atom=-1.95)
    scaled = most_reactive(cell, fractions, exchange, voltage=voltage)
    assert (scaled.energy, scaled.mixing) == pytest.approx((reaction.energy, reaction.mixing), abs=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_products_hold_the_atoms_of_the_mixture(seed):
    entries = random_system(seed)
    by_name = {e.name: e for e in entries}
    for voltage in (None, 3.7):
        for one, two in compounds(entries, seed, 4):
            reaction = most_reactive(of(one), of(two), entries, voltage=voltage)
            if not reaction.products:
                continue
            made = Composition({"Li": max(reaction.li_released, 0.0)})
            for name, amount in reaction.products.items():
                made += Composition(dict(by_name[name].composition)) * amount
            taken = _mixture(one, two, reaction.mixing) + Composition({"Li": max(-reaction.li_released, 0.0)})
            assert made.almost_equals(taken, rtol=1e-6, atol=1e-6)


def test_a_competing_phase_more_never_makes_contact_safer(exchange):
    before = most_reactive(reactant("MgS"), reactant("Li2O"), exchange).energy
    after = most_reactive(reactant("MgS"), reactant("Li2O"), [*exchange, entry("Li2MgSO", -12.5)])
    assert after.energy == pytest.approx(-2.5 / 5, abs=1e-9)
    assert after.energy < before
    assert set(after.products) == {"Li2MgSO"}


def test_twelve_elements_and_hundreds_of_phases_are_exact():
    """The systems met in practice: the minimum of the line, checked at the ratio found and beside it."""
    entries = random_system(3, "Li Mg Nb O Ni Co Mn P S Cl Br Zr", size=400)
    cathode = reactant("Li9Ni8Co1Mn1O20")
    electrolyte = reactant("Li12P2S10ClBr")
    reaction = most_reactive(cathode, electrolyte, entries)
    one, two = (
        Reactant(name=r.name, composition=r.composition, energy_per_atom=hull.decompose(r.composition, entries).energy)
        for r in (cathode, electrolyte)
    )
    at, beside = (
        [_released(one, two, x, entries, None) for x in xs]
        for xs in ([reaction.mixing], [reaction.mixing - 1e-3, reaction.mixing + 1e-3])
    )
    assert 0.0 < reaction.mixing < 1.0
    assert at[0] == pytest.approx(reaction.energy, abs=1e-6)
    assert min(beside) > reaction.energy


# ----- nothing to react, and refusals


def test_identical_and_inert_reactants_do_not_react(exchange):
    for one, two in (("MgO", "MgO"), ("MgO", "Li2S"), ("Mg2O2", "MgO")):
        reaction = most_reactive(reactant(one), reactant(two), exchange)
        assert (reaction.energy, reaction.mixing, reaction.products) == (0.0, 0.0, {})
        assert reaction.self_decomposition == pytest.approx((0.0, 0.0), abs=1e-9)


def test_a_reactant_below_the_hull_needs_contact_to_pay_for_it(exchange):
    """The exchange releases 1.5 eV; 0.4 eV/atom below the hull costs three atoms 1.2 eV of it, 0.5 eV/atom all."""
    reaction = most_reactive(reactant("MgS"), reactant("Li2O", -2.4), exchange)
    assert (reaction.energy, reaction.mixing) == pytest.approx((-0.3 / 5, 2 / 5), abs=1e-9)
    assert reaction.mutual_energy == pytest.approx(reaction.energy, abs=1e-9)
    pair = (reactant("MgS"), reactant("Li2O", -2.5))
    for first, second in (pair, pair[::-1]):
        reaction = most_reactive(first, second, exchange)
        assert (reaction.energy, reaction.products) == (0.0, {})
        assert reaction.self_decomposition == pytest.approx((0.0, 0.0), abs=1e-9)


def test_lithium_metal_dissolves_in_the_reservoir(exchange):
    reaction = most_reactive(reactant("Li", 0.0), reactant("MgO"), exchange, voltage=2.0)
    assert (reaction.energy, reaction.mixing) == pytest.approx((-2.0, 1.0), abs=1e-9)
    assert reaction.li_released == pytest.approx(1.0)
    assert reaction.mutual_energy == 0.0


def test_missing_elements_and_amounts_are_named(exchange):
    with pytest.raises(UserError, match="Zr"):
        most_reactive(reactant("ZrO2", -3.0), reactant("MgO"), exchange)
    with pytest.raises(UserError, match="elemental Li"):
        most_reactive(reactant("MgS"), reactant("MgO"), [e for e in exchange if e.name != "Li"], voltage=4.3)
    with pytest.raises(UserError, match="nothing needs positive amounts"):
        most_reactive(Reactant(name="nothing", composition={}, energy_per_atom=0.0), reactant("MgO"), exchange)
