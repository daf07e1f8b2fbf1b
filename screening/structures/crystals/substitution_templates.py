"""What compounds are predicted from: known crystals, and how readily their ions replace each other.

Templates are the listed phases and the AFLOW prototypes that come with pymatgen (Mehl et al., Comput. Mater. Sci. 2017,
136, S1, doi:10.1016/j.commatsci.2017.01.017). Probabilities are those of Hautier et al. (Inorg. Chem. 2011, 50, 656,
doi:10.1021/ic102031h) in pymatgen's table. An ion that the table lacks (Pm3+, Ra2+, Te2-) has those of a kindred ion
of the same charge and a similar Shannon radius.
"""

from __future__ import annotations

import itertools
import math
import warnings
from dataclasses import dataclass
from functools import cache
from typing import Any

from ase.formula import Formula

from screening.structures.crystals.phases import PhaseFacts, load_phases, phase_structures

MAX_RADIUS_RATIO = 1.2
"""Largest ratio of Shannon radii at which an ion stands for another one of the same charge."""

Ion = tuple[str, int]
"""Element and charge."""


@dataclass(frozen=True, kw_only=True)
class Template:
    """An ordered compound of known structure.

    Attributes
    ----------
    name
        That of the listed phase, or formula and label of the AFLOW prototype.
    formula
        Reduced formula; templates that share it are polymorphs.
    charges
        One charge per element; neutral in sum.
    facts
        Of the listed phase; None for an AFLOW prototype.
    """

    name: str
    formula: str
    charges: dict[str, int]
    facts: PhaseFacts | None

    @property
    def amounts(self) -> dict[str, int]:
        """Atoms of each element in the formula."""
        return dict(Formula(self.formula).count())

    def structure(self) -> Any:
        """pymatgen ``Structure`` of the primitive cell, without charges; built only when it is asked for.

        Raises
        ------
        UserError, ValueError
            When the entry of the listed phase is wrong, or pymatgen does not know its space group.
        """
        from pymatgen.io.ase import AseAtomsAdaptor

        if self.facts is None:
            return aflow_structures()[self.name].copy()
        return AseAtomsAdaptor.get_structure(phase_structures(self.facts)[0])


def templates() -> list[Template]:
    """All compounds with one charge per element, listed ones first."""
    return [*_templates_of(tuple(load_phases())), *_aflow_templates()]


@cache
def _templates_of(phases: tuple[PhaseFacts, ...]) -> tuple[Template, ...]:
    from pymatgen.core import Composition

    found = []
    for facts in phases:
        formula = Composition(facts.formula).reduced_formula
        if facts.reference is None and (charges := likely_charges(formula)) is not None:
            found.append(Template(name=facts.name, formula=formula, charges=charges, facts=facts))
    return tuple(found)


@cache
def _aflow_templates() -> tuple[Template, ...]:
    found = []
    for name, structure in aflow_structures().items():
        formula = structure.composition.reduced_formula
        if structure.is_ordered and (charges := likely_charges(formula)) is not None:
            found.append(Template(name=name, formula=formula, charges=charges, facts=None))
    return tuple(found)


@cache
def aflow_structures() -> dict[str, Any]:
    """Primitive cell of every AFLOW prototype of pymatgen by formula and label, in its order."""
    from pymatgen.analysis.prototypes import AFLOW_PROTOTYPE_LIBRARY

    found: dict[str, Any] = {}
    for prototype in AFLOW_PROTOTYPE_LIBRARY:
        structure = prototype["snl"].structure
        name = f"{structure.composition.reduced_formula}-{prototype['tags']['aflow']}"
        while name in found:
            name += "'"
        found[name] = structure
    return found


@cache
def likely_charges(formula: str) -> dict[str, int] | None:
    """One charge per element of a neutral compound, as common ones as possible; None when there is no such choice.

    pymatgen's guess also tries several charges of one element, which no template may have, and takes half a minute for
    Cr23C6.
    """
    from pymatgen.core import Element

    amounts = Formula(formula).count()
    if len(amounts) < 2:
        return None
    most_electronegative = max(amounts, key=lambda symbol: (Element(symbol).X, symbol))
    neutral = [
        dict(zip(amounts, charges, strict=True))
        for charges in itertools.product(*(_seen_charges(symbol) for symbol in amounts))
        if sum(q * n for q, n in zip(charges, amounts.values(), strict=True)) == 0
    ]

    def uncommon(charges: dict[str, int]) -> tuple[int, int]:
        rare = sum(q not in Element(symbol).common_oxidation_states for symbol, q in charges.items())
        return rare, charges[most_electronegative]

    return min((c for c in neutral if c[most_electronegative] < 0), key=uncommon, default=None)


def _seen_charges(symbol: str) -> list[int]:
    from pymatgen.core import Element

    element = Element(symbol)
    return sorted({int(q) for q in (*element.icsd_oxidation_states, *element.common_oxidation_states) if q})


@cache
def _model() -> Any:
    from pymatgen.analysis.structure_prediction.substitution_probability import SubstitutionProbability

    return SubstitutionProbability()


@cache
def _table() -> dict[Ion, Any]:
    """Ions of the table in a fixed order."""
    ions = sorted(_model().species, key=lambda ion: (ion.Z, ion.oxi_state))
    return {(ion.symbol, int(ion.oxi_state)): ion for ion in ions}


def known_ions(symbol: str) -> list[Ion]:
    """Ions of an element for which there is a probability: those of the table and those that one of it stands for."""
    from pymatgen.core import Element

    if Element(symbol).is_noble_gas:
        return []
    return [(symbol, q) for q in _seen_charges(symbol) if stand_in((symbol, q)) is not None]


@cache
def stand_in(ion: Ion) -> Ion | None:
    """The ion itself if the table has it, else one of its charge and of similar radius; None if there is none.

    The same group and then the nearest period come before the nearest radius: Pm3+ is taken as Sm3+, not as Cm3+.
    """
    from pymatgen.core import Element

    if ion in _table():
        return ion
    radius = _radius(ion)
    if radius is None:
        return None
    element = Element(ion[0])
    near = []
    for other in _table():
        other_radius = _radius(other) if other[1] == ion[1] else None
        if other_radius is None:
            continue
        distance = abs(math.log(other_radius / radius))
        if distance <= math.log(MAX_RADIUS_RATIO):
            kin = Element(other[0])
            near.append((kin.group != element.group, abs(kin.row - element.row), distance, other))
    return min(near)[-1] if near else None


@cache
def _radius(ion: Ion) -> float | None:
    """Shannon radius in A (mean over coordinations), None when there is none for this charge."""
    from pymatgen.core import Species

    with warnings.catch_warnings():  # pymatgen warns of radii it does not have
        warnings.simplefilter("ignore")
        radius = Species(*ion).ionic_radius
    return None if radius is None else float(radius)


@cache
def probability(new: Ion, old: Ion) -> float:
    """Probability that `new` takes the site of `old`; 0 when either is unknown and has no stand-in."""
    stand_ins = stand_in(new), stand_in(old)
    if None in stand_ins:
        return 0.0
    one, other = (_table()[ion] for ion in stand_ins if ion is not None)
    return float(_model().cond_prob(one, other))
