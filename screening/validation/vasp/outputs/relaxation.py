"""Whether a VASP relaxation reached its goal: EDIFFG against the forces, stress or energies of its last step.

Fewer steps than NSW prove nothing: whoever stops a run (STOPCAR, a time limit) leaves fewer, too.
https://www.vasp.at/wiki/index.php/EDIFFG
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from screening.training_data.calculation import Frame
from screening.validation.vasp.outputs.switches import is_on, real, whole

KBAR = 0.1 / 160.21766208  # eV/A^3
MOVES = (1, 2, 3)  # IBRION of quasi-Newton, conjugate gradients, and damped motion or an optimizer of VTST
ATOMS_MOVE = (0, 1, 2, 3, 4, 8)  # ISIF
CELL_MOVES = (3, 4, 5, 6, 7, 8)
NO_SHEAR = (7, 8)  # only the volume changes
FIXED_VOLUME = (4, 5)
ROUNDING = 1e-3  # of a limit: the files hold few digits
STRESS_SLACK = 2.0  # how VASP scales the stress is known from its forum only
AT_REST = 0.01  # eV/A; where the goal is an energy change, a structure without forces has reached it in any case
NEAR_REST = 0.1  # eV/A
STILL = 1e-5  # eV per atom; an EDIFFG below it is met at rest
STOP_MARKS = ("soft stop encountered", "hard stop encountered")
ALL_USED = "all of them used; no OUTCAR says that it reached the required accuracy"
EDIFF, NSW, ISIF = 1e-4, 0, 2  # VASP's defaults


@dataclass(frozen=True, kw_only=True)
class RelaxationGoal:
    """What a relaxation was asked for.

    Attributes
    ----------
    limit
        EDIFFG: minus the largest force in eV/A, or the energy change of the last step in eV.
    max_steps
        NSW.
    isif
        Which degrees of freedom move.
    pressure
        PSTRESS, kbar.
    """

    limit: float
    max_steps: int
    isif: int = ISIF
    pressure: float = 0.0


def relaxation_of(tags: Mapping[str, Any]) -> RelaxationGoal | None:
    """The relaxation that tags ask for; None for single points, molecular dynamics and phonons."""
    max_steps = whole(tags, "NSW", NSW)
    ibrion = whole(tags, "IBRION", -1 if max_steps < 1 else 0)
    if max_steps <= 1 or ibrion not in MOVES:
        return None
    return RelaxationGoal(
        limit=real(tags, "EDIFFG", 10 * real(tags, "EDIFF", EDIFF)),
        max_steps=max_steps,
        isif=whole(tags, "ISIF", ISIF),
        pressure=real(tags, "PSTRESS", 0.0),
    )


def why_not_relaxed(
    relaxation: RelaxationGoal, final: Frame, energies: Sequence[float], free: NDArray[np.bool_] | None = None
) -> str | None:
    """What is missing to the goal in the last step, in words; None when it is reached.

    Parameters
    ----------
    final
        Last ionic step.
    energies
        Free energy of each ionic step, eV.
    free
        Selective dynamics (N, 3): whether an atom may move along each lattice vector; None when all may.
    """
    force = _largest_force(relaxation, final, free)
    excess = _largest_stress(relaxation, final)
    limit = abs(relaxation.limit) * (1 + ROUNDING)
    if relaxation.limit > 0:
        return _why_energy_moves(relaxation, energies, len(final.atoms), force, excess)
    if relaxation.limit == 0:
        return "EDIFFG = 0 has no goal"
    if force is None and excess is None:
        return "no forces to compare with EDIFFG"
    if force is not None and force > limit:
        return f"force {force:.2g} eV/A, EDIFFG = {relaxation.limit:g}"
    if excess is not None and excess > STRESS_SLACK * limit:
        kbar = excess * len(final.atoms) / float(final.atoms.get_volume()) / KBAR
        return f"stress {kbar:.2g} kbar ({excess:.2g} eV per atom), EDIFFG = {relaxation.limit:g}"
    return None


def _why_energy_moves(
    relaxation: RelaxationGoal, energies: Sequence[float], n_atoms: int, force: float | None, excess: float | None
) -> str | None:
    """What is missing to a goal that is an energy change; VASP's own one, which it expects, is not in its files."""
    change = abs(energies[-1] - energies[-2]) if len(energies) > 1 else math.nan
    at_rest = _all_below(AT_REST, force, excess)
    if change <= relaxation.limit * (1 + ROUNDING) or (at_rest and not change > STILL * n_atoms):
        return None
    if math.isnan(change):
        steps = "one step only" if len(energies) == 1 else "no energy of the step before"
        return f"{steps}, force {force or 0.0:.2g} eV/A"
    return f"energy change {change:.2g} eV, EDIFFG = {relaxation.limit:g}"


