"""How far a potential is from DFT on given frames."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from ase.units import GPa

from screening.potentials.base import Evaluation, Potential
from screening.training_data.energy_shifts import EnergyShifts
from screening.training_data.training_set import LabelledFrame


@dataclass(frozen=True, kw_only=True)
class Errors:
    """Mean absolute errors; None where no frame says anything.

    Attributes
    ----------
    energy
        meV/atom after the zero points were taken off, over frames whose composition they cover.
    relative_energy
        meV/atom between frames of one composition (mean of each composition taken off): needs no zero points.
    force
        eV/A, per component.
    stress
        GPa, per component.
    """

    n_frames: int
    energy: float | None
    relative_energy: float | None
    force: float
    stress: float | None

    def to_card(self) -> dict[str, float | int | None]:
        """With units in the names, rounded."""
        units = {"energy": "meV_per_atom", "relative_energy": "meV_per_atom", "force": "eV_per_A", "stress": "GPa"}
        values = asdict(self)
        return {"n_frames": self.n_frames} | {
            f"{name}_mae_{unit}": None if values[name] is None else round(values[name], 5)
            for name, unit in units.items()
        }


def errors_of(potential: Potential, frames: Sequence[LabelledFrame], *, shifts: EnergyShifts | None) -> Errors:
    """Errors of a potential on frames.

    Parameters
    ----------
    shifts
        Zero points to add to the potential's energies; None when energies cannot be compared but within compositions.
    """
    answers = evaluate(potential, frames)
    offsets = [0.0 if shifts is None else shifts.of(f.atoms) for f in frames]
    per_atom = np.array(
        [(a.energy + offset - f.energy) / len(f.atoms) for a, f, offset in zip(answers, frames, offsets, strict=True)]
    )
    covered = np.array([shifts is not None and shifts.determine(f.atoms) for f in frames], dtype=bool)
    forces = np.concatenate([(a.forces - f.forces).ravel() for a, f in zip(answers, frames, strict=True)])
    stresses = [
        (a.stress - f.stress).ravel() / GPa
        for a, f in zip(answers, frames, strict=True)
        if f.stress is not None and a.stress is not None
    ]
    relative = _within_compositions(frames, per_atom)
    return Errors(
        n_frames=len(frames),
        energy=1000 * float(np.abs(per_atom[covered]).mean()) if covered.any() else None,
        relative_energy=1000 * float(np.abs(relative).mean()) if len(relative) else None,
        force=float(np.abs(forces).mean()),
        stress=float(np.abs(np.concatenate(stresses)).mean()) if stresses else None,
    )


def evaluate(potential: Potential, frames: Sequence[LabelledFrame]) -> list[Evaluation]:
    """Energies, forces and stresses; fails aloud on a structure that the potential cannot evaluate.

    Raises
    ------
    FloatingPointError
        When a value is not finite.
    """
    answers = potential.evaluate([f.atoms for f in frames], stress=True)
    for answer, frame in zip(answers, frames, strict=True):
        if not (np.isfinite(answer.energy) and np.isfinite(answer.forces).all()):
            raise FloatingPointError(f"{potential.name} gives no finite energy and forces for {frame.formula}")
    return answers


def _within_compositions(frames: Sequence[LabelledFrame], per_atom: np.ndarray) -> np.ndarray:
    groups: dict[str, list[int]] = defaultdict(list)
    for index, frame in enumerate(frames):
        groups[frame.formula].append(index)
    parts = [per_atom[members] - per_atom[members].mean() for members in groups.values() if len(members) > 1]
    return np.concatenate(parts) if parts else np.array([])
