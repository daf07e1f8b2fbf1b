"""Relax all images of a band at once, as one optimiser group (Sheppard et al., J. Chem. Phys. 128, 134106 (2008),
10.1063/1.2841941): L-BFGS whose initial Hessian is the model Hessian of every image, FIRE where that stalls.

It costs one force call per image and round, and is used where that is needed: to bring a poor first guess near the
path, for bands without a climbing image, and for those in which no saddle was found otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Generator

import numpy as np
from numpy.typing import NDArray

from screening.engine.optimizers import Descent, Solve
from screening.engine.paths.bands import band_forces, has_valley
from screening.engine.paths.path import Ends, ReactionPath, Sample
from screening.engine.paths.saddle import Metric
from screening.engine.springs import model_solver

Array = NDArray[np.float64]

MAX_STEP = 0.15
"""A, longest displacement of an atom of any image in one step."""
CLIMB_BELOW = 0.5
"""eV/A. The highest image starts to climb when the band's largest force falls below this."""
CLIMB_AFTER = 25
"""Band evaluations after which it climbs in any case."""


def converge_band(
    ends: Ends, guess: Array, *, spring: float, climb: bool, fmax: float, max_rounds: int
) -> Generator[list[Array], list[Sample], ReactionPath]:
    """Relax a band until the largest NEB force on any atom of any image is at most `fmax`.

    Parameters
    ----------
    guess
        (M, N, 3) A, end points included.
    spring
        eV/A^2.
    max_rounds
        Evaluations of the band beyond the first.

    Returns
    -------
    ReactionPath
        Of the lowest residual (of those that climbed, once one has).
    """
    inner, climbing, n_rounds = guess[1:-1], False, 0
    descent = Descent(limits=np.full(inner.shape[0] * inner.shape[1], MAX_STEP))
    best: ReactionPath | None = None
    while True:
        samples = yield list(inner)
        n_rounds += 1
        path = [ends.initial, *samples, ends.final]
        positions, energies, forces = _stacked(path)
        residual = band_forces(positions, energies, forces, spring=spring, climb=climbing).forces
        rough = largest(residual) < max(CLIMB_BELOW, fmax) or n_rounds >= CLIMB_AFTER
        if climb and not climbing and rough:
            climbing, best = True, None
            descent = Descent(limits=descent.limits)
            residual = band_forces(positions, energies, forces, spring=spring, climb=True).forces
        converged = largest(residual) <= fmax and climbing == climb
        if best is None or largest(residual) < best.fmax:
            best = ReactionPath(
                samples=path,
                top=int(np.argmax(energies)),
                fmax=largest(residual),
                converged=converged,
                valley=has_valley(energies),
            )
        if converged or n_rounds > max_rounds:
            return best
        moved = descent.next(inner.reshape(-1, 3), None, residual.reshape(-1, 3), _solver(ends, inner.shape))
        inner = moved.reshape(inner.shape)


def approach(
    ends: Ends, samples: list[Sample], *, spring: float, poor: float, fair: float, max_rounds: int
) -> Generator[list[Array], list[Sample], list[Sample]]:
    """Bring a first guess near the path: relax it until no image would gain more than `fair` eV across the path.

    The gain is what a Newton step of the model Hessian promises. A guess in which no image would gain more than `poor`
    is left as it is.

    Returns
    -------
    list of Sample
        The intermediate images as last evaluated.
    """
    descent = Descent(limits=np.full(len(samples) * len(ends.free), MAX_STEP))
    for n in range(max_rounds):
        path = [ends.initial, *samples, ends.final]
        positions, energies, forces = _stacked(path)
        band = band_forces(positions, energies, forces, spring=spring, climb=False)
        left = [
            Metric.at(ends, sample.positions).descent(sample.forces, tangent)[1]
            for sample, tangent in zip(samples, band.tangents, strict=True)
        ]
        if max(left) <= (fair if n else poor):
            break
        inner = positions[1:-1]
        moved = descent.next(
            inner.reshape(-1, 3), None, band.forces.reshape(-1, 3), _solver(ends, inner.shape)
        ).reshape(inner.shape)
        samples = yield list(moved)
    return samples


def _stacked(path: list[Sample]) -> tuple[Array, Array, Array]:
    """Positions (M, N, 3) and energies (M,) of a band, and the forces (M - 2, N, 3) on its intermediate images."""
    forces = np.array([sample.forces for sample in path[1:-1]])
    return np.array([sample.positions for sample in path]), np.array([sample.energy for sample in path]), forces


def largest(forces: Array) -> float:
    """Largest norm of a force on one atom of one image, eV/A."""
    return float(np.linalg.norm(forces, axis=-1).max(initial=0.0))


def _solver(ends: Ends, shape: tuple[int, ...]) -> Callable[[Array], Solve]:
    def at(x: Array) -> Solve:
        solvers = [model_solver(ends.placed(positions), ends.free, None) for positions in x.reshape(shape)]

        def solve(vector: Array) -> Array:
            parts = vector.reshape(len(solvers), -1, 3)
            return np.concatenate([one(part) for one, part in zip(solvers, parts, strict=True)])

        return solve

    return at