def word_counts(relaxation: RelaxationGoal, final: Frame, free: NDArray[np.bool_] | None = None) -> bool:
    """Whether VASP's word that an energy change is small enough counts more than the last two energies.

    It goes by the change that it expects, not by the one between the steps that it lists: with EDIFFG = 1e-8 it stops
    after a change of 1e-6 eV. What moves must be near rest all the same.
    """
    return relaxation.limit > 0 and _all_below(
        NEAR_REST, _largest_force(relaxation, final, free), _largest_stress(relaxation, final)
    )


def was_asked_to_stop(tags: Mapping[str, Any], folder: Path, outcar_text: str = "") -> bool:
    """Whether somebody asked VASP to stop: in STOPCAR, or as OUTCAR says."""
    if any(mark in outcar_text for mark in STOP_MARKS) or is_on(tags.get("LSTOP")) or is_on(tags.get("LABORT")):
        return True
    for place in (folder, folder.parent) if folder.name.isdigit() else (folder,):
        try:
            text = (place / "STOPCAR").read_text(encoding="utf-8", errors="replace").upper()
        except OSError:  # there is none: the usual case
            continue
        if any(is_on(value) for _, found, value in (line.partition("=") for line in text.splitlines()) if found):
            return True
    return False


def how_far(relaxation: RelaxationGoal, reason: str, n_steps: int, *, stopped: bool) -> str:
    """How far a relaxation came that did not reach its goal."""
    counted = f"{n_steps} of NSW = {relaxation.max_steps} steps, {reason}"
    if stopped:
        return f"{counted}; it was stopped by STOPCAR (LSTOP)"
    return counted if n_steps >= relaxation.max_steps else f"{counted}; it was stopped before its end"


def _all_below(limit: float, *left: float | None) -> bool:
    known = [value for value in left if value is not None]
    return bool(known) and max(known) < limit


def _largest_force(relaxation: RelaxationGoal, final: Frame, free: NDArray[np.bool_] | None) -> float | None:
    """Largest norm (eV/A) of the forces on what may move; None when no atom does or no forces are known."""
    if final.forces is None or relaxation.isif not in ATOMS_MOVE:
        return None
    forces = np.asarray(final.forces, dtype=float)
    if free is not None and free.shape == forces.shape and not free.all():
        along = np.linalg.solve(final.atoms.cell.array.T, forces.T).T  # VASP's flags are along the lattice vectors
        forces = np.where(free, along, 0.0) @ final.atoms.cell.array
    return float(np.linalg.norm(forces, axis=1).max())


def _largest_stress(relaxation: RelaxationGoal, final: Frame) -> float | None:
    """Largest component of volume times stress, eV per atom, as VASP compares it with EDIFFG; None for a fixed cell.

    The forum of VASP quotes the line of its source: https://www.vasp.at/forum/viewtopic.php?t=16781
    """
    if final.stress is None or relaxation.isif not in CELL_MOVES:
        return None
    stress = np.asarray(final.stress, dtype=float) + relaxation.pressure * KBAR * np.eye(3)
    mean = float(np.trace(stress)) / 3
    if relaxation.isif in FIXED_VOLUME:
        stress = stress - mean * np.eye(3)
    elif relaxation.isif in NO_SHEAR:
        stress = mean * np.eye(3)
    return float(np.abs(stress).max() * final.atoms.get_volume() / len(final.atoms))
