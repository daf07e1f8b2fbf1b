"""The energy along a path between its images: a piecewise cubic through their energies and slopes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicHermiteSpline

Array = NDArray[np.float64]

SAMPLES = 50
"""Points per interval at which the cubic is looked at."""


@dataclass(frozen=True, kw_only=True)
class Peak:
    """A local maximum of the profile: where (A along the path) and how high (eV)."""

    at: float
    energy: float


def arc_lengths(positions: Array) -> Array:
    """Length of the path up to each of its images, (M,) A, for `positions` (M, N, 3)."""
    steps = np.linalg.norm(np.diff(positions, axis=0).reshape(len(positions) - 1, -1), axis=1)
    return np.concatenate([[0.0], np.cumsum(steps)])


def peaks(arc: Array, energies: Array, slopes: Array) -> list[Peak]:
    """Interior maxima of the profile, highest first.

    Parameters
    ----------
    arc, energies, slopes
        (M,) place (A), energy (eV) and its derivative along the path (eV/A) of every image.
    """
    curve = CubicHermiteSpline(arc, energies, slopes)
    fine = np.unique(np.concatenate([np.linspace(a, b, SAMPLES) for a, b in pairwise(arc)]))
    heights = curve(fine)
    inner = np.flatnonzero((heights[1:-1] >= heights[:-2]) & (heights[1:-1] > heights[2:])) + 1
    found = [Peak(at=float(fine[i]), energy=float(heights[i])) for i in inner]
    return sorted(found, key=lambda peak: -peak.energy)
