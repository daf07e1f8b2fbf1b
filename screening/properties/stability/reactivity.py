"""Reaction of two materials in contact: the most negative reaction energy over all mixing ratios, closed or open to Li.

x atoms of the first reactant and 1 - x of the second release, per atom of the mixture (Li of the reactants included),

    f(x) = min sum_i w_i (E_i - mu n_i,Li) - x (e_1 - mu c_1,Li) - (1 - x) (e_2 - mu c_2,Li)

    with  sum_i w_i n_i = x c_1 + (1 - x) c_2     for all elements (closed, mu = 0), for all but Li (open to Li)

where c and e are atom fractions and energy per atom of the reactants, n_i and E_i atoms and energy of a formula unit of
phase i. f is convex and piecewise linear in x, so x joins the w_i as one more variable and the minimum over all mixing
ratios is a single linear program: no hull to build, no grid of ratios. (For 9 elements and 145 stable phases
pymatgen's hull took a minute, ten times as long as for 8 elements; the program takes 0.1 s with 12 elements.)

Method: Richards et al., Chem. Mater. 2016, 28, 266, doi:10.1021/acs.chemmater.5b04082; "mutual" and "total" as in Zhu,
He, Mo, J. Mater. Chem. A 2016, 4, 3253, doi:10.1039/c5ta08574h. pymatgen's classes for the same are, with norm=True,
``InterfacialReactivity`` (per atom of the mixture, as here) and ``GrandPotentialInterfacialReactivity`` (per atom
*without* Li, at a mixing ratio of all atoms): times the non-Li fraction of the mixture, its energies are those here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog

from screening.errors import UserError
from screening.properties.stability import hull
from screening.properties.stability.hull import HullEntry

NOISE = 1e-6
"""eV/atom below which two reactants count as stable together; the solver's tolerance is ten times finer."""


@dataclass(frozen=True, kw_only=True)
class Reactant:
    """A material in contact with another.

    Attributes
    ----------
    composition
        Amounts of the elements on any scale: a cell, a formula unit, fractions (Li6PS5Cl0.5Br0.5).
    energy_per_atom
        Its own energy, eV/atom on the scale of the competing phases; None pins it to their hull (closed to Li).
    """

    name: str
    composition: Mapping[str, float]
    energy_per_atom: float | None


@dataclass(frozen=True, kw_only=True)
class Reaction:
    """The most exothermic reaction of two materials; energies in eV per atom of the mixture, negative = driving force.

    Attributes
    ----------
    energy
        The most negative over all mixing ratios, against the reactants' own energies (0 when nothing reacts). What
        they release each on its own counts in it: metastability, and the Li that they give to the reservoir.
    mixing
        Atom fraction of the first reactant in the mixture at that point, its Li included; 0 when nothing reacts.
    products
        Formula units per atom of the mixture; empty when nothing reacts.
    li_released
        Li atoms per atom of the mixture that go into the reservoir (negative: come from it); 0 when closed.
    self_decomposition
        What the first and the second release on their own, eV per atom of each, <= 0: `energy` at mixing 1 and 0. Where
        `energy` is one of them (`mixing` 1 or 0), contact makes nothing worse: that reactant decomposes by itself.
    mutual_energy, mutual_mixing, mutual_products
        The most negative energy over all mixing ratios *beyond* `self_decomposition`: what contact alone adds, at its
        own mixing ratio, with the products there. Closed, with both reactants on the hull, it equals `energy`.
    voltage, mu_li
        Of the reservoir, V vs Li/Li+ and eV; None when closed.
    """

    energy: float
    mixing: float
    products: dict[str, float]
    li_released: float
    self_decomposition: tuple[float, float]
    mutual_energy: float
    mutual_mixing: float
    mutual_products: dict[str, float]
    voltage: float | None
    mu_li: float | None


@dataclass(frozen=True, kw_only=True)
class _End:
    """An end of the mixing line: atom fractions, and (grand) potential per atom as it is and decomposed."""

    fractions: dict[str, float]
    own: float
    equilibrium: float


@dataclass(frozen=True, kw_only=True)
class _Lowest:
    """Lowest point of the mixing line."""

    energy: float
    mixing: float
    products: dict[str, float]
    li_released: float


