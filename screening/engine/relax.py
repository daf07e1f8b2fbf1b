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

from screening.engine.batch import MAX_ATOMS, Outcome, evaluate_all, exploded, start_all
from screening.engine.checkpoints import Checkpoint
from screening.engine.coordinates import Coordinates
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
MODEL_REACH = 0.1
"""A. The model Hessian is built anew once a coordinate is this far from where it was built; most of a build is the
neighbour list, an eighth of a force call for an interface of 136 atoms."""
CHECKPOINT_EVERY = 5
_COUNTERS = ("best_energy", "best_fmax", "start_energy", "n_calls", "wall_s", "done", "converged", "failure")


@dataclass(kw_only=True)
class Relaxation:
    """One system under way.

    `x` is where it is evaluated next, `best_x` the geometry of lowest energy so far, `model_x` where the model Hessian
    in use was built and `model` its inverse, which a checkpoint does not hold.
    """

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
    model_x: Array | None = None
    model: Solve | None = None

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

    def advance(self, outcome: Outcome) -> None:
        """Take in the evaluation at `x`: finish, fail, or choose the next `x`."""
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
        if self.model_x is None or np.linalg.norm(x - self.model_x, axis=1).max() > MODEL_REACH:
            self.model_x, self.model = x.copy(), None
        if self.model is None:
            self.coordinates.place(self.atoms, self.model_x)
            self.model = model_solver(self.atoms, self.coordinates.free_rows, self.coordinates.scale)
        return self.model

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

    def save(self) -> None:
        """Write the complete state; a finished system keeps its checkpoint until the driver has stored the result."""
        if self.checkpoint is None:
            return
        arrays, descent = self.descent.pack()
        arrays |= {"x": self.x, "best_x": self.best_x, "cell": self.coordinates.cell, "numbers": self.atoms.numbers}
        if self.model_x is not None:
            arrays["model_x"] = self.model_x
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
        self.x, self.best_x, self.model_x = arrays["x"], arrays["best_x"], arrays.get("model_x")
        # The start geometry may differ in its last digits from the one the checkpoint began with.
        self.coordinates = replace(self.coordinates, cell=arrays["cell"], scale=meta["scale"])
        self.coordinates.place(self.atoms, self.x)


def relax_batch(
    tasks: Sequence[RelaxTask],
    potential: Potential,
    *,
    keys: Sequence[str],
    checkpoints: Sequence[Path] | None = None,
    checkpoint_every: int = CHECKPOINT_EVERY,
    max_atoms: int = MAX_ATOMS,
) -> list[Result]:
    """Relax all tasks, each step in one evaluation per kind of cell; a system leaves the batch when it is done.

    Parameters
    ----------
    tasks
        What to relax. A task converges when `Coordinates.fmax` is at most its `fmax`; when it has used its `max_steps`
        steps (force calls beyond the first, steps taken back included) its geometry of lowest energy is returned with
        `converged=False`.
    keys
        Recipe key of each task.
    checkpoints
        Checkpoint file of each task. A relaxation that finds one continues on the same trajectory; one that finds a
        finished one returns its result without a force call. The caller deletes them once the results are stored.
    checkpoint_every
        Force calls between two checkpoints.
    max_atoms
        Atoms per call of the potential.

    Returns
    -------
    list[Result]
        In the order of `tasks`. A system that cannot go on has a `failure` in words; the others are not affected.
    """
    systems, results = start_all(Relaxation.start, tasks, keys, checkpoints)
    active = [system for system in systems.values() if not system.done]
    while active:
        for full_cell in (False, True):
            group = [system for system in active if (system.task.cell == "full") is full_cell]
            if not group:
                continue
            outcomes = evaluate_all([s.atoms for s in group], potential, stress=full_cell, max_atoms=max_atoms)
            for system, outcome in zip(group, outcomes, strict=True):
                system.advance(outcome)
                if system.done or system.n_calls % checkpoint_every == 0:
                    system.save()
        active = [system for system in active if not system.done]
    results |= {index: system.result() for index, system in systems.items()}
    return [results[index] for index in range(len(tasks))]
