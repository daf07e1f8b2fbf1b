"""Find the map between two crystals that are the same: which cell vectors, which origin, which atom is which.

pymatgen's `StructureMatcher` answers the same question for any tolerance and takes tenths of a second for 64 atoms,
because it solves an assignment problem for cell after cell and origin after origin. Where displacements are far below
the distances between atoms, an origin is given by one atom and refuted by the next, which takes a few milliseconds. The
tests compare the two.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from screening.training_data.shapes import (
    MAX_ANGLE,
    MAX_DISPLACEMENT,
    MAX_STRAIN,
    Shape,
    StructureMatch,
    largest_displacement,
    strain_between,
    tolerance,
)

Array = NDArray[np.float64]

CHUNK = 1_000_000
"""Vectors that are compared at once, to bound the memory."""


def match_crystals(one: Shape, other: Shape) -> StructureMatch | None:
    """Best match of two structures with the same number of atoms of each element, periodic in three directions.

    Shapes: N atoms, M choices of cell vectors, T translations that are still possible.
    """
    cells, strains = cell_choices(one.cell_bytes, other.cell_bytes)
    if not len(cells):
        return None
    may_be = _counterparts(one, other, max(strains))
    if may_be is None:
        return None
    own_cell = reduced_cell(one.cell_bytes)
    own = one.atoms.positions @ np.linalg.inv(own_cell)
    theirs = np.array([other.atoms.positions @ np.linalg.inv(cell) for cell in cells])
    best: StructureMatch | None = None
    for choice, translation in zip(*_translations(own, theirs, own_cell, may_be), strict=True):
        moved = _displacement(own, theirs[choice] + translation, own_cell, may_be)
        if moved is not None and moved < MAX_DISPLACEMENT and (best is None or moved < best.displacement):
            best = StructureMatch(moved, strains[choice])
            if best.same_input:
                break
    return best


@lru_cache(maxsize=4096)
def cell_choices(one: bytes, other: bytes) -> tuple[list[Array], list[float]]:
    """Choices (M, 3, 3) of the second lattice's vectors with the lengths and angles of the first one's reduced cell.

    Parameters
    ----------
    one, other
        Bytes of cells (3, 3), so that frames of one cell are answered once.

    Returns
    -------
    The choices, in the orientation of the second cell, and the strain of each against the first.
    """
    from pymatgen.core import Lattice

    target = reduced_cell(one)
    mappings = Lattice(reduced_cell(other)).find_all_mappings(
        Lattice(target), ltol=MAX_STRAIN, atol=MAX_ANGLE, skip_rotation_matrix=True
    )
    cells = [np.array(aligned.matrix) for aligned, _, scale in mappings if abs(abs(np.linalg.det(scale)) - 1.0) < 0.5]
    return cells, [strain_between(target, cell) for cell in cells]


@lru_cache(maxsize=4096)
def reduced_cell(cell: bytes) -> Array:
    """Compact vectors (3, 3) of the same lattice, not rotated."""
    from pymatgen.core import Lattice

    return np.array(Lattice(np.frombuffer(cell).reshape(3, 3)).get_lll_reduced_lattice().matrix)


def _counterparts(one: Shape, other: Shape, strain: float) -> list[NDArray[np.intp]] | None:
    """Atoms of the other structure with the surroundings of each of this one's; None where an atom has none."""
    own, theirs = one.nearest, other.nearest
    allowed = tolerance(own, strain)
    found: list[NDArray[np.intp]] = [np.zeros(0, np.intp)] * len(own)
    for number in np.unique(one.atoms.numbers):
        mine, same = (np.flatnonzero(shape.atoms.numbers == number) for shape in (one, other))
        for i in mine:
            found[i] = same[(np.abs(theirs[same] - own[i]) <= allowed[i]).all(axis=1)]
            if not len(found[i]):
                return None
    return found


def _translations(
    own: Array, theirs: Array, cell: Array, may_be: list[NDArray[np.intp]]
) -> tuple[NDArray[np.intp], Array]:
    """Choices of cell vectors (T,) and translations (T, 3) that put each atom near a counterpart.

    A translation is given by the atom with the fewest counterparts; the next atoms leave few of them.

    Parameters
    ----------
    own, theirs
        Fractional positions (N, 3), and those for every choice of cell vectors (M, N, 3).
    """
    order = sorted(range(len(own)), key=lambda i: len(may_be[i]))
    given = own[order[0]] - theirs[:, may_be[order[0]]]
    choice = np.repeat(np.arange(len(theirs)), given.shape[1])
    translation = given.reshape(-1, 3)
    for i in order[1:]:
        near = np.empty(len(choice), dtype=bool)
        n_parts = 1 + len(choice) * len(may_be[i]) // CHUNK
        for part in np.array_split(np.arange(len(choice)), n_parts):
            there = theirs[choice[part][:, None], may_be[i]] + translation[part, None]
            distances = np.linalg.norm(_wrapped(own[i] - there) @ cell, axis=-1)
            # the atom that gave the translation may be displaced one way, this one the other way
            near[part] = distances.min(axis=1) < 2.0 * MAX_DISPLACEMENT
        choice, translation = choice[near], translation[near]
        if not len(choice):
            break
    return choice, translation


def _displacement(own: Array, theirs: Array, cell: Array, may_be: list[NDArray[np.intp]]) -> float | None:
    """Largest displacement when each atom belongs to its nearest counterpart; None where two share one."""
    shifts = [_wrapped(own[i] - theirs[candidates]) @ cell for i, candidates in enumerate(may_be)]
    nearest = [int(np.linalg.norm(shift, axis=1).argmin()) for shift in shifts]
    partners = {int(candidates[n]) for candidates, n in zip(may_be, nearest, strict=True)}
    if len(partners) < len(own):
        return None
    return largest_displacement(np.array([shift[n] for shift, n in zip(shifts, nearest, strict=True)]))


def _wrapped(fractions: Array) -> Array:
    return fractions - np.round(fractions)
