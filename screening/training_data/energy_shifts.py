"""Zero points: one energy per element between a DFT program's energies and a potential's.

Programs and pseudopotentials differ by a constant per atom of each element, eV in size, that no reaction energy
contains. It is fitted before anything is learnt, by least squares of E_DFT - E_potential over the numbers of atoms, per
atom so that large cells do not dominate. Where compositions do not tell the elements apart the solution of smallest
norm is taken: charge-balanced oxides alone never do (the numbers of atoms obey one equation), so single shifts mean
nothing there, their sums over a balanced formula do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

TOLERANCE = 1e-6
"""Relative size below which a singular value counts as zero, and a composition as one that the data determine."""


@dataclass(frozen=True, kw_only=True)
class EnergyShifts:
    """Energy per atom of each element (eV) that a potential lacks on the scale of the data.

    Attributes
    ----------
    undetermined
        Combinations of elements whose shifts the compositions leave open.
    rms_residual
        eV/atom that a constant per element does not explain.
    span
        (R, E) orthonormal directions of composition that the data determine.
    """

    per_element: dict[str, float]
    undetermined: int
    rms_residual: float
    span: NDArray[np.float64]

    def of(self, atoms: Atoms) -> float:
        """Sum over the atoms, eV; an element that was not fitted counts nothing."""
        return sum(self.per_element.get(symbol, 0.0) for symbol in atoms.get_chemical_symbols())

    def determine(self, atoms: Atoms) -> bool:
        """Whether the data say what the sum over this composition is."""
        symbols = sorted(self.per_element)
        counts = Counter(atoms.get_chemical_symbols())
        if not set(counts) <= set(symbols):
            return False
        vector = np.array([counts[s] for s in symbols], dtype=float)
        outside = vector - self.span.T @ (self.span @ vector)
        return bool(np.linalg.norm(outside) <= np.sqrt(TOLERANCE) * np.linalg.norm(vector))

    def to_card(self) -> dict[str, object]:
        return {
            "unit": "eV/atom of the element",
            "method": "least squares of E_DFT - E_base per atom over element counts, smallest norm",
            "values": {symbol: round(value, 6) for symbol, value in self.per_element.items()},
            "combinations_not_determined_by_the_data": self.undetermined,
            "rms_residual_meV_per_atom": round(1000 * self.rms_residual, 3),
        }


def fit_shifts(structures: Sequence[Atoms], differences: Sequence[float]) -> EnergyShifts:
    """Fit one shift per element.

    Parameters
    ----------
    structures
        At least one.
    differences
        E_DFT - E_potential of each, eV of the whole cell.
    """
    symbols = sorted({s for atoms in structures for s in atoms.get_chemical_symbols()})
    counts = [Counter(atoms.get_chemical_symbols()) for atoms in structures]
    n_atoms = np.array([len(atoms) for atoms in structures], dtype=float)
    matrix = np.array([[c[s] for s in symbols] for c in counts], dtype=float) / n_atoms[:, None]
    target = np.asarray(differences, dtype=float) / n_atoms
    _, sizes, directions = np.linalg.svd(matrix, full_matrices=False)
    rank = int((sizes > TOLERANCE * sizes[0]).sum())
    solution, *_ = np.linalg.lstsq(matrix, target, rcond=TOLERANCE)
    residual = target - matrix @ solution
    return EnergyShifts(
        per_element={s: float(v) for s, v in zip(symbols, solution, strict=True)},
        undetermined=len(symbols) - rank,
        rms_residual=float(np.sqrt(np.mean(residual**2))),
        span=directions[:rank],
    )
