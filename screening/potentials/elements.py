"""Which elements a potential was trained on, known without its weights."""

from __future__ import annotations

import json
from pathlib import Path

from ase.data import atomic_numbers, chemical_symbols

_ABSENT = frozenset({"Po", "At", "Rn", "Fr", "Ra"})

MPTRJ = frozenset(chemical_symbols[1 : atomic_numbers["Pu"] + 1]) - _ABSENT
"""The 89 elements of MPtrj, the data of every built-in potential: hydrogen to plutonium without five.

CHGNet's embedding has a row for each of the first 94 elements, but those of the five are as they were initialised; the
type maps of the SevenNet models leave the five out. Deng et al., Nat. Mach. Intell. 5, 1031 (2023).
"""


def elements_of_matgl(model_json: Path) -> frozenset[str] | None:
    """The ``element_types`` that a matgl model states in its model.json; None where it states none."""
    try:
        found = _find(json.loads(model_json.read_text(encoding="utf-8")), "element_types")
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(found, list) or not all(isinstance(symbol, str) for symbol in found):
        return None
    return frozenset(found) & frozenset(atomic_numbers) or None


def _find(content: object, key: str) -> object:
    """The value of `key` in nested mappings, the outermost one first."""
    if not isinstance(content, dict):
        return None
    if key in content:
        return content[key]
    return next((found for value in content.values() if (found := _find(value, key)) is not None), None)
