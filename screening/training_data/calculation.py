"""One electronic-structure calculation as read from its files, whatever program made it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from screening.fidelity import Fidelity


@dataclass(frozen=True, kw_only=True)
class Method:
    """What decides the energy scale of a calculation; energies of different methods never mix.

    Attributes
    ----------
    engine
        ``"vasp"``, ``"gpaw"`` or, for an extxyz file that names neither, ``"extxyz"``.
    functional
        Lower case, for example ``"pbe"``, ``"pbesol"``, ``"r2scan"``.
    hubbard
        U in eV of every element of the *structure* that has one; elements without U are absent.
    basis
        ``"pw"`` or ``"lcao:dzp"``.
    cutoff
        Plane-wave cutoff, eV; None for a basis without one.
    potentials
        Element to the label of its pseudopotential or PAW data set, for example ``{"Li": "PAW_PBE Li_sv 10Sep2004"}``;
        empty when the files do not say.
    kpoints
        Divisions of the k-point grid; None when the files do not say.
    spin
        Whether spin was polarised.
    """

    engine: str
    functional: str
    hubbard: dict[str, float] = field(default_factory=dict)
    basis: str = "pw"
    cutoff: float | None = None
    potentials: dict[str, str] = field(default_factory=dict)
    kpoints: tuple[int, int, int] | None = None
    spin: bool = False

    @property
    def label(self) -> str:
        """Functional with ``+u`` where an element has one, for example ``pbe+u``."""
        return self.functional + ("+u" if self.hubbard else "")

    def fidelity(self, settings: str, simulated_by: str | None = None) -> str:
        """Fidelity of a record computed so, by `settings`; that of the potential where one only played the program."""
        if simulated_by is not None:
            return str(Fidelity(potential=simulated_by, program="vasp"))
        with_u = bool(self.hubbard)
        return str(Fidelity(program=self.engine, functional=self.functional, with_u=with_u, settings=settings))


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One ionic step: structure, energy (eV, sigma -> 0), forces (N, 3) eV/A, stress (3, 3) eV/A^3 (ASE's sign)."""

    atoms: Atoms
    energy: float
    forces: NDArray[Any] | None = None
    stress: NDArray[Any] | None = None

    @property
    def not_finite(self) -> tuple[str, ...]:
        """Which of its parts hold NaN or an infinity, as what Fortran prints as ``****`` is read."""
        parts = {
            "energy": self.energy,
            "forces": self.forces,
            "stress": self.stress,
            "positions": self.atoms.positions,
            "cell": self.atoms.cell.array,
        }
        return tuple(name for name, part in parts.items() if not _is_finite(part))


@dataclass(frozen=True, kw_only=True)
class CalculationDetails:
    """What the files of a calculation say beside its result; a reader of files fills in what they know.

    Attributes
    ----------
    version, versions
        Of the program; of the program and its libraries, by name.
    wall_s
        Time that it took, s.
    files
        Those it was read from.
    ionic_steps, electronic_steps, unconverged_steps
        Numbers of ionic steps in the files, of all electronic ones, and of the finite ionic steps that were left out
        because their electrons did not converge.
    not_relaxed
        What is missing to a relaxed structure; None for a single point and where nothing is missing.
    free_energy
        Of the last step with the smearing's entropy, eV.
    pressure
        That was applied, kB (VASP's PSTRESS).
    ordinary
        Its steps and energies mean what those of a relaxation or a single point mean (no phonons, no exact
        diagonalisation).
    icharg
        VASP's ICHARG; 10 and above keep the density fixed.
    simulation_marks
        What tells that a potential made the files in VASP's place.
    warnings
        Notes on how it was read, for people.
    candidate, fidelity
        Of a frame of this program's own training sets: whose it is, and the fidelity it was labelled with.
    """

    version: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    wall_s: float = 0.0
    files: tuple[str, ...] = ()
    ionic_steps: int | None = None
    electronic_steps: int | None = None
    unconverged_steps: int = 0
    not_relaxed: str | None = None
    free_energy: float = math.nan
    pressure: float = 0.0
    ordinary: bool = True
    icharg: int = 0
    simulation_marks: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    candidate: str = ""
    fidelity: str = ""


@dataclass(frozen=True, kw_only=True)
class Calculation:
    """A calculation that ended, well or not.

    Attributes
    ----------
    source
        Folder or file it was read from, as the user gave it.
    frames
        Ionic steps in order, the last one is the result; never empty.
    electronic_converged
        Every frame that is used reached electronic self-consistency.
    ionic_converged
        Forces fell below the calculation's own limit; None for a single point.
    charge
        Net charge of the cell in elementary charges.
    band_gap
        eV; 0 for a metal, None when the files do not say.
    magnetic_moments
        (N,) Bohr magnetons of the last frame, None without spin.
    simulated_by
        Name of the potential when a program that only pretends to be VASP made the files; such energies are no DFT.
    settings
        Name of the validation settings it was written with, where its folder says so.
    details
        What else its files say.
    """

    source: str
    method: Method
    frames: tuple[Frame, ...]
    electronic_converged: bool
    ionic_converged: bool | None = None
    charge: float = 0.0
    band_gap: float | None = None
    magnetic_moments: NDArray[Any] | None = None
    simulated_by: str | None = None
    settings: str | None = None
    details: CalculationDetails = field(default_factory=CalculationDetails)

    def warned(self, *notes: str, first: bool = False) -> Calculation:
        """The same with more notes on how it was read, after those that it has or before them."""
        old = self.details.warnings
        warnings = (*notes, *old) if first else (*old, *notes)
        return replace(self, details=replace(self.details, warnings=warnings))

    @property
    def final(self) -> Frame:
        return self.frames[-1]

    @property
    def energy(self) -> float:
        """Energy of the last frame, eV per cell."""
        return self.frames[-1].energy

    @property
    def atoms(self) -> Atoms:
        return self.frames[-1].atoms

    @property
    def converged(self) -> bool:
        return self.electronic_converged and self.ionic_converged is not False and not self.final.not_finite

    @property
    def not_finite(self) -> tuple[str, ...]:
        """Which of its values hold NaN or an infinity; such a calculation must not be kept."""
        values = {"charge": self.charge, "band gap": self.band_gap, "magnetic moments": self.magnetic_moments}
        of_frames = {name for frame in self.frames for name in frame.not_finite}
        return tuple(sorted(of_frames | {name for name, value in values.items() if not _is_finite(value)}))


def _is_finite(value: Any) -> bool:
    return value is None or bool(np.isfinite(np.asarray(value, dtype=float)).all())


class CalculationUnreadable(Exception):
    """Files that are no calculation or a broken one; the text is a reason a user can act on."""


class NotFinite(CalculationUnreadable):
    """Files that could be read, but the numbers that count are ``****``, NaN or infinite."""
