"""Pairs of atoms within a cutoff, fast enough to be built anew for every force call.

pymatgen's cell list is compiled and takes 0.3 to 0.6 ms for the pairs of 120 to 136 atoms within 5 or 6 A, where ASE's
takes 16 to 30 ms (docs/benchmarks.md).
"""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list
from numpy.typing import NDArray

_TOLERANCE = 1e-8

Index = NDArray[np.int64]
Array = NDArray[np.float64]


def neighbors(atoms: Atoms, cutoff: float) -> tuple[Index, Index, Array]:
    """Every directed pair of atoms closer than `cutoff` (A): i, j and the lattice translation of j, each (P,).

    An atom is no neighbour of itself, but its images are. Two atoms at one place are a pair.

    Returns
    -------
    tuple
        i, j (P,), and the translation as whole numbers of cell vectors, (P, 3): the vector from i to j is
        ``r_j - r_i + translation @ cell``.
    """
    cell = np.ascontiguousarray(atoms.cell.array, dtype=float)
    if abs(np.linalg.det(cell)) < 1e-6:
        first, second, shifts = neighbor_list("ijS", atoms, cutoff)  # molecules without a cell
        return first, second, np.asarray(shifts, dtype=float)
    from pymatgen.optimization.neighbors import find_points_in_spheres

    positions = np.ascontiguousarray(atoms.positions, dtype=float)
    i, j, images, _ = find_points_in_spheres(
        all_coords=positions,
        center_coords=positions,
        r=cutoff,
        pbc=np.ascontiguousarray(atoms.pbc, dtype=np.int64),
        lattice=cell,
        tol=_TOLERANCE,
    )
    itself = (i == j) & ~images.any(axis=1)
    if itself.any():
        i, j, images = i[~itself], j[~itself], images[~itself]
    return i, j, images


def pairs(atoms: Atoms, cutoff: float) -> tuple[Index, Index, Array, Array]:
    """Directed pairs as ASE's ``neighbor_list("ijDd", atoms, cutoff)``, in no particular order.

    Returns
    -------
    tuple
        i, j (P,), vectors from i to j (P, 3) and their lengths (P,), A.
    """
    i, j, images = neighbors(atoms, cutoff)
    vectors = atoms.positions[j] - atoms.positions[i] + images @ atoms.cell.array
    return i, j, vectors, np.linalg.norm(vectors, axis=1)
