"""Whether two structures are the same up to the noise of rerunning a calculation."""

from __future__ import annotations

import numpy as np
from ase import Atoms

from screening.training_data.shapes import (
    MAX_DISPLACEMENT,
    MAX_STRAIN,
    Shape,
    StructureMatch,
    largest_displacement,
    strain_between,
    tolerance,
)

LARGEST_STRAIN = 0.004  # of any length, where cell lengths and angles differ by no more than that


def compare(one: Shape, other: Shape) -> StructureMatch | None:
    """How far two structures are apart that are the same, or None.

    The same means that some rotation or reflection, translation, order of atoms and choice of cell vectors puts no
    atom further than `MAX_DISPLACEMENT` from its counterpart, with cell lengths within `MAX_STRAIN`. The order that
    both have is tried first.
    """
    if one.key != other.key:
        return None
    if one.atoms.pbc.all() and abs(one.volume - other.volume) > 3.0 * MAX_STRAIN * other.volume:
        return None
    if (np.abs(one.fingerprint - other.fingerprint) > tolerance(one.fingerprint, strain_allowed(one, other))).any():
        return None
    found = _compare_in_order(one.atoms, other.atoms)
    if found is None and one.atoms.pbc.all():
        from screening.training_data.structure_match import match_crystals

        found = match_crystals(one, other)
    return found


def strain_allowed(one: Shape, other: Shape) -> float:
    """Strain that may lie between two structures that are the same: next to none where their cells are equal.

    A cell may be mapped to itself in ways that nearly are symmetries, which is why it is not zero then.
    """
    if one.cell_bytes != other.cell_bytes:
        return LARGEST_STRAIN
    if not one.atoms.pbc.all():
        return 0.0
    from screening.training_data.structure_match import cell_choices

    return max(cell_choices(one.cell_bytes, one.cell_bytes)[1], default=0.0)


def _compare_in_order(one: Atoms, other: Atoms) -> StructureMatch | None:
    if (one.numbers != other.numbers).any() or not np.allclose(one.cell, other.cell, rtol=MAX_STRAIN, atol=1e-3):
        return None
    shifts = other.positions - one.positions
    strain = 0.0
    if one.pbc.any():
        cells = one.cell.complete().array, other.cell.complete().array
        fractions = other.positions @ np.linalg.inv(cells[1]) - one.positions @ np.linalg.inv(cells[0])
        # a shift this small has small fractions, in however skewed a cell
        fractions[:, one.pbc] -= np.round(fractions[:, one.pbc])
        shifts, strain = fractions @ cells[0], strain_between(*cells)
    moved = largest_displacement(shifts)
    return StructureMatch(moved, strain) if moved < MAX_DISPLACEMENT else None
