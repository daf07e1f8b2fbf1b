"""A model Hessian that makes L-BFGS need fewer force calls.

A relaxation of a niobate is slow because its Nb-O bonds are stiff and its Li atoms lie in shallow wells: L-BFGS with a
single number as initial Hessian spends most of its steps learning that. Every pair of atoms closer than CUTOFF is
therefore given a spring whose stiffness falls exponentially with the distance in excess of the sum of the covalent
radii (a bond-valence law), which needs no parameter per element and holds for any dopant. The idea is Lindh's (Chem.
Phys. Lett. 241, 423 (1995), 10.1016/0009-2614(95)00646-L), its use as preconditioner Packwood's (J. Chem. Phys. 144,
164109 (2016), 10.1063/1.4947024). The Hessian only changes the path of a relaxation, never its end.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, cholesky, solve_triangular

from screening.potentials.neighbors import pairs

Array = NDArray[np.float64]
Solve = Callable[[Array], Array]

CUTOFF = 5.0
STIFFNESS = 3.0
"""eV/A^2 of a bond as long as the sum of the covalent radii."""
DECAY = 0.3
"""A over which the stiffness falls by e."""
TRANSVERSE = 0.2
"""Share of the stiffness that acts across the bond."""
FLOOR = 0.15
"""eV/A^2 added to every coordinate: the softest motion the model admits."""


def model_hessian(atoms: Atoms, scale: float | None) -> Array:
    """Model Hessian, (3 R, 3 R) eV/A^2, for R = N rows or N + 3 with the cell (see `coordinates`).

    Parameters
    ----------
    scale
        Length (A) that turns a strain into a coordinate; None for a fixed cell.
    """
    n = len(atoms)
    first, second, vectors, distances = pairs(atoms, CUTOFF)
    radii = covalent_radii[atoms.numbers]
    excess = distances - radii[first] - radii[second]
    stiffness = STIFFNESS * np.exp(-np.maximum(excess, -1.0) / DECAY)
    units = vectors / np.maximum(distances, 0.1)[:, None]
    blocks = (1 - TRANSVERSE) * units[:, :, None] * units[:, None, :] + TRANSVERSE * np.eye(3)
    blocks *= stiffness[:, None, None]

    rows = n if scale is None else n + 3
    hessian = np.zeros((rows, rows, 3, 3))
    np.add.at(hessian, (first, first), blocks)
    np.add.at(hessian, (first, second), -blocks)
    if scale is not None:
        # An atom moved by u and a strain U stretch a bond r by u_j - u_i + U r; row n + a of the cell holds U[a, :].
        coupling = np.zeros((n, 3, 3, 3))
        np.add.at(coupling, first, -blocks[:, :, :, None] * vectors[:, None, None, :] / scale)
        strain = np.einsum("pab,pc,pd->abcd", blocks, vectors, vectors) / (2 * scale**2)
        hessian[:n, n:] = coupling.transpose(0, 2, 1, 3)
        hessian[n:, :n] = coupling.transpose(2, 0, 3, 1)
        hessian[n:, n:] = strain
    return hessian.transpose(0, 2, 1, 3).reshape(3 * rows, 3 * rows) + FLOOR * np.eye(3 * rows)


def model_solver(atoms: Atoms, free_rows: NDArray[np.bool_], scale: float | None) -> Solve:
    """Function that applies the inverse of the model Hessian to forces of shape (R, 3); frozen rows stay zero."""
    free = np.repeat(free_rows, 3)
    factor = cho_factor(model_hessian(atoms, scale)[np.ix_(free, free)])

    def solve(vector: Array) -> Array:
        out = np.zeros(vector.size)
        out[free] = cho_solve(factor, vector.reshape(-1)[free])
        return out.reshape(vector.shape)

    return solve


def soft_displacement(atoms: Atoms, amplitude: float, rng: np.random.Generator, free: NDArray[np.bool_]) -> Array:
    """Random displacement that is large along the model's soft motions and small along its stiff ones.

    Drawn from the Gaussian of classical harmonic motion, whose covariance is proportional to the inverse Hessian (here
    the model's). Independent displacements of the same size break bonds long before they carry a soft atom away.

    Parameters
    ----------
    amplitude
        Root mean square of one component of the free atoms' displacements, over all draws, A.
    free
        Atoms that are displaced, (N,); the others are held while the covariance is taken.

    Returns
    -------
    Array
        (N, 3) A, zero where an atom is not free.
    """
    displacement = np.zeros((len(atoms), 3))
    if amplitude == 0 or not free.any():
        return displacement
    rows = np.repeat(free, 3)
    factor = cholesky(model_hessian(atoms, None)[np.ix_(rows, rows)], lower=True)
    inverse = solve_triangular(factor, np.eye(len(factor)), lower=True)
    draw = inverse.T @ rng.normal(size=len(factor))
    displacement[free] = amplitude / np.sqrt((inverse**2).sum() / len(factor)) * draw.reshape(-1, 3)
    return displacement
