"""Refuse a potential that does not know what LiNbO3 looks like.

A checkpoint that does not match its code can load without a word and give a lattice that is off by several per cent
(measured: a = 4.9 instead of 5.2 A). Relaxing ten atoms finds that out in seconds.
"""

from __future__ import annotations

import logging

import numpy as np
from ase import Atoms
from ase.filters import FrechetCellFilter
from ase.optimize import FIRE
from ase.spacegroup import crystal

from screening.errors import UserError
from screening.potentials.ase_calculator import as_ase_calculator
from screening.potentials.base import Potential

logger = logging.getLogger(__name__)

LATTICE_A = 5.148
LATTICE_C = 13.863
"""A; LiNbO3 (R3c) at 24 C, Abrahams et al., J. Phys. Chem. Solids 27, 997 (1966), doi:10.1016/0022-3697(66)90072-2."""
TOLERANCE = 0.03
MAX_STEPS = 150

# Moved away from equilibrium by more than the tolerance, so that a potential without forces cannot pass.
_START_STRAIN = (0.05, -0.04)

_passed: set[str] = set()


def lithium_niobate() -> Atoms:
    """The primitive cell of LiNbO3: 10 atoms, experimental lattice."""
    atoms = crystal(
        ["Li", "Nb", "O"],
        basis=[(0, 0, 0.279), (0, 0, 0), (0.048, 0.343, 0.0633)],
        spacegroup=161,
        cellpar=[LATTICE_A, LATTICE_A, LATTICE_C, 90, 90, 120],
        primitive_cell=True,
    )
    atoms.info.clear()  # ASE leaves its Spacegroup object there, which is neither needed nor storable
    return atoms


def hexagonal_lattice(cell: np.ndarray) -> tuple[float, float]:
    """a and c (A) of the hexagonal cell that belongs to a rhombohedral primitive `cell` (3, 3)."""
    edges = [cell[i] - cell[j] for i, j in ((0, 1), (1, 2), (2, 0))]
    return float(np.mean([np.linalg.norm(edge) for edge in edges])), float(np.linalg.norm(cell.sum(axis=0)))


def relaxed_lattice(potential: Potential, *, max_steps: int = MAX_STEPS) -> tuple[float, float]:
    """Relax the primitive cell of LiNbO3 with `potential` ; its hexagonal a and c (A), NaN when it explodes."""
    atoms = lithium_niobate()
    axis = atoms.cell[:].sum(axis=0)
    axis /= np.linalg.norm(axis)
    strain_a, strain_c = _START_STRAIN
    deformation = (1 + strain_a) * np.eye(3) + (strain_c - strain_a) * np.outer(axis, axis)
    atoms.set_cell(atoms.cell[:] @ deformation, scale_atoms=True)
    atoms.calc = as_ase_calculator(potential)
    optimizer = FIRE(FrechetCellFilter(atoms), logfile=None)
    for _ in optimizer.irun(fmax=0.02, steps=max_steps):
        a, c = hexagonal_lattice(atoms.cell[:])
        sane = np.isfinite(atoms.get_forces()).all() and 0.7 < a / LATTICE_A < 1.4 and 0.7 < c / LATTICE_C < 1.4
        if not sane:
            break
    return hexagonal_lattice(atoms.cell[:]) if np.isfinite(atoms.get_forces()).all() else (np.nan, np.nan)


def check_potential(potential: Potential) -> None:
    """Compare the relaxed lattice of LiNbO3 with experiment; the result is kept per checkpoint in this process.

    Raises
    ------
    UserError
        When a or c is off by more than 3 %, or the cell explodes.
    """
    if potential.checkpoint_sha256 in _passed:
        return
    a, c = relaxed_lattice(potential)
    logger.info("self-check of %s: LiNbO3 a = %.3f, c = %.3f A", potential.name, a, c)
    if not (abs(a / LATTICE_A - 1) <= TOLERANCE and abs(c / LATTICE_C - 1) <= TOLERANCE):
        raise UserError(
            f"potential {potential.name} fails its self-check: LiNbO3 relaxes to a = {a:.3f}, c = {c:.3f} A instead of "
            f"{LATTICE_A}, {LATTICE_C} A (within {TOLERANCE:.0%}); the checkpoint does not fit its code; use another"
        )
    _passed.add(potential.checkpoint_sha256)
