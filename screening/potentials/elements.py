"""Which elements a potential was trained on, known without its weights."""

from __future__ import annotations

from ase.data import atomic_numbers, chemical_symbols

_ABSENT = frozenset({"Po", "At", "Rn", "Fr", "Ra"})

MPTRJ = frozenset(chemical_symbols[1 : atomic_numbers["Pu"] + 1]) - _ABSENT
"""The 89 elements of MPtrj, the data of every built-in potential: hydrogen to plutonium without five.

CHGNet's embedding has a row for each of the first 94 elements, but those of the five are as they were initialised; the
type maps of the SevenNet models leave the five out. Deng et al., Nat. Mach. Intell. 5, 1031 (2023).
"""
