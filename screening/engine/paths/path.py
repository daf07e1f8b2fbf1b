"""What a band is made of while it is looked for: evaluated structures, its ends, and the path that comes out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """One evaluated structure: positions (N, 3) A, energy (eV) and forces (N, 3) eV/A, zero on frozen atoms."""

    positions: Array
    energy: float
    forces: Array

    @property
    def fmax(self) -> float:
        """Largest force on one atom, eV/A."""
        return float(np.linalg.norm(self.forces, axis=1).max(initial=0.0))


@dataclass(frozen=True, kw_only=True)
class Ends:
    """Both end points as samples (their forces count as zero), the atoms they are made of, and which may move (N,)."""

    atoms: Atoms
    free: NDArray[np.bool_]
    initial: Sample
    final: Sample

    def placed(self, positions: Array | None = None) -> Atoms:
        """A copy of the atoms at `positions`, by default those of the initial end point."""
        copy = self.atoms.copy()
        copy.set_positions(self.initial.positions if positions is None else positions, apply_constraint=False)
        return copy


@dataclass(frozen=True, kw_only=True)
class ReactionPath:
    """A band: M images with both end points.

    Attributes
    ----------
    samples
        (M,) evaluated structures in order.
    top
        Which of them is the saddle, or the highest image.
    fmax
        Largest residual on one atom, eV/A: the true force at the saddle, or the NEB force of a band that was relaxed
        as a whole.
    valley
        Whether the path runs through another minimum, by all points evaluated on it.
    """

    samples: list[Sample]
    top: int
    fmax: float
    converged: bool
    valley: bool

    @property
    def positions(self) -> Array:
        """(M, N, 3) A."""
        return np.array([sample.positions for sample in self.samples])

    @property
    def energies(self) -> Array:
        """(M,) eV."""
        return np.array([sample.energy for sample in self.samples])
