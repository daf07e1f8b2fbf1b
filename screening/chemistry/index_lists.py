"""Lists of atom indices in ``atoms.info`` that say which atoms are dopants, antisites and interstitials.

ASE carries arrays along when atoms are removed, reordered or joined, but not such lists. Nothing outside this module
renumbers them, and whatever gives atoms new places calls a function of it: `taken`, `without`, `joined`, or `follow`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
from ase import Atoms
from ase.constraints import FixAtoms
from ase.geometry import find_mic

INDEX_LISTS = ("dopant_indices", "antisite_indices", "interstitial_indices")

LITHIUM = 3


def marks(atoms: Atoms, key: str) -> list[int]:
    """One of the lists as plain numbers, empty when it is absent."""
    found = atoms.info.get(key)
    return [] if found is None else [int(i) for i in found]


def follow(target: Atoms, source: Atoms, origin: npt.ArrayLike) -> None:
    """Write the lists of `source` into `target`, renumbered; those that `source` lacks are removed from `target`.

    Parameters
    ----------
    target
        Atoms that came from `source`; changed in place.
    origin
        (N,) index in `source` of every atom of `target`, -1 for one that was not there. Several atoms may have
        one origin (a supercell): all of them are marked.

    Raises
    ------
    IndexError
        When a list of `source` names an atom that it does not have.
    """
    places = np.asarray(origin, dtype=int).reshape(-1)
    target.info = dict(target.info)
    for key in INDEX_LISTS:
        if source.info.get(key) is None:
            target.info.pop(key, None)
            continue
        renumbered: list[int] = []
        for index in marks(source, key):
            if not 0 <= index < len(source):
                raise IndexError(f"{key} names atom {index} of {len(source)}: atoms were moved without their lists")
            renumbered += [int(i) for i in np.flatnonzero(places == index)]
        target.info[key] = renumbered


def taken(atoms: Atoms, order: npt.ArrayLike) -> Atoms:
    """The atoms of a mask (N,), or those at the indices `order` (M,) in that order.

    Arrays, constraints, info and the lists of atom indices follow.
    """
    wanted = np.asarray(order)
    places = np.flatnonzero(wanted) if wanted.dtype == bool else wanted.astype(int).reshape(-1)
    chosen = atoms[places]
    follow(chosen, atoms, places)
    return chosen


def without(atoms: Atoms, indices: Iterable[int]) -> Atoms:
    """A copy without some atoms; arrays, constraints, info and the lists of atom indices follow."""
    keep = np.ones(len(atoms), dtype=bool)
    keep[[int(i) for i in indices]] = False
    return taken(atoms, keep)


def joined(first: Atoms, second: Atoms) -> Atoms:
    """The atoms of `first`, then those of `second`, in the cell of `first`.

    Arrays and info of both are kept, those of `second` where both have an entry; fixed atoms stay fixed and marked
    ones marked.
    """
    whole, rest = first.copy(), second.copy()
    fixed = _fixed(first) + [i + len(first) for i in _fixed(second)]
    for part in (whole, rest):
        part.set_constraint(None)
    whole.extend(rest)
    whole.info = {**first.info, **second.info}
    for key in INDEX_LISTS:
        if key in first.info or key in second.info:
            whole.info[key] = marks(first, key) + [i + len(first) for i in marks(second, key)]
    if fixed:
        whole.set_constraint(FixAtoms(indices=fixed))
    return whole


def _fixed(atoms: Atoms) -> list[int]:
    return [int(i) for c in atoms.constraints if isinstance(c, FixAtoms) for i in c.index]


# ----- lists that were written before atoms and lists moved together


def unsound(atoms: Atoms) -> list[str]:
    """Lists that cannot be right, each with the reason; empty when nothing speaks against them.

    A list names an atom that does not exist or an atom twice, an interstitial is no Li, or a dopant's element has atoms
    in the same part of the cell (the coating, where there is an array ``region``) that are not marked.
    """
    found = []
    region = atoms.arrays.get("region", np.ones(len(atoms), dtype=int))
    for key in INDEX_LISTS:
        indices = marks(atoms, key)
        if any(not 0 <= i < len(atoms) for i in indices):
            found.append(f"{key} names atoms that the cell does not have")
        elif len(set(indices)) < len(indices):
            found.append(f"{key} names an atom twice")
        elif key == "interstitial_indices" and any(atoms.numbers[i] != LITHIUM for i in indices):
            found.append(f"{key} names atoms that are no Li")
        elif key == "dopant_indices":
            elements = {int(atoms.numbers[i]) for i in indices}
            alike = {int(i) for i in np.flatnonzero(np.isin(atoms.numbers, list(elements)) & (region == 1))}
            if alike != set(indices):
                found.append(f"{key} does not name all atoms of its elements")
    return found


def marked_as(part: Atoms, whole: Atoms) -> Atoms:
    """`part` with the lists of `whole`, of which it is what was left when one atom was taken out.

    `part` itself where it is not clear which atom that was.
    """
    removed = lone_missing(whole, part)
    if removed is None:
        return part
    marked = part.copy()
    follow(marked, whole, np.delete(np.arange(len(whole)), removed))
    return marked


def lone_missing(whole: Atoms, part: Atoms) -> int | None:
    """Which atom of `whole` is missing in `part`, whose atoms keep their order and about their places; None if unclear.

    Where several would do by their elements, it is the one whose absence leaves the others nearest to their places.
    """
    if len(part) != len(whole) - 1:
        return None
    best: tuple[float, int] | None = None
    for index in range(len(whole)):
        if not np.array_equal(np.delete(whole.numbers, index), part.numbers):
            continue
        moved, _ = find_mic(np.delete(whole.positions, index, axis=0) - part.positions, whole.cell, whole.pbc)
        distance = float((moved**2).sum())
        if best is None or distance < best[0]:
            best = distance, index
    return None if best is None else best[1]


def without_lists(atoms: Atoms) -> Atoms:
    """A copy that says nothing about its atoms."""
    bare = atoms.copy()
    kept: dict[str, Any] = {key: value for key, value in atoms.info.items() if key not in INDEX_LISTS}
    bare.info = kept
    return bare
