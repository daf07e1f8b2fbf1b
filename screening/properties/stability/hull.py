"""Convex hulls at fixed composition and open to Li, for a candidate that is *not* one of the phases.

Every question here is a linear program over the competing phases, solved with HiGHS (the same answer as pymatgen's
PhaseDiagram and GrandPotentialPhaseDiagram, which the tests check, without building the hull of the whole system):

    E(n) = min sum_i w_i E_i             with sum_i w_i n_i = n                        (closed)
    phi(mu) = min sum_i w_i (E_i - mu n_i,Li)  with sum_i w_i n_i = n for all but Li   (open to Li)

phi is concave and piecewise linear in mu_Li, so its breakpoints are found exactly, not on a grid. With
mu_Li = mu_Li(metal) - V (V vs Li/Li+), a candidate with its own energy E is on the hull where E - mu n_Li <= phi(mu):
the electrochemical window (Zhu, He, Mo, ACS Appl. Mater. Interfaces 2015, 7, 23685, doi:10.1021/acsami.5b07517).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.optimize import linprog

from screening.errors import UserError

V_MAX = 8.0
"""Largest voltage considered, V vs Li/Li+; LiF, the widest window known, ends at 6.4 V."""

TOLERANCE = 1e-7
"""eV/atom within which two energies are the same point of a hull."""

Amounts = Mapping[str, float]


class NotMade(UserError):
    """The phases cannot make up a composition, at any energy."""


@dataclass(frozen=True, kw_only=True)
class HullEntry:
    """A competing phase: atoms per formula unit and energy in eV per atom, on one energy scale for all."""

    name: str
    composition: Mapping[str, int]
    energy_per_atom: float

    @property
    def n_atoms(self) -> int:
        return sum(self.composition.values())


@dataclass(frozen=True, kw_only=True)
class Decomposition:
    """Cheapest mixture of phases. `energy` and `n_li` per atom of the composition asked for (eV, Li atoms).

    `products` holds formula units of each phase per atom of that composition.
    """

    energy: float
    n_li: float
    products: dict[str, float]

    def grand_potential(self, mu: float) -> float:
        return self.energy - mu * self.n_li


@dataclass(frozen=True, kw_only=True)
class Segment:
    """Voltage range (V) in which one decomposition is the equilibrium."""

    low: float
    high: float
    decomposition: Decomposition


@dataclass(frozen=True, kw_only=True)
class Window:
    """Range (V vs Li/Li+) in which a composition is on the hull, and what it turns into outside of it."""

    reduction: float
    oxidation: float
    products_reduction: dict[str, float]
    products_oxidation: dict[str, float]


def normalised(composition: Amounts) -> dict[str, float]:
    """Atomic fractions of a composition."""
    total = sum(composition.values())
    return {symbol: amount / total for symbol, amount in composition.items() if amount > 0}


def li_reference(entries: Sequence[HullEntry]) -> float:
    """mu_Li(metal): energy of the most stable elemental Li among the phases, eV/atom."""
    energies = [e.energy_per_atom for e in entries if set(e.composition) == {"Li"}]
    if not energies:
        raise UserError("no elemental Li among the competing phases; a voltage against Li/Li+ needs it")
    return min(energies)


def decompose(composition: Amounts, entries: Sequence[HullEntry], *, mu_li: float | None = None) -> Decomposition:
    """Cheapest mixture of `entries` at `composition`; open to Li at `mu_li` (eV) when that is given.

    Raises
    ------
    NotMade
        When the phases cannot make up the composition.
    """
    target = normalised(composition)
    balanced = sorted(set(target) - ({"Li"} if mu_li is not None else set()))
    if not balanced:
        raise UserError("a hull open to Li needs at least one element besides Li")
    allowed = set(target) | {"Li"} if mu_li is not None else set(target)
    usable = [e for e in entries if set(e.composition) <= allowed and any(s in e.composition for s in balanced)]
    if missing := [s for s in balanced if not any(s in e.composition for e in usable)]:
        raise NotMade(f"no competing phases contain {', '.join(missing)}; add phases of that element")
    amounts = np.array([[e.composition.get(s, 0) for e in usable] for s in balanced], dtype=float)
    energies = np.array([e.energy_per_atom * e.n_atoms for e in usable])
    li = np.array([e.composition.get("Li", 0) for e in usable], dtype=float)
    cost = energies if mu_li is None else energies - mu_li * li
    answer = linprog(cost, A_eq=amounts, b_eq=[target[s] for s in balanced], bounds=(0, None), method="highs-ds")
    if answer.status != 0:
        raise NotMade("the competing phases cannot make up this composition; add the elements as phases")
    weights = answer.x
    return Decomposition(
        energy=float(weights @ energies),
        n_li=float(weights @ li),
        products={e.name: float(w) for e, w in zip(usable, weights, strict=True) if w > 1e-9},
    )


def e_above_hull(composition: Amounts, energy_per_atom: float, entries: Sequence[HullEntry]) -> float:
    """Energy above the decomposition into `entries` at fixed composition, eV/atom; negative when below all of them."""
    return energy_per_atom - decompose(composition, entries).energy


def formation_energy(composition: Amounts, energy_per_atom: float, entries: Sequence[HullEntry]) -> float:
    """Energy of formation from the elements, eV/atom."""
    elements = [e for e in entries if len(e.composition) == 1]
    return energy_per_atom - decompose(composition, elements).energy


def li_profile(composition: Amounts, entries: Sequence[HullEntry], *, v_max: float = V_MAX) -> list[Segment]:
    """Equilibria of a composition open to Li from 0 to `v_max`, with exact breakpoints, ascending in voltage.

    Two decompositions found at the ends of an interval meet at one voltage; if nothing lies below that point it is a
    breakpoint, otherwise the interval is split there (Eisner and Severance, J. ACM 1976, 23, 619).
    """
    mu_metal = li_reference(entries)

    def at(voltage: float) -> Decomposition:
        return decompose(composition, entries, mu_li=mu_metal - voltage)

    def breakpoints(left: Decomposition, right: Decomposition) -> list[tuple[float, Decomposition]]:
        """(voltage, equilibrium above it) between two equilibria."""
        gap = left.n_li - right.n_li
        if gap < 1e-9:
            return []
        mu = (left.energy - right.energy) / gap
        middle = at(mu_metal - mu)
        if middle.grand_potential(mu) > left.grand_potential(mu) - 1e-10:
            return [(mu_metal - mu, right)]
        return breakpoints(left, middle) + breakpoints(middle, right)

    first, last = at(0.0), at(v_max)
    chain = [(0.0, first), *breakpoints(first, last), (v_max, last)]
    return [
        Segment(low=low, high=high, decomposition=state)
        for (low, state), (high, _) in pairwise(chain)
        if high - low > 1e-9
    ]


def driving_force(
    composition: Amounts, energy_per_atom: float, voltage: float, entries: Sequence[HullEntry]
) -> tuple[float, dict[str, float]]:
    """Grand-potential decomposition energy at a voltage, eV per atom of the candidate (all its atoms, Li included).

    Positive when the candidate's own energy lies above the equilibrium open to Li. Returns it with the products.
    """
    mu = li_reference(entries) - voltage
    state = decompose(composition, entries, mu_li=mu)
    own = energy_per_atom - mu * normalised(composition).get("Li", 0.0)
    return own - state.grand_potential(mu), state.products


def stable_range(
    composition: Amounts, energy_per_atom: float, entries: Sequence[HullEntry], *, v_max: float = V_MAX
) -> Window | None:
    """Window in which the given energy is on (or below) the Li grand-potential hull of `entries`; None when empty.

    The depth below the hull is concave and piecewise linear in the voltage, so its zeros are exact. An end equal to 0
    or `v_max` means that no limit was found up to there.
    """
    segments = li_profile(composition, entries, v_max=v_max)
    mu_metal = li_reference(entries)
    n_li = normalised(composition).get("Li", 0.0)
    volts = np.array([s.low for s in segments] + [segments[-1].high])
    states = [s.decomposition for s in segments] + [segments[-1].decomposition]
    mus = mu_metal - volts
    depth = np.array([d.grand_potential(mu) for d, mu in zip(states, mus, strict=True)])
    depth -= energy_per_atom - mus * n_li
    depth += TOLERANCE
    if depth.max() < 0:
        return None
    inside = np.flatnonzero(depth >= 0)
    first, last = int(inside[0]), int(inside[-1])
    reduction, oxidation = volts[first], volts[last]
    if first > 0:
        reduction = float(np.interp(0.0, depth[first - 1 : first + 1], volts[first - 1 : first + 1]))
    if last < len(volts) - 1:
        oxidation = float(np.interp(0.0, -depth[last : last + 2], volts[last : last + 2]))
    return Window(
        reduction=float(reduction),
        oxidation=float(oxidation),
        products_reduction=segments[max(first - 1, 0)].decomposition.products if first > 0 else {},
        products_oxidation=segments[min(last, len(segments) - 1)].decomposition.products
        if last < len(volts) - 1
        else {},
    )


def pinned_window(composition: Amounts, entries: Sequence[HullEntry], *, v_max: float = V_MAX) -> Window | None:
    """Window of the composition with its energy pinned to the closed-system hull.

    It equals the voltage range in which all its decomposition products are stable together, and may be a single
    voltage (reduction equal to oxidation within the tolerance) when they have no common range.
    """
    return stable_range(composition, decompose(composition, entries).energy, entries, v_max=v_max)


def driving_force_profile(
    composition: Amounts, energy_per_atom: float, entries: Sequence[HullEntry], *, low: float = 2.5, high: float = 4.6
) -> list[dict[str, object]]:
    """Driving force (eV/atom) at the ends and all breakpoints of a voltage range; linear in between.

    Each row holds ``voltage, driving_force, products`` with the products that form just above that voltage.
    """
    segments = [s for s in li_profile(composition, entries) if s.high > low and s.low < high]
    mu_metal = li_reference(entries)
    n_li = normalised(composition).get("Li", 0.0)
    points = [(max(s.low, low), s.decomposition) for s in segments] + [(high, segments[-1].decomposition)]
    return [
        {
            "voltage": voltage,
            "driving_force": energy_per_atom - state.energy - (mu_metal - voltage) * (n_li - state.n_li),
            "products": state.products,
        }
        for voltage, state in points
    ]
