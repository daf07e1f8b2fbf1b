"""Names of elements in structure files, and the reason why a structure is not taken."""

from __future__ import annotations

from collections.abc import Sequence

from ase import Atoms
from ase.data import atomic_numbers

from screening.chemistry.index_lists import taken

ISOTOPES = {"D": "H", "T": "H"}


class BadStructure(ValueError):
    """What is wrong with a structure, in words that follow the name of its file."""


def element(name: str, notes: list[str]) -> str:
    """Symbol of an element; hydrogen's isotopes become H, which is noted.

    Raises
    ------
    BadStructure
        When there is no such element.
    """
    if name in ISOTOPES:
        notes.append(f"{name} is read as {ISOTOPES[name]}")
        return ISOTOPES[name]
    if not atomic_numbers.get(name):  # ASE has X with number 0
        raise BadStructure(f"names the element {name or '(none)'}, which does not exist")
    return name


def by_element(atoms: Atoms, order: Sequence[int] | None = None) -> Atoms:
    """The same atoms with equal elements together, as POSCAR and POTCAR want them; nothing else moves.

    Arrays, fixed atoms and lists of atom indices in ``info`` follow.

    Parameters
    ----------
    order
        Permutation to apply instead of that of these atoms, so that the images of a band stay alike.
    """
    return taken(atoms, element_order(atoms) if order is None else order)


def element_order(atoms: Atoms) -> list[int]:
    """Stable permutation that puts equal elements together, elements in the order of their first atom."""
    symbols = atoms.get_chemical_symbols()
    first = {symbol: n for n, symbol in enumerate(dict.fromkeys(symbols))}
    return sorted(range(len(symbols)), key=lambda i: first[symbols[i]])
