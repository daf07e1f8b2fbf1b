"""k-point grids that keep the density of a reference cell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Grid = tuple[int, int, int]

SLACK = 1.05
"""How much wider than the reference's a spacing may be: a cell that relaxed a few per cent smaller keeps its grid."""

DEFAULT_SPACING = 0.7
"""1/A, with 2 pi: the paper's 2x2x1 for hexagonal LiNbO3."""


def reciprocal_lengths(cell: ArrayLike) -> NDArray[Any]:
    """(3,) lengths of the reciprocal vectors (1/A, with 2 pi) of a cell (3, 3) in A."""
    lengths: NDArray[Any] = 2 * np.pi * np.linalg.norm(np.linalg.inv(np.asarray(cell, dtype=float)), axis=0)
    return lengths


def spacing_of(grid: Sequence[int], cell: ArrayLike) -> float:
    """Widest spacing (1/A, with 2 pi) of a grid along the reciprocal vectors of a cell; axes with one division count
    only where all have one, since a single point says nothing about the density that was wanted."""
    spacings = reciprocal_lengths(cell) / np.asarray(grid)
    divided = [float(s) for s, n in zip(spacings, grid, strict=True) if n > 1]
    return max(divided or spacings.tolist())


def grid_by_spacing(cell: ArrayLike, spacing: float, *, slab: bool = False) -> Grid:
    """Gamma-centred divisions with about the given spacing, n = ceil(|b| / (1.05 spacing)); one across a vacuum.

    Parameters
    ----------
    cell
        (3, 3), A.
    spacing
        1/A, with 2 pi.
    slab
        The third axis holds a vacuum.
    """
    a, b, c = (max(1, math.ceil(length / (SLACK * spacing) - 1e-9)) for length in reciprocal_lengths(cell))
    return (a, b, 1 if slab else c)


def time_reversal_points(grid: Grid) -> int:
    """k-points of a Gamma-centred grid that are left when k and -k are one."""
    total = math.prod(grid)
    own_inverse = math.prod(2 if n % 2 == 0 else 1 for n in grid)
    return (total + own_inverse) // 2
