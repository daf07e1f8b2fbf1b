"""Coordinates in which one system relaxes: its atoms alone, or its atoms and its cell together.

Full-cell relaxation uses the Frechet coordinates of ASE's `FrechetCellFilter`: the deformation gradient F (new cell =
old cell @ F.T) is written as F = exp(U), and the generalised positions are the atoms' positions in the *undeformed*
cell, x = r @ inv(F).T, followed by three rows `scale * U`. The derivative of the matrix exponential makes the
generalised force the exact gradient of the energy, which L-BFGS needs.

`scale` only sets how fast the cell moves relative to the atoms. ASE's default is the number of atoms, which makes the
cell the softest coordinate of a large system. Here it is V**(1/3) * N**(1/6), for which a strain and an atomic
displacement have about the same stiffness (Sheppard et al., J. Chem. Phys. 136, 074103 (2012), 10.1063/1.3684549).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.constraints import FixAtoms
from numpy.typing import NDArray
from scipy.linalg import expm, expm_frechet

from screening.potentials.base import Evaluation

Array = NDArray[np.float64]

STRESS_TO_FORCE = 50.0
"""A^2. A stress counts as the force |stress| * 50 A^2, so that fmax = 0.05 eV/A means 0.001 eV/A^3 (0.16 GPa), a strain
of about 0.1 % in an oxide. Stress times volume per atom (about 10 A^3) alone would stop at five times that."""


def frozen_mask(atoms: Atoms) -> NDArray[np.bool_]:
    """Which atoms are held by `FixAtoms`, shape (N,).

    Raises
    ------
    ValueError
        For any other constraint: it would be ignored silently.
    """
    mask = np.zeros(len(atoms), dtype=bool)
    for constraint in atoms.constraints:
        if not isinstance(constraint, FixAtoms):
            raise ValueError(f"the constraint {type(constraint).__name__} is not supported; use FixAtoms")
        mask[constraint.index] = True
    return mask


@dataclass(frozen=True, kw_only=True)
class Coordinates:
    """The map between one system's atoms and its generalised coordinates.

    N atoms, R = N rows (fixed cell) or N + 3 rows (full cell).

    Attributes
    ----------
    cell
        Cell at which U = 0, (3, 3), A.
    free
        Atoms that may move, (N,). In a full cell a frozen atom keeps its fractional coordinates.
    scale
        Length (A) that turns the logarithmic strain into a coordinate; None when the cell is fixed.
    """

    cell: Array
    free: NDArray[np.bool_]
    scale: float | None

    @classmethod
    def of(cls, atoms: Atoms, *, full_cell: bool) -> Coordinates:
        """Coordinates that start at `atoms`."""
        scale = float(atoms.get_volume() ** (1 / 3) * len(atoms) ** (1 / 6)) if full_cell else None
        return cls(cell=np.array(atoms.cell.array), free=~frozen_mask(atoms), scale=scale)

    @property
    def free_rows(self) -> NDArray[np.bool_]:
        """Rows that may move, (R,)."""
        return self.free if self.scale is None else np.append(self.free, [True] * 3)

    def start(self, atoms: Atoms) -> Array:
        """Generalised positions of the start geometry, (R, 3) A."""
        return atoms.positions.copy() if self.scale is None else np.vstack([atoms.positions, np.zeros((3, 3))])

    def deformation(self, x: Array) -> Array:
        """Deformation gradient F at `x`, (3, 3)."""
        return np.eye(3) if self.scale is None else np.asarray(expm(x[-3:] / self.scale))

    def place(self, atoms: Atoms, x: Array) -> None:
        """Move `atoms` to the generalised positions `x`, in place; constraints are not consulted."""
        if self.scale is None:
            atoms.set_positions(x, apply_constraint=False)
            return
        gradient = self.deformation(x)
        atoms.set_cell(self.cell @ gradient.T, scale_atoms=False)
        atoms.set_positions(x[:-3] @ gradient.T, apply_constraint=False)

    def forces(self, x: Array, evaluation: Evaluation) -> Array:
        """Generalised forces, -dE/dx, (R, 3) eV/A; zero on frozen atoms."""
        forces = np.where(self.free[:, None], evaluation.forces, 0.0)
        if self.scale is None:
            return forces
        if evaluation.stress is None:
            raise ValueError("a full-cell relaxation needs the stress")
        gradient = self.deformation(x)
        volume = abs(np.linalg.det(self.cell @ gradient.T))
        # dE/dF = V stress F^-T; its pull-back through exp() is the adjoint Frechet derivative, L(U^T, dE/dF).
        first = volume * evaluation.stress @ np.linalg.inv(gradient).T
        cell_gradient = expm_frechet((x[-3:] / self.scale).T, first, compute_expm=False)
        return np.vstack([forces @ gradient, -cell_gradient / self.scale])

    def fmax(self, atoms: Atoms, evaluation: Evaluation) -> float:
        """Largest residual, eV/A: the norm of the force on any free atom and, for a full cell, the largest stress
        component times STRESS_TO_FORCE (or times the volume per atom where that is larger)."""
        norms = np.linalg.norm(evaluation.forces[self.free], axis=1)
        largest = float(norms.max(initial=0.0))
        if self.scale is None or evaluation.stress is None:
            return largest
        weight = max(STRESS_TO_FORCE, atoms.get_volume() / len(atoms))
        return max(largest, weight * float(np.abs(evaluation.stress).max()))
