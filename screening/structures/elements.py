"""Names of elements in structure files, and the reason why a structure is not taken."""

from __future__ import annotations

from ase.data import atomic_numbers

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
