"""Walk one image up to the saddle: a quasi-Newton search along the mode that the path suggests.

One force call per step instead of one per image and step. The search starts where the energy along the path is
highest, with the path's tangent as the way up and the model Hessian (`springs`) as the first guess of everything else;
each force call teaches the quadratic model (`quadratic`). Convergence is judged on the true forces.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from screening.engine.paths.path import Ends, Sample
from screening.engine.paths.quadratic import QuadraticModel
from screening.engine.springs import model_hessian

Array = NDArray[np.float64]

FIRST_STEP = 0.15
"""A, longest displacement of an atom in the first step; adapted between the next two."""
SHORTEST_STEP = 0.03
LONGEST_STEP = 0.25
FIRST_CURVATURE = -0.5
"""Curvature along the path, in units of the model Hessian's, before anything has been learned."""
MAX_CALLS = 60
"""Force calls after which a search is given up; the slowest climb of the benchmark needs less than half of it."""


@dataclass(frozen=True, kw_only=True)
class Saddle:
    """Where a search ended, and the way down from there, (N, 3) with its longest row 1 A, sign as the path's tangent.

    `converged` is False when the search ran out of force calls.
    """

    sample: Sample
    mode: Array
    converged: bool = True


SaddleSearch = Generator[list[Array], list[Sample], Saddle | None]
"""Yields positions to evaluate and receives the samples; returns where it ended, None when that is no saddle."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """Preconditioned coordinates u = L^T x of the F free atoms, for the model Hessian L L^T at one structure."""

    free: NDArray[np.bool_]
    factor: Array

    @classmethod
    def at(cls, ends: Ends, positions: Array) -> Metric:
        """The metric of the band's atoms at `positions`."""
        rows = np.repeat(ends.free, 3)
        hessian = model_hessian(ends.placed(positions), None)[np.ix_(rows, rows)]
        return cls(free=ends.free, factor=np.asarray(np.linalg.cholesky(hessian), dtype=float))

    def of_step(self, step: Array) -> Array:
        """A displacement (N, 3) A as u, (3 F,)."""
        return np.asarray(self.factor.T @ step[self.free].ravel())

    def of_gradient(self, gradient: Array) -> Array:
        """A gradient (N, 3) eV/A as dE/du, (3 F,)."""
        return np.asarray(solve_triangular(self.factor, gradient[self.free].ravel(), lower=True))

    def to_step(self, u: Array) -> Array:
        """Inverse of `of_step`."""
        step = np.zeros((len(self.free), 3))
        step[self.free] = solve_triangular(self.factor, u, lower=True, trans="T").reshape(-1, 3)
        return step

    def descent(self, forces: Array, tangent: Array) -> tuple[Array, float]:
        """Newton step of the model Hessian across the path, (N, 3) A, and the energy it should gain (eV).

        Parameters
        ----------
        tangent
            (N, 3), any length.
        """
        along = self.of_step(tangent)
        along /= max(float(np.linalg.norm(along)), 1e-12)
        push = self.of_gradient(forces)
        push -= float(push @ along) * along
        return self.to_step(push), 0.5 * float(push @ push)


def saddle_search(
    start: Sample,
    tangent: Array,
    metric: Metric,
    known: Sequence[Sample],
    *,
    fmax: float,
    floor: float = -np.inf,
    max_calls: int = MAX_CALLS,
) -> SaddleSearch:
    """Converge `start` to the saddle.

    Parameters
    ----------
    tangent
        Of the path at the start, (N, 3), any length.
    known
        Samples before and behind the start on the path: they tell the curvature along it.
    fmax
        Converged when no true force on a free atom is larger, eV/A.
    floor
        eV. A search that falls below is on its way into a minimum and is given up.
    """
    along = metric.of_step(tangent)
    along /= float(np.linalg.norm(along))
    model = QuadraticModel.sphere(len(along))
    model.set_curvature(along, FIRST_CURVATURE)
    for sample in known:
        step = metric.of_step(sample.positions - start.positions)
        model.learn(step, metric.of_gradient(start.forces - sample.forces))
    here, gradient = start, metric.of_gradient(-start.forces)
    longest, n_calls = FIRST_STEP, 0
    while here.fmax > fmax or model.n_negative() == 0:
        if n_calls >= max_calls or here.energy < floor:
            break
        step = metric.to_step(model.saddle_step(gradient, along))
        size = float(np.linalg.norm(step, axis=1).max())
        step *= min(1.0, longest / max(size, 1e-12))
        (there,) = yield [here.positions + step]
        n_calls += 1
        after = metric.of_gradient(-there.forces)
        model.learn(metric.of_step(step), after - gradient)
        ratio = float(np.linalg.norm(after)) / max(float(np.linalg.norm(gradient)), 1e-12)
        if ratio > 1.3:
            longest = max(SHORTEST_STEP, 0.6 * longest)
        elif ratio < 0.8:
            longest = min(LONGEST_STEP, 1.3 * longest)
        here, gradient = there, after
    if here.energy < floor:
        return None
    mode = metric.to_step(model.way_up(along))
    mode *= np.sign(float(np.vdot(metric.of_step(mode), along))) / float(np.linalg.norm(mode, axis=1).max())
    return Saddle(sample=here, mode=mode, converged=here.fmax <= fmax and model.n_negative() > 0)
