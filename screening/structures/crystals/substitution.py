"""Predicted phases of an element without listed compounds: ionic substitution into known crystals.

A template becomes a candidate when its ions can be replaced by ions of the chemical system such that the result holds
the element, is neutral, and the product of the probabilities of all its ions passes a threshold (Hautier et al., Inorg.
Chem. 2011, 50, 656, doi:10.1021/ic102031h). Nothing here says that a predicted phase is stable: the potential relaxes
it, and only its energy counts. `PhaseFacts.substituted` marks these phases, and so does the ``~`` in their names.
"""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from ase.data import atomic_numbers, covalent_radii

from screening.errors import UserError
from screening.structures.crystals.closeness import MIN_DISTANCE_IN_RADII, shortest_distance_in_radii
from screening.structures.crystals.phase_entry import entry_from_structure
from screening.structures.crystals.phases import PREDICTED_SOURCE, PhaseFacts, parse_facts
from screening.structures.crystals.substitution_templates import (
    Ion,
    Template,
    aflow_structures,
    known_ions,
    probability,
    stand_in,
    templates,
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class IonSubstitution:
    """A template and the ion that takes each element's place."""

    template: Template
    ions: dict[str, Ion]
    probability: float

    @property
    def formula(self) -> str:
        """Reduced formula of the result."""
        from pymatgen.core import Composition

        total = sum((Composition({self.ions[old][0]: n}) for old, n in self.template.amounts.items()), Composition())
        return str(total.reduced_formula)

    @property
    def replaced(self) -> dict[Ion, Ion]:
        """Old ions and the new ones that differ from them."""
        pairs = {(old, q): self.ions[old] for old, q in self.template.charges.items()}
        return {old: new for old, new in pairs.items() if old != new}

    @property
    def source(self) -> str:
        """Where the phase comes from, with the ions whose probabilities are those of another ion."""
        changes = ", ".join(f"{_label(old)}->{_label(new)}" for old, new in self.replaced.items()) or "unchanged"
        ions = sorted({*self.replaced, *self.ions.values()})
        borrowed = [f"{_label(i)} taken as {_label(other)}" for i in ions if (other := stand_in(i)) not in (i, None)]
        note = f" ({', '.join(borrowed)}, of similar radius)" if borrowed else ""
        return f"{PREDICTED_SOURCE}{self.template.name} {changes} p={self.probability:.2g}{note}"

    def structure(self) -> Any:
        """Crystal with the template's lattice."""
        structure = self.template.structure()
        structure.replace_species({old: new for old, (new, _) in self.ions.items()})
        return structure


def substituted_phases(
    element: str,
    system: set[str],
    *,
    threshold: float = 1e-3,
    max_per_composition: int = 3,
    max_atoms: int = 40,
) -> list[PhaseFacts]:
    """Hypothetical compounds of `element` with the other elements of `system`, most probable composition first.

    Parameters
    ----------
    system
        Symbols; `element` itself may be among them.
    threshold
        Least probability of a substitution: product over all ions of the template, unchanged ones included.
    max_per_composition
        Structures per reduced formula. Polymorphs of one compound wait until every other compound had its turn.
    max_atoms
        Largest primitive cell of a template.

    Raises
    ------
    UserError
        When the element is unknown, or no substitution yields a compound of it.
    """
    _check(element)
    limits = {"max_per_composition": max_per_composition, "max_atoms": max_atoms}
    found = predict(element, system, templates(), threshold=threshold, **limits)
    if not found:
        others = ", ".join(sorted(system - {element})) or "nothing"
        raise UserError(
            f"ionic substitution finds no compound of {element} with {others}; "
            f"add its phases to datasets/phases/{element.lower()}.yaml or give them with --phases FILE"
        )
    return found


def predict(
    element: str,
    system: set[str],
    known: Iterable[Template],
    *,
    threshold: float = 1e-3,
    max_per_composition: int = 3,
    max_atoms: int = 40,
) -> list[PhaseFacts]:
    """`substituted_phases` from given templates; an empty list when there is none."""
    ions = [ion for symbol in sorted({*system, element}) for ion in known_ions(symbol)]
    by_formula: dict[str, list[IonSubstitution]] = {}
    for template in known:
        for one in substitutions(template, ions, threshold=threshold):
            held = {symbol for symbol, _ in one.ions.values()}
            listed_already = template.facts is not None and not one.replaced
            if element in held and len(held) > 1 and not listed_already:
                by_formula.setdefault(one.formula, []).append(one)
    order = sorted(by_formula, key=lambda f: (-max(s.probability for s in by_formula[f]), f))
    facts: list[PhaseFacts] = []
    names: set[str] = set()
    for formula in order:
        for one, structure in _distinct(by_formula[formula], max_per_composition, max_atoms):
            name = f"{formula}~{one.template.name}"
            while name in names:  # the same elements on exchanged sites
                name += "'"
            names.add(name)
            facts.append(_facts(structure, name=name, source=one.source))
    return facts


def substitutions(template: Template, ions: Sequence[Ion], *, threshold: float) -> Iterator[IonSubstitution]:
    """Neutral replacements of the template's ions by different ones of `ions` with at least the given probability.

    A template made of nothing but `ions` also comes as it is, with probability 1: that compound is known.
    """
    old = list(template.charges.items())
    amounts = template.amounts

    def extend(chosen: list[Ion], product: float) -> Iterator[tuple[list[Ion], float]]:
        if len(chosen) == len(old):
            yield chosen, product
            return
        for ion in ions:
            passed = product * probability(ion, old[len(chosen)])
            if ion not in chosen and passed >= threshold:
                yield from extend([*chosen, ion], passed)

    if set(old) <= set(ions):
        yield IonSubstitution(template=template, ions={s: (s, q) for s, q in old}, probability=1.0)
    for chosen, product in extend([], 1.0):
        charge = sum(q * amounts[symbol] for (symbol, _), (_, q) in zip(old, chosen, strict=True))
        if charge == 0 and chosen != old:
            new = {symbol: ion for (symbol, _), ion in zip(old, chosen, strict=True)}
            yield IonSubstitution(template=template, ions=new, probability=product)


def elemental_phases(element: str, *, max_atoms: int = 40) -> list[PhaseFacts]:
    """Candidate structures of a pure element: its AFLOW prototypes, else fcc, hcp and bcc from its covalent radius.

    Raises
    ------
    UserError
        When the element is unknown or a noble gas.
    """
    _check(element)
    own = [
        (name, structure)
        for name, structure in aflow_structures().items()
        if {e.symbol for e in structure.elements} == {element} and len(structure) <= max_atoms
    ]
    crystals = own or list(_close_packed(element))
    return [
        _facts(structure, name=f"{element}~{name}", source=f"{PREDICTED_SOURCE}{name} of the element")
        for name, structure in crystals
    ]


def _close_packed(element: str) -> Iterator[tuple[str, Any]]:
    """fcc, hcp and bcc with touching spheres of the covalent radius."""
    from pymatgen.core import Lattice, Structure

    d = 2 * float(covalent_radii[atomic_numbers[element]])
    yield "fcc", Structure.from_spacegroup("Fm-3m", Lattice.cubic(d * math.sqrt(2)), [element], [[0, 0, 0]])
    hexagonal = Lattice.hexagonal(d, d * math.sqrt(8 / 3))
    yield "hcp", Structure.from_spacegroup("P6_3/mmc", hexagonal, [element], [[1 / 3, 2 / 3, 1 / 4]])
    yield "bcc", Structure.from_spacegroup("Im-3m", Lattice.cubic(2 * d / math.sqrt(3)), [element], [[0, 0, 0]])


def _check(element: str) -> None:
    """Refuse what has no compounds here."""
    from pymatgen.core import Element

    advice = f"add its phases to datasets/phases/{element.lower()}.yaml or give them with --phases FILE"
    if not Element.is_valid_symbol(element):
        raise UserError(f"{element} is no element; check its symbol, or {advice}")
    if Element(element).is_noble_gas:
        raise UserError(f"no phases of the noble gas {element} can be predicted; {advice}")


def _distinct(candidates: list[IonSubstitution], count: int, max_atoms: int) -> Iterator[tuple[IonSubstitution, Any]]:
    """The first `count` different crystals, scaled; polymorphs of one compound take turns with other compounds."""
    from pymatgen.analysis.structure_matcher import StructureMatcher
    from pymatgen.io.ase import AseAtomsAdaptor

    def by_probability(one: IonSubstitution) -> tuple[float, bool, str]:
        return -one.probability, one.template.facts is None, one.template.name

    turns: dict[tuple[str, tuple[Ion, ...]], int] = {}
    queue: list[tuple[int, IonSubstitution]] = []
    for one in sorted(candidates, key=by_probability):
        kind = one.template.formula, tuple(one.ions.values())
        turns[kind] = turns.get(kind, -1) + 1
        queue.append((turns[kind], one))
    matcher = StructureMatcher()
    kept: list[Any] = []
    for _, one in sorted(queue, key=lambda pair: pair[0]):
        if len(kept) == count:
            return
        try:
            structure = _scaled(one)
        except (UserError, ValueError) as error:
            logger.debug("%s is no template: %s", one.template.name, error)
            continue
        if (
            len(structure) > max_atoms
            or shortest_distance_in_radii(AseAtomsAdaptor.get_atoms(structure, msonable=False)) < MIN_DISTANCE_IN_RADII
            or any(matcher.fit(structure, other) for other in kept)
        ):
            continue
        kept.append(structure)
        yield one, structure


def _scaled(one: IonSubstitution) -> Any:
    """The crystal at the volume predicted from ionic radii, from bond lengths where a radius is lacking.

    Reference and data-mined lattice scaling: Chu et al., Comput. Mater. Sci. 2018, 146, 184,
    doi:10.1016/j.commatsci.2018.01.040.
    """
    from pymatgen.analysis.structure_prediction.volume_predictor import DLSVolumePredictor, RLSVolumePredictor
    from pymatgen.core import Species

    structure = one.structure()
    if not one.replaced:
        return structure
    old = one.template.structure()
    new = old.copy()
    old.add_oxidation_state_by_element(one.template.charges)
    new.replace_species({symbol: Species(*ion) for symbol, ion in one.ions.items()})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of lacking radii
        try:
            volume = RLSVolumePredictor(check_isostructural=False, radii_type="ionic").predict(new, old)
        except ValueError:
            volume = DLSVolumePredictor().predict(structure)
    structure.scale_lattice(volume)
    return structure


def _facts(structure: Any, *, name: str, source: str) -> PhaseFacts:
    """Facts with Wyckoff positions; in P1 where no setting of the space group gives the crystal back."""
    try:
        return parse_facts(entry_from_structure(structure, name=name, source=source))
    except (UserError, ValueError) as error:
        logger.debug("%s is kept in P1: %s", name, error)
    a, b, c, alpha, beta, gamma = (round(v, 6) for v in structure.lattice.parameters)
    return parse_facts(
        {
            "name": name,
            "formula": structure.composition.reduced_formula,
            "space_group": "P1",
            "source": source,
            "lattice": {"a": a, "b": b, "c": c, "alpha": alpha, "beta": beta, "gamma": gamma},
            "sites": [[s.specie.symbol, "1a", *(round(float(v), 6) for v in s.frac_coords)] for s in structure],
        }
    )


@cache
def _label(ion: Ion) -> str:
    """Cr3+, O2-."""
    symbol, charge = ion
    return f"{symbol}{abs(charge) if abs(charge) > 1 else ''}{'+' if charge > 0 else '-'}"
