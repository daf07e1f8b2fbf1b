"""Evaluating many systems at once without letting one of them stop the others."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms

from screening.potentials.base import Evaluation, Potential
from screening.potentials.neighbors import pairs

logger = logging.getLogger(__name__)

MIN_DISTANCE = 0.5
"""A. No two atoms of a solid are this close; potentials return nonsense there."""
MAX_VOLUME_RATIO = 2.0
MAX_DROP = 20.0
"""eV/atom. An energy this far below the start is a hole in the potential, not a relaxation."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one evaluation gave: an evaluation or a reason in words, and the system's share of the time (s).

    The share is by atoms, so that the wall times of a batch add up to the time the batch took.
    """

    evaluation: Evaluation | None
    failure: str | None
    wall_s: float


def evaluate_all(structures: Sequence[Atoms], potential: Potential, *, stress: bool) -> list[Outcome]:
    """Evaluate `structures` in one call, in order. Overlapping atoms are refused before the potential sees them.

    How many structures fit into one forward pass is the potential's business.

    Raises
    ------
    Exception
        Whatever the potential raised, when it refused *every* one of several structures: then the potential or its
        device is broken, not one structure.
    OSError, MemoryError
        At once: they are the machine's, and no structure is to blame.
    """
    outcomes: dict[int, Outcome] = {}
    for index, atoms in enumerate(structures):
        reason = overlap(atoms)
        if reason is not None:
            outcomes[index] = Outcome(evaluation=None, failure=reason, wall_s=0.0)
    todo = [index for index in range(len(structures)) if index not in outcomes]
    if todo:
        found = _evaluate_group([structures[index] for index in todo], potential, stress)
        outcomes.update(zip(todo, found, strict=True))
    return [outcomes[index] for index in range(len(structures))]


def _evaluate_group(structures: list[Atoms], potential: Potential, stress: bool) -> list[Outcome]:
    started = time.perf_counter()
    try:
        evaluations = potential.evaluate(structures, stress=stress)
    except (OSError, MemoryError):
        raise
    except Exception as error:
        if len(structures) == 1:
            logger.warning("the potential refused a structure of %d atoms", len(structures[0]), exc_info=True)
            reason = f"the potential refused the structure ({type(error).__name__}: {error})"
            return [Outcome(evaluation=None, failure=reason, wall_s=time.perf_counter() - started)]
        found = [_evaluate_group([atoms], potential, stress)[0] for atoms in structures]
        if all(outcome.failure is not None for outcome in found):
            raise
        return found
    elapsed = time.perf_counter() - started
    total = sum(len(atoms) for atoms in structures)
    return [
        Outcome(evaluation=evaluation, failure=not_finite(evaluation), wall_s=elapsed * len(atoms) / total)
        for atoms, evaluation in zip(structures, evaluations, strict=True)
    ]


def not_finite(evaluation: Evaluation) -> str | None:
    """Reason in words when an energy, force or stress is not a number."""
    if not np.isfinite(evaluation.energy):
        return "the energy is not a finite number"
    if not np.isfinite(evaluation.forces).all():
        return "some forces are not finite numbers"
    if evaluation.stress is not None and not np.isfinite(evaluation.stress).all():
        return "the stress is not a finite number"
    return None


def overlap(atoms: Atoms) -> str | None:
    """Reason in words when coordinates are not numbers or two atoms are closer than MIN_DISTANCE."""
    if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
        return "the coordinates are not finite numbers"
    first, second, _, distances = pairs(atoms, MIN_DISTANCE)
    if not len(distances):
        return None
    worst = int(np.argmin(distances))
    i, j = int(first[worst]), int(second[worst])
    names = f"atoms {i} ({atoms.symbols[i]}) and {j} ({atoms.symbols[j]})"
    return f"{names} are {distances[worst]:.2f} A apart, closer than {MIN_DISTANCE} A"


def exploded(atoms: Atoms, energy: float, start_volume: float | None, start_energy: float) -> str | None:
    """Reason in words when the cell or the energy left what a relaxation can do.

    Parameters
    ----------
    start_volume
        A^3 at the start; None when the cell is fixed.
    """
    if start_volume is not None:
        ratio = atoms.get_volume() / start_volume
        if not 1 / MAX_VOLUME_RATIO <= ratio <= MAX_VOLUME_RATIO:
            return f"the cell exploded: its volume changed by a factor of {ratio:.2f}"
    drop = (start_energy - energy) / len(atoms)
    if drop > MAX_DROP:
        return f"the energy exploded: {drop:.0f} eV/atom below the start, which no relaxation gains"
    return None
