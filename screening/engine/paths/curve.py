"""A smooth curve through structures, by its length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from screening.engine.paths.profile import arc_lengths

Array = NDArray[np.float64]

FINE = 201
"""Points at which the curve is compared with a structure."""


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A cubic spline through M structures (N, 3); `arc` (M,) is where they lie, A."""

    arc: Array
    spline: CubicSpline

    @classmethod
    def through(cls, positions: Sequence[Array]) -> Curve:
        """The curve through `positions`, in order."""
        knots = np.array(positions)
        arc = arc_lengths(knots)
        return cls(arc=arc, spline=CubicSpline(arc, knots))

    @property
    def length(self) -> float:
        """A, over all atoms."""
        return float(self.arc[-1])

    def at(self, place: float) -> Array:
        """The structure at a place on the curve, (N, 3) A."""
        return np.asarray(self.spline(place))

    def tangent(self, place: float) -> Array:
        """Derivative by the length, (N, 3)."""
        return np.asarray(self.spline(place, 1))

    def tangents(self) -> Array:
        """Tangents at all knots, (M, N, 3)."""
        return np.asarray(self.spline(self.arc, 1))

    def nearest(self, positions: Array) -> float:
        """Where the curve comes closest to a structure (N, 3)."""
        fine = np.linspace(0, self.length, FINE)
        return float(fine[int(np.argmin(np.linalg.norm((self.spline(fine) - positions).reshape(FINE, -1), axis=1)))])
