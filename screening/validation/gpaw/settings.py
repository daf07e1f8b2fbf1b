"""Settings of GPAW calculations."""

from __future__ import annotations

from typing import Literal

import numpy as np
from ase import Atoms
from pydantic import BaseModel, ConfigDict, Field

from screening.training_data.calculation import Method
from screening.validation.kpoints import reciprocal_lengths


class GpawSettings(BaseModel):
    """See configs/gpaw/*.yaml; `why` gives the reason of every choice.

    Attributes
    ----------
    functional
        As GPAW names it, in lower case.
    basis
        ``"pw"`` or ``"lcao:dzp"``.
    cutoff
        Plane-wave cutoff, eV; None with LCAO.
    grid_spacing
        Spacing of the real-space grid, A; None with plane waves.
    kpoint_spacing
        Largest distance between k-points along each reciprocal axis, 1/A (2 pi included).
    density_convergence
        Electrons per valence electron.
    smearing
        Width of the Fermi-Dirac distribution, eV.
    hubbard
        U on d states by element, eV (Dudarev).
    forces
        Whether forces are computed; without, nothing can be relaxed.
    moments
        Initial magnetic moments by element, Bohr magnetons; a cell without a nonzero one is computed without spin.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    name: str
    engine: Literal["gpaw"]
    functional: str = "pbe"
    basis: Literal["pw", "lcao:dzp"] = "pw"
    cutoff: float | None = Field(default=None, gt=0)
    grid_spacing: float | None = Field(default=None, gt=0)
    kpoint_spacing: float = Field(gt=0)
    density_convergence: float = Field(default=1e-4, gt=0)
    smearing: float = Field(default=0.0, ge=0)
    max_iterations: int = Field(default=120, gt=0)
    forces: bool = True
    hubbard: dict[str, float] = {}
    moments: dict[str, float] = {}
    fmax: float = Field(default=0.04, gt=0)
    max_steps: int = Field(default=100, gt=0)
    why: dict[str, str] = {}

    def grid(self, atoms: Atoms, *, slab: bool = False, static: bool = False) -> tuple[int, int, int]:
        """Divisions of the Gamma-centred grid; 1 along an axis that is not periodic, and along the normal of a slab."""
        lengths = reciprocal_lengths(atoms.cell.array)
        counts = [
            max(1, int(np.ceil(length / self.kpoint_spacing - 1e-6))) if periodic else 1
            for length, periodic in zip(lengths, atoms.pbc, strict=True)
        ]
        return counts[0], counts[1], 1 if slab else counts[2]

    def initial_moments(self, atoms: Atoms) -> list[float] | None:
        """(N,) moments, or None when the cell is computed without spin."""
        moments = [self.moments.get(symbol, 0.0) for symbol in atoms.get_chemical_symbols()]
        return moments if any(moments) else None

    def expected(self, atoms: Atoms) -> Method:
        elements = set(atoms.get_chemical_symbols())
        return Method(
            engine="gpaw",
            functional=self.functional,
            hubbard={s: u for s, u in self.hubbard.items() if s in elements},
            basis=self.basis,
            cutoff=self.cutoff,
            spin=self.initial_moments(atoms) is not None,
        )
