"""Batched relaxation: all systems that are still active are evaluated together, each descends on its own."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from screening.engine.batch import Outcome, exploded
from screening.engine.checkpoints import Checkpoint
from screening.engine.coordinates import Coordinates
from screening.engine.drive import drive
from screening.engine.optimizers import Descent, Solve
from screening.engine.springs import model_solver
from screening.engine.tasks import RelaxTask, Result
from screening.potentials.base import Evaluation, Potential

logger = logging.getLogger(__name__)

Array = NDArray[np.float64]

MAX_STEP = 0.2
"""A, longest displacement of an atom in one step."""
MAX_STRAIN = 0.03
"""Longest change of a row of the logarithmic strain in one step."""
CHECKPOINT_EVERY = 5
"""Force calls between two checkpoints, which is what a kill costs at most."""
_COUNTERS = ("best_energy", "best_fmax", "start_energy", "n_calls", "wall_s", "done", "converged", "failure")


@dataclass(kw_only=True)
class Relaxation:
    """One system under way. `x` is where it is evaluated next, `best_x` the geometry of lowest energy so far."""

    task: RelaxTask
    key: str
    checkpoint: Checkpoint | None
    atoms: Atoms
    coordinates: Coordinates
    descent: Descent
    x: Array
    best_x: Array
    best_energy: float = np.inf
    best_fmax: float = np.inf
    start_energy: float | None = None
    n_calls: int = 0
    wall_s: float = 0.0
    done: bool = False
    converged: bool = False
    failure: str | None = None

    @classmethod
    def start(cls, task: RelaxTask, key: str, checkpoint: Checkpoint | None) -> Relaxation:
        """The system at its start geometry, or where its checkpoint left it.

        Raises
        ------
        ValueError
            When the task cannot be relaxed at all (an unsupported constraint, a cell without three periods).
        """
        atoms = task.atoms.copy()
        full = task.cell == "full"
        if full and not atoms.pbc.all():
            raise ValueError("a full-cell relaxation needs a cell that is periodic in three directions")
        coordinates = Coordinates.of(atoms, full_cell=full)
        x = coordinates.start(atoms)
        limits = np.full(len(x), MAX_STEP)
        if coordinates.scale is not None:
            limits[-3:] = MAX_STRAIN * coordinates.scale
        system = cls(
            task=task,
            key=key,
            checkpoint=checkpoint,
            atoms=atoms,
            coordinates=coordinates,
            descent=Descent(limits=limits),
            x=x,
            best_x=x.copy(),
        )
        system._restore()
        return system

    @property
    def needs_stress(self) -> bool:
        """Only where the cell relaxes."""
        return self.task.cell == "full"

    def pending(self) -> list[Atoms]:
        """The structure at `x`."""
        return [self.atoms]

    def advance(self, outcomes: Sequence[Outcome]) -> None:
        """Take in the evaluation at `x`: finish, fail, or choose the next `x`."""
        (outcome,) = outcomes
        self.n_calls += 1
        self.wall_s += outcome.wall_s
        evaluation = outcome.evaluation
        if evaluation is None or outcome.failure is not None:
            self._finish(failure=outcome.failure)
            return
        if self.start_energy is None:
            self.start_energy = evaluation.energy
        volume = None if self.coordinates.scale is None else float(abs(np.linalg.det(self.coordinates.cell)))
        failure = exploded(self.atoms, evaluation.energy, volume, self.start_energy)
        if failure is not None:
            self._finish(failure=failure)
            return
        self._judge(evaluation)

    def _judge(self, evaluation: Evaluation) -> None:
        fmax = self.coordinates.fmax(self.atoms, evaluation)
        self.converged = fmax <= self.task.fmax
        if self.converged or evaluation.energy < self.best_energy:
            self.best_x, self.best_energy, self.best_fmax = self.x.copy(), evaluation.energy, fmax
        if self.converged or self.n_calls > self.task.max_steps:
            self._finish(failure=None)
            return
        forces = self.coordinates.forces(self.x, evaluation)
        self.x = self.descent.next(self.x, evaluation.energy, forces, self._solver)
        self.coordinates.place(self.atoms, self.x)

    def _solver(self, x: Array) -> Solve:
        self.coordinates.place(self.atoms, x)
        return model_solver(self.atoms, self.coordinates.free_rows, self.coordinates.scale)

    def _finish(self, *, failure: str | None) -> None:
        self.done, self.failure = True, failure
        self.converged = self.converged and failure is None

    def result(self) -> Result:
        """Result at the converged geometry, or else at the one of lowest energy that was evaluated."""
        atoms = self.task.atoms.copy()
        self.coordinates.place(atoms, self.best_x)
        return Result(
            key=self.key,
            atoms=atoms,
            energy=self.best_energy if self.failure is None else float("nan"),
            fmax=self.best_fmax,
            converged=self.converged,
            n_steps=max(self.n_calls - 1, 0),
            n_force_calls=self.n_calls,
            wall_s=self.wall_s,
            failure=self.failure,
        )

    def save_due(self) -> bool:
        """After every CHECKPOINT_EVERY force calls."""
        return self.n_calls % CHECKPOINT_EVERY == 0

    def save(self) -> None:
        """Write the complete state; a finished system keeps its checkpoint until the driver has stored the result."""
        if self.checkpoint is None:
            return
        arrays, descent = self.descent.pack()
        arrays |= {"x": self.x, "best_x": self.best_x, "cell": self.coordinates.cell, "numbers": self.atoms.numbers}
        meta: dict[str, Any] = {name: getattr(self, name) for name in _COUNTERS}
        meta["scale"] = self.coordinates.scale
        self.checkpoint.save(arrays, {"kind": "relax", "key": self.key, "descent": descent, **meta})

    def _restore(self) -> None:
        stored = self.checkpoint.load() if self.checkpoint is not None else None
        if stored is None:
            return
        arrays, meta = stored
        same = meta.get("key") == self.key and np.array_equal(arrays.get("numbers", []), self.atoms.numbers)
        if not same or arrays["x"].shape != self.x.shape:
            logger.warning("the checkpoint of %s belongs to another task; the relaxation starts again", self.key)
            return
        for name in _COUNTERS:
            setattr(self, name, meta[name])
        self.descent.unpack(arrays, meta["descent"])
        self.x, self.best_x = arrays["x"], arrays["best_x"]
        # The start geometry may differ in its last digits from the one the checkpoint began with.
        self.coordinates = replace(self.coordinates, cell=arrays["cell"], scale=meta["scale"])
        self.coordinates.place(self.atoms, self.x)


def relax_batch(
    tasks: Sequence[RelaxTask],
    potential: Potential,
    *,
    keys: Sequence[str],
    checkpoints: Sequence[Path] | None = None,
    max_atoms: int | None = None,
) -> list[Result]:
    """Relax all tasks together; `run_tasks` does the same for relaxations and bands.

    Parameters
    ----------
    tasks
        What to relax. A task converges when `Coordinates.fmax` is at most its `fmax`; when it has used its `max_steps`
        steps (force calls beyond the first, steps taken back included) its geometry of lowest energy is returned with
        `converged=False`.
    keys, checkpoints, max_atoms
        As in `drive`. A relaxation that finds a checkpoint continues on the same trajectory; one that finds a finished
        one returns its result without a force call.

    Returns
    -------
    list[Result]
        In the order of `tasks`.
    """
    return drive(tasks, keys, potential, Relaxation.start, checkpoints=checkpoints, max_atoms=max_atoms)
