"""One loop for relaxations and bands: whatever is under way is evaluated together, finished systems make room."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from ase import Atoms

from screening.engine.batch import Outcome, evaluate_all
from screening.engine.checkpoints import Checkpoint
from screening.engine.tasks import RelaxTask, Result, Task, failed_result, start_of
from screening.potentials.base import Potential

MAX_ATOMS = 8000
"""Atoms in flight for a potential that does not say how many it takes at once."""
BATCHES_IN_FLIGHT = 2
"""Systems leave at any time and differ in size: with one batch in flight every forward pass would be half empty."""


class System(Protocol):
    """A task under way: it asks for evaluations, takes them in, and is done at some point.

    What a system does may depend on its own outcomes only, never on which systems are under way beside it.
    """

    key: str

    @property
    def done(self) -> bool:
        """Whether there is a result."""
        ...

    @property
    def task(self) -> Task:
        """What it computes."""
        ...

    @property
    def needs_stress(self) -> bool:
        """Whether its evaluations need the stress."""
        ...

    def pending(self) -> list[Atoms]:
        """Structures to evaluate next, at least one until `done`; how many may change from step to step."""
        ...

    def advance(self, outcomes: Sequence[Outcome]) -> None:
        """Take in one outcome per pending structure, in their order: finish, fail, or choose what comes next."""
        ...

    def save_due(self) -> bool:
        """Whether enough has been computed since the last checkpoint; asked after every `advance`."""
        ...

    def save(self) -> None:
        """Write a checkpoint from which the same trajectory continues, if the system has a place for it."""
        ...

    def result(self) -> Result:
        """What came out; asked once, when `done`."""
        ...


Start = Callable[[Any, str, Checkpoint | None], System]


def drive(
    tasks: Sequence[Task],
    keys: Sequence[str],
    potential: Potential,
    start: Start,
    *,
    checkpoints: Sequence[Path] | None = None,
    max_atoms: int | None = None,
) -> list[Result]:
    """Bring all tasks to their ends.

    Each round evaluates the pending structures of all systems under way in at most two calls of the potential, one
    without stress and one with. Systems are started in order, when there is room for them; a system that is done
    gives its result and its room.

    Parameters
    ----------
    tasks, keys
        The tasks and their recipe keys.
    start
        Makes a system of a task, its key and its checkpoint; a ValueError refuses the task, with the reason in words.
    checkpoints
        Checkpoint file of each task. A finished system keeps its checkpoint: the caller deletes it once the result is
        stored.
    max_atoms
        Most atoms in flight (a system that is larger than that runs alone); None asks the potential, before each
        round, since its batches may shrink or grow.

    Returns
    -------
    list[Result]
        In the order of `tasks`. A system that cannot go on has a `failure` in words; the others are not affected.
    """
    waiting = deque(enumerate(zip(tasks, keys, strict=True)))
    flying: dict[int, System] = {}
    results: dict[int, Result] = {}
    while waiting or flying:
        pending = {index: system.pending() for index, system in flying.items()}
        limit = capacity(potential) if max_atoms is None else max_atoms
        while waiting and (not flying or _n_atoms(pending) + expected_atoms(waiting[0][1][0]) <= limit):
            index, (task, key) = waiting.popleft()
            checkpoint = Checkpoint(checkpoints[index]) if checkpoints is not None else None
            try:
                system = start(task, key, checkpoint)
            except ValueError as error:
                results[index] = failed_result(key, start_of(task), str(error))
                continue
            if system.done:
                results[index] = system.result()
            else:
                flying[index], pending[index] = system, system.pending()
        _step(flying, pending, potential)
        for index in [index for index, system in flying.items() if system.done]:
            results[index] = flying.pop(index).result()
    return [results[index] for index in range(len(tasks))]


def capacity(potential: Potential) -> int:
    """Atoms to keep in flight for this potential, at present."""
    batch_atoms = getattr(potential, "batch_atoms", None)
    return MAX_ATOMS if batch_atoms is None else BATCHES_IN_FLIGHT * int(batch_atoms)


def expected_atoms(task: Task) -> int:
    """Atoms that a task asks to evaluate at first: one structure, or the quarters of a band that is to be climbed.

    A band later asks for fewer or for more; the potential cuts what is too much for one pass into several.
    """
    if isinstance(task, RelaxTask):
        return len(task.atoms)
    return len(task.initial) * (3 if task.climb else task.n_images)


def _n_atoms(pending: dict[int, list[Atoms]]) -> int:
    return sum(len(atoms) for structures in pending.values() for atoms in structures)


def _step(flying: dict[int, System], pending: dict[int, list[Atoms]], potential: Potential) -> None:
    """Evaluate what is pending and hand it to the systems."""
    for stress in (False, True):
        group = [index for index, system in flying.items() if system.needs_stress is stress]
        structures = [atoms for index in group for atoms in pending[index]]
        outcomes = iter(evaluate_all(structures, potential, stress=stress) if structures else [])
        for index in group:
            if not pending[index]:
                raise RuntimeError(f"the system {flying[index].key} is under way and asks for nothing")
            system = flying[index]
            system.advance([next(outcomes) for _ in pending[index]])
            if system.done or system.save_due():
                system.save()
