"""Whether two end points make a band."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from screening.engine.tasks import NebTask

Array = NDArray[np.float64]

SAME = 0.1
"""A. End points in which no atom moves farther are one structure."""
FAR = 1.5
"""A. A longer displacement is a hop."""
MAX_HOPPING = 0.2
"""Largest share of hopping atoms; more means that the atoms are numbered differently."""


def check_end_points(task: NebTask, displacement: Array, frozen: NDArray[np.bool_]) -> None:
    """Refuse end points that do not make a band.

    Parameters
    ----------
    displacement
        From the initial to the final structure along the minimum image, drift removed, (N, 3) A.
    frozen
        Atoms held in either end point, (N,).

    Raises
    ------
    ValueError
        With the reason in words.
    """
    initial = task.initial
    if task.n_images < 1:
        raise ValueError("a band needs at least one intermediate image")
    if not np.isfinite([task.initial_energy, task.final_energy]).all():
        raise ValueError("the energy of an end point is not a finite number; relax the end points first")
    lengths = np.linalg.norm(displacement, axis=1)
    if lengths[frozen].max(initial=0.0) > SAME:
        raise ValueError("a frozen atom differs between the end points; freeze the same atoms at the same places")
    if lengths.max(initial=0.0) < SAME:
        raise ValueError(
            "the end points are the same structure: no atom moves by 0.1 A; check the hop or the relaxation"
        )
    n_far = int((lengths > FAR).sum())
    if n_far >= 2 and _same_up_to_order(initial.numbers, initial.positions, displacement, initial.cell.array):
        raise ValueError("the end points are the same structure with its atoms in another order")
    if n_far > max(4, MAX_HOPPING * len(initial)):
        raise ValueError(f"{n_far} atoms move by more than {FAR} A: the end points' atoms are in a different order")


def check_compatible(task: NebTask) -> None:
    """Refuse end points with different atoms, cells or periodicity (before any displacement can be computed).

    Raises
    ------
    ValueError
        With the reason in words.
    """
    initial, final = task.initial, task.final
    if len(initial) != len(final) or not np.array_equal(initial.numbers, final.numbers):
        raise ValueError("the end points do not have the same elements in the same order")
    if not np.allclose(initial.cell.array, final.cell.array, atol=1e-3) or (initial.pbc != final.pbc).any():
        raise ValueError("the end points have different cells; relax both at one fixed cell")


def _same_up_to_order(numbers: NDArray[np.int_], positions: Array, displacement: Array, cell: Array) -> bool:
    """Whether every atom of the final structure lies where some atom of its element was at the start."""
    far = np.flatnonzero(np.linalg.norm(displacement, axis=1) > FAR)
    moved = positions[far] + displacement[far]
    difference = positions[far][None, :, :] - moved[:, None, :]
    if abs(np.linalg.det(cell)) > 1e-6:
        fractional = difference @ np.linalg.inv(cell)
        difference = (fractional - np.round(fractional)) @ cell
    distances = np.linalg.norm(difference, axis=2)
    distances[numbers[far][:, None] != numbers[far][None, :]] = 1e6
    rows, columns = linear_sum_assignment(distances)
    return bool(distances[rows, columns].max() < 0.5)
