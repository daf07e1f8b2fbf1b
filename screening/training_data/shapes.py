"""Structures with what tells them apart quickly, and how far apart two are that count as the same."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from screening.potentials.neighbors import pairs

# Reruns of one relaxation differ by thousandths of an Angstrom; the smallest rattles worth learning from by more.
MAX_DISPLACEMENT = 0.01  # A


MAX_STRAIN = 0.001


MAX_ANGLE = 0.1  # degrees between cell vectors


# Two calculations that started from one input: what files round away, far below any finite difference (0.01 A).
SAME_INPUT = 0.0005  # A


SAME_INPUT_STRAIN = 1e-4


N_NEAREST = 32
"""Distances to nearest atoms that are compared; enough to tell rattles of 0.02 A apart without matching atoms."""


_ROUNDING = 1e-5  # A, of single precision


class StructureMatch(NamedTuple):
    """How far apart two structures are that count as the same."""

    displacement: float
    """Largest displacement of an atom, A, without the common one."""
    strain: float
    """Largest relative change of a length."""

    @property
    def same_input(self) -> bool:
        """Whether the difference is no more than what files round away."""
        return self.displacement <= SAME_INPUT and self.strain <= SAME_INPUT_STRAIN


@dataclass(frozen=True)
class Shape:
    """A structure with what tells most others apart quickly (N atoms, K nearest distances)."""

    atoms: Atoms

    @cached_property
    def key(self) -> tuple[int, ...]:
        """Number of atoms of each element, by atomic number, and the periodic directions."""
        return (*np.bincount(self.atoms.numbers, minlength=1).tolist(), *map(int, self.atoms.pbc))

    @cached_property
    def cell_bytes(self) -> bytes:
        """The cell as something to look up by."""
        return self.atoms.cell.array.tobytes()

    @cached_property
    def volume(self) -> float:
        """A^3; zero without a cell."""
        return abs(float(np.linalg.det(self.atoms.cell.array)))

    @cached_property
    def nearest(self) -> NDArray[np.float32]:
        """Distances (N, K) from each atom to its nearest ones in ascending order, A; images of atoms count.

        Where atoms move by at most d, each of these numbers changes by at most 2 d: the k-th smallest of some numbers
        changes no more than the numbers do.
        """
        return _nearest(self.atoms)

    @cached_property
    def fingerprint(self) -> NDArray[np.float32]:
        """`nearest`, every column sorted within each element (N * K,): whatever the order of atoms, origin and cell.

        It changes by no more than `nearest` does.
        """
        # not kept: thousands of structures have a fingerprint, few are matched atom by atom
        numbers, nearest = self.atoms.numbers, _nearest(self.atoms)
        blocks = [np.sort(nearest[numbers == number], axis=0).ravel() for number in np.unique(numbers)]
        return np.concatenate([np.zeros(0, np.float32), *blocks])


def tolerance(
    distances: NDArray[np.float32], strain: float, displacement: float = MAX_DISPLACEMENT
) -> NDArray[np.float32]:
    """How much distances between atoms may differ between structures that are the same up to a strain."""
    return (2.0 * displacement + _ROUNDING + strain * distances).astype(np.float32)


def largest_displacement(shifts: NDArray[np.float64]) -> float:
    """Largest of displacements (N, 3) without the common one, A."""
    return float(np.linalg.norm(shifts - shifts.mean(axis=0), axis=1).max(initial=0.0))


def strain_between(cell: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Largest relative change of a length from one cell (3, 3) to another one with corresponding vectors."""
    return float(np.abs(np.linalg.svd(np.linalg.solve(cell, other), compute_uv=False) - 1.0).max())


def _nearest(atoms: Atoms) -> NDArray[np.float32]:
    if atoms.pbc.all() and atoms.cell.rank == 3:
        return _nearest_in_crystal(atoms)
    distances = atoms.get_all_distances(mic=bool(atoms.pbc.any()))
    np.fill_diagonal(distances, np.inf)
    return np.sort(distances, axis=1)[:, : min(N_NEAREST, len(atoms) - 1)].astype(np.float32)


def _nearest_in_crystal(atoms: Atoms) -> NDArray[np.float32]:
    """Distances (N, K) to the nearest atoms of a crystal, from a neighbour list that is wide enough for every atom."""
    n_atoms = len(atoms)
    radius = 1.2 * (3.0 * N_NEAREST * atoms.get_volume() / (4.0 * np.pi * n_atoms)) ** (1 / 3)
    while True:
        centres, _, _, distances = pairs(atoms, radius)
        counts = np.bincount(centres, minlength=n_atoms)
        if counts.min() >= N_NEAREST:
            break
        radius *= 1.3
    order = np.lexsort((distances, centres))
    first = np.cumsum(counts) - counts
    return distances[order][first[:, None] + np.arange(N_NEAREST)].astype(np.float32)
