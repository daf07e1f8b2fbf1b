"""The first guess of a band: images between two end points along the minimum image.

Image-dependent pair potential (Smidstrup et al., J. Chem. Phys. 140, 214106 (2014), 10.1063/1.4878664): each image is
moved until its interatomic distances are as close as possible to those interpolated between the end points, short
distances counting most (weight 1/d^4). The pairs and their lattice translations are listed once on the unwrapped
positions, so a hop across the cell boundary is the same as one inside the cell.
"""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.geometry import find_mic
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_array

from screening.engine.batch import MIN_DISTANCE
from screening.potentials.neighbors import neighbors, pairs

Array = NDArray[np.float64]

PAIR_CUTOFF = 6.0
"""A. The weight of a farther pair is below 1 % of that of a 2 A bond."""
SAFE_DISTANCE = 2 * MIN_DISTANCE
"""A. A guess with atoms closer than this is not handed to a potential if there is a better one."""


def unwrapped_displacement(initial: Atoms, final: Atoms, *, remove_drift: bool) -> Array:
    """Displacement of every atom from `initial` to the nearest image of `final`, (N, 3) A.

    A rigid translation of the whole crystal lengthens the path and means nothing: with `remove_drift` the mean
    displacement is taken out (twice, since the first guess may have picked another image). Rotations are not removed:
    the cell is the same for both end points.
    """
    difference = final.positions - initial.positions
    displacement = find_mic(difference, initial.cell, initial.pbc)[0]
    if remove_drift:
        # The median is the drift of the host lattice even when the migrating atoms move far.
        shift = np.median(displacement, axis=0)
        displacement = find_mic(difference - shift, initial.cell, initial.pbc)[0]
        displacement -= displacement.mean(axis=0)
    return np.asarray(displacement)


def interpolate(initial: Atoms, displacement: Array, n_images: int, free: NDArray[np.bool_]) -> tuple[Array, str]:
    """Positions of all images, (n_images + 2, N, 3) A, and how they were made (``"idpp"`` or ``"linear"``).

    IDPP falls back to the straight line when it brings two atoms closer than SAFE_DISTANCE and the line does not.
    """
    fractions = np.linspace(0.0, 1.0, n_images + 2)
    linear = initial.positions + fractions[:, None, None] * displacement
    pairs = _pairs(initial, linear)
    if pairs is None:
        return linear, "linear"
    curved = linear.copy()
    for image in range(1, n_images + 1):
        curved[image] = _relax_image(linear[image], fractions[image], linear[0], linear[-1], pairs, free)
    if shortest_distance(initial, curved) < min(SAFE_DISTANCE, shortest_distance(initial, linear)):
        return linear, "linear"
    return curved, "idpp"


def shortest_distance(atoms: Atoms, band: Array) -> float:
    """Shortest distance between two atoms in any image, A (PAIR_CUTOFF when there is none shorter)."""
    shortest = PAIR_CUTOFF
    image = atoms.copy()
    for positions in band:
        image.set_positions(positions, apply_constraint=False)
        shortest = min(shortest, float(pairs(image, 2.0)[3].min(initial=shortest)))
    return shortest


def _pairs(atoms: Atoms, linear: Array) -> tuple[NDArray[np.int_], NDArray[np.int_], Array] | None:
    """Every pair (i, j, translation) that is close in an end point or half-way, each once."""
    found = []
    image = atoms.copy()
    for positions in (linear[0], linear[len(linear) // 2], linear[-1]):
        image.set_positions(positions, apply_constraint=False)
        first, second, shifts = neighbors(image, PAIR_CUTOFF)
        found.append(np.column_stack([first, second, shifts]).astype(np.int64)[first < second])
    table = np.vstack(found)
    if not len(table):
        return None
    # One number per row: sorting rows takes a second for 120 atoms, sorting numbers a millisecond.
    low = table.min(axis=0)
    _, once = np.unique(np.ravel_multi_index((table - low).T, np.ptp(table, axis=0) + 1), return_index=True)
    table = table[once]
    return table[:, 0], table[:, 1], table[:, 2:] @ atoms.cell.array


def _relax_image(
    guess: Array,
    fraction: float,
    initial: Array,
    final: Array,
    pairs: tuple[NDArray[np.int_], NDArray[np.int_], Array],
    free: NDArray[np.bool_],
) -> Array:
    first, second, shifts = pairs
    columns = np.arange(len(first))
    onto_atoms = csr_array(
        (np.repeat([1.0, -1.0], len(first)), (np.concatenate([second, first]), np.tile(columns, 2))),
        shape=(len(guess), len(first)),
    )

    def lengths(positions: Array) -> tuple[Array, Array]:
        vectors = positions[second] - positions[first] + shifts
        return vectors, np.maximum(np.linalg.norm(vectors, axis=1), 1e-3)

    target = (1 - fraction) * lengths(initial)[1] + fraction * lengths(final)[1]

    def objective(flat: Array) -> tuple[float, Array]:
        positions = guess.copy()
        positions[free] = flat.reshape(-1, 3)
        vectors, distances = lengths(positions)
        error = target - distances
        weight = distances**-4.0
        # d/dd of (target - d)^2 / d^4
        slope = -2 * error * weight - 4 * error**2 * weight / distances
        pull = (slope / distances)[:, None] * vectors
        gradient = onto_atoms @ pull
        return float(np.sum(weight * error**2)), gradient[free].ravel()

    found = minimize(objective, guess[free].ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 200})
    relaxed = guess.copy()
    relaxed[free] = found.x.reshape(-1, 3)
    return relaxed
