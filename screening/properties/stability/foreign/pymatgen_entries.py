"""Phases from the dictionaries of pymatgen's computed entries, per formula unit and with their corrections."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from screening.chemistry.formula import read_formula
from screening.errors import UserError
from screening.properties.stability.phases import PhaseEnergy

ENTRY_CLASSES = {"ComputedEntry", "ComputedStructureEntry", "PDEntry"}

_FACTORS = {
    "ConstantEnergyAdjustment": ("value",),
    "ManualEnergyAdjustment": ("value",),
    "CompositionEnergyAdjustment": ("adj_per_atom", "n_atoms"),
    "TemperatureEnergyAdjustment": ("adj_per_deg", "temp", "n_atoms"),
}
"""Numbers whose product is the value of an energy adjustment."""


class BadEntry(Exception):
    """What is wrong with an entry, to go after words that say which one."""


def phase_from_entry(item: Any, origin: str) -> PhaseEnergy:
    """A phase from an entry's dictionary, per formula unit.

    Raises
    ------
    BadEntry
        When it is none, or its energy or composition makes no sense.
    """
    from pymatgen.core import Composition

    if not isinstance(item, dict) or str(item.get("@class", "ComputedEntry")) not in ENTRY_CLASSES:
        kind = item.get("@class") if isinstance(item, dict) else type(item).__name__
        raise BadEntry(f"is no ComputedEntry, ComputedStructureEntry or PDEntry but {kind}")
    amounts = _amounts(item.get("composition"))
    composition, n_atoms = _formula_unit(amounts), sum(amounts.values())
    correction = _correction(item) if item.get("@class") != "PDEntry" else 0.0
    energy = _number(item.get("energy"), "energy") + correction
    if not math.isfinite(energy):
        raise BadEntry("has no finite energy")
    formula = str(Composition(composition).reduced_formula)
    return PhaseEnergy(
        name=formula,
        formula=formula,
        composition=composition,
        energy_per_atom=energy / n_atoms,
        correction_per_atom=correction / n_atoms,
        origin=origin,
        key=str(item.get("entry_id") or ""),
    )


def _number(value: Any, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadEntry(f"has no {what}" if value is None else f"has {value!r} for its {what}, which is no number")
    try:
        number = float(value)
    except OverflowError:  # JSON sets no limit to whole numbers
        number = math.inf
    if not math.isfinite(number):
        raise BadEntry(f"has no finite {what}")
    return number


def _correction(item: dict[str, Any]) -> float:
    """eV of the whole cell: the sum of the energy adjustments, as pymatgen takes it, or of an older entry's number."""
    adjustments = item.get("energy_adjustments") or []
    if not isinstance(adjustments, list):
        raise BadEntry("has energy adjustments that are no list")
    if not adjustments:
        return _number(item.get("correction") or 0.0, "correction")
    return math.fsum(_adjustment(a) for a in adjustments)


def _adjustment(adjustment: Any) -> float:
    """Value of one of pymatgen's energy adjustments, eV.

    Its factors are read as numbers. Decoding it would import whatever module a file names, and that of pymatgen's own
    classes changes between versions.
    """
    factors = _FACTORS.get(str(adjustment.get("@class"))) if isinstance(adjustment, dict) else None
    if factors is None:
        raise BadEntry("has an energy adjustment that is none of pymatgen's")
    return math.prod(_number(adjustment.get(factor), f"{factor} in an energy adjustment") for factor in factors)


def _amounts(composition: Any) -> dict[str, float]:
    """Atoms of each element in the cell; oxidation states are dropped."""
    from pymatgen.core import Composition, DummySpecies

    if not composition or not isinstance(composition, dict | str):
        raise BadEntry("has no composition")
    amounts: dict[str, float] = {}
    try:
        # pymatgen reads a hydrate's dot as a decimal point
        parsed = Composition(read_formula(composition).composition if isinstance(composition, str) else composition)
        if unknown := [str(el.symbol) for el in parsed.elements if isinstance(el, DummySpecies)]:
            raise BadEntry(f"holds {', '.join(unknown)}, which is no element")
        for element, amount in parsed.items():
            amounts[element.symbol] = amounts.get(element.symbol, 0.0) + float(amount)
    except (ValueError, TypeError, IndexError, KeyError, ArithmeticError, AttributeError, UserError) as error:
        raise BadEntry(f"has a composition that cannot be read ({error})") from error
    if not amounts:
        raise BadEntry("has no composition")
    return amounts


def _formula_unit(amounts: dict[str, float]) -> dict[str, int]:
    """Smallest whole numbers of atoms; a gas as its molecule (O2), as in datasets/phases."""
    from pymatgen.core import Composition

    if not all(math.isfinite(n) and n > 0 for n in amounts.values()):
        raise BadEntry("has amounts in its composition that are not positive")
    ratios = {s: Fraction(n).limit_denominator(1000) for s, n in amounts.items()}
    if any(abs(float(r) - amounts[s]) > 1e-6 for s, r in ratios.items()):
        raise BadEntry("has a composition that is no ratio of whole numbers")
    common = math.lcm(*(r.denominator for r in ratios.values()))
    whole = {s: int(r * common) for s, r in ratios.items()}
    unit = Composition(whole).reduced_composition
    return {el.symbol: round(n) for el, n in unit.items()}


def lowest_per_composition(phases: Iterable[PhaseEnergy]) -> list[PhaseEnergy]:
    """The phase of lowest energy of each reduced formula, sorted by name."""
    lowest: dict[str, PhaseEnergy] = {}
    for phase in phases:
        known = lowest.get(phase.name)
        if known is None or (phase.energy_per_atom, phase.key) < (known.energy_per_atom, known.key):
            lowest[phase.name] = phase
    return [lowest[name] for name in sorted(lowest)]