def most_reactive(
    first: Reactant, second: Reactant, entries: Sequence[HullEntry], *, voltage: float | None = None
) -> Reaction:
    """The mixing ratio of two materials at which they release most energy, and what they turn into.

    Parameters
    ----------
    entries
        The competing phases, stable or not, of any chemical system that holds the reactants' elements. A reactant with
        its own energy need not be among them, and may lie below their hull.
    voltage
        None: nothing is exchanged. Otherwise Li is, at mu_Li = mu_Li(metal) - voltage (V vs Li/Li+).

    Raises
    ------
    UserError
        When no phase holds one of the elements, the phases cannot make up a reactant, elemental Li is missing (open
        to Li), or a reactant has no positive amounts.
    """
    mu_li = None if voltage is None else hull.li_reference(entries) - voltage
    one, two = _end(first, entries, mu_li), _end(second, entries, mu_li)
    total = _lowest(one, two, (one.own, two.own), entries, mu_li)
    # an own energy below the hull is the equilibrium: nothing decomposes
    decomposed = (min(one.own, one.equilibrium), min(two.own, two.equilibrium))
    mutual = _lowest(one, two, decomposed, entries, mu_li)
    return Reaction(
        energy=total.energy,
        mixing=total.mixing,
        products=total.products,
        li_released=total.li_released,
        self_decomposition=(decomposed[0] - one.own, decomposed[1] - two.own),
        mutual_energy=mutual.energy,
        mutual_mixing=mutual.mixing,
        mutual_products=mutual.products,
        voltage=voltage,
        mu_li=mu_li,
    )


def _end(reactant: Reactant, entries: Sequence[HullEntry], mu_li: float | None) -> _End:
    amounts = list(reactant.composition.values())
    if not all(math.isfinite(n) and n >= 0 for n in amounts) or sum(amounts) <= 0:
        raise UserError(f"the composition of {reactant.name} needs positive amounts; state atoms of each element")
    fractions = hull.normalised(reactant.composition)
    energy = reactant.energy_per_atom
    if energy is None:
        energy = hull.decompose(fractions, entries).energy
    li = fractions.get("Li", 0.0)
    if mu_li is None:
        return _End(fractions=fractions, own=energy, equilibrium=hull.decompose(fractions, entries).energy)
    # pure Li dissolves in the reservoir, whose grand potential is zero
    equilibrium = 0.0
    if set(fractions) != {"Li"}:
        equilibrium = hull.decompose(fractions, entries, mu_li=mu_li).grand_potential(mu_li)
    return _End(fractions=fractions, own=energy - mu_li * li, equilibrium=equilibrium)


def _lowest(
    one: _End, two: _End, references: tuple[float, float], entries: Sequence[HullEntry], mu_li: float | None
) -> _Lowest:
    """Minimum of the mixing line against reference (grand) potentials of its ends, all per atom.

    The phases leave out the reactants with their own energy. They could only be products where something is left over,
    and a mixture without the part that does nothing releases more per atom: the minimum never has them.
    """
    elements = set(one.fractions) | set(two.fractions)
    balanced = sorted(elements - ({"Li"} if mu_li is not None else set()))
    nothing = _Lowest(energy=0.0, mixing=0.0, products={}, li_released=0.0)
    if not balanced:
        return nothing  # Li against Li
    allowed = elements | {"Li"} if mu_li is not None else elements
    usable = [e for e in entries if set(e.composition) <= allowed and any(s in e.composition for s in balanced)]
    ends = np.array([[end.fractions.get(s, 0.0) for s in balanced] for end in (one, two)])
    amounts = np.array([[e.composition.get(s, 0) for e in usable] for s in balanced], dtype=float)
    li = np.array([e.composition.get("Li", 0) for e in usable], dtype=float)
    potentials = np.array([e.energy_per_atom * e.n_atoms for e in usable]) - (mu_li or 0.0) * li
    # the last variable is x, the atom fraction of the first reactant
    answer = linprog(
        np.append(potentials, references[1] - references[0]),
        A_eq=np.column_stack([amounts, ends[1] - ends[0]]),
        b_eq=ends[1],
        bounds=[(0, None)] * len(usable) + [(0, 1)],
        method="highs-ds",
    )
    if answer.status != 0:
        raise UserError("the competing phases cannot make up the mixture; add the elements as phases")
    energy = float(answer.fun) - references[1]
    if energy > -NOISE:
        return nothing
    weights, mixing = answer.x[:-1], float(answer.x[-1])
    n_li = mixing * one.fractions.get("Li", 0.0) + (1 - mixing) * two.fractions.get("Li", 0.0)
    return _Lowest(
        energy=energy,
        mixing=mixing,
        products={e.name: float(w) for e, w in zip(usable, weights, strict=True) if w > 1e-9},
        li_released=0.0 if mu_li is None else n_li - float(weights @ li),
    )
