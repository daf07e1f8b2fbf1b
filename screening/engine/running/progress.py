"""How far a queue is, and how long the rest will take by what has been measured so far."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field

from screening.engine.tasks import Result, Task, start_of

ANY = "any"


@dataclass(frozen=True, kw_only=True)
class Progress:
    """A snapshot of the tasks known so far.

    `tasks_reused` came from the store and are counted nowhere else but in `atom_calls_reused`; `seconds_left` is None
    until a task has finished. `atom_calls` are atoms times force calls, `busy_s` is what they took on all workers.
    Nothing here reads `tasks_running`: it is for who follows a run with `on_progress` of their own.
    """

    tasks_done: int
    tasks_reused: int
    tasks_total: int
    tasks_running: int
    flows_done: int
    flows_total: int
    n_force_calls: int
    elapsed_s: float
    seconds_left: float | None
    atom_calls: int = 0
    atom_calls_reused: int = 0
    busy_s: float = 0.0


@dataclass
class _History:
    """Finished tasks of one kind: how many, force calls, atoms x force calls, seconds."""

    tasks: int = 0
    calls: int = 0
    atom_calls: int = 0
    wall_s: float = 0.0


@dataclass
class CostModel:
    """Seconds per atom and force call, and force calls per task, measured for each kind of task."""

    _kinds: dict[str, _History] = field(default_factory=lambda: defaultdict(_History))
    started: float = field(default_factory=time.monotonic)

    @property
    def atom_calls(self) -> int:
        """Atoms times force calls of all tasks computed in this run."""
        return self._kinds[ANY].atom_calls

    @property
    def busy_s(self) -> float:
        """Wall time of all of them, one after the other."""
        return self._kinds[ANY].wall_s

    @property
    def elapsed_s(self) -> float:
        """Wall time since the queue started."""
        return time.monotonic() - self.started

    def add(self, task: Task, result: Result) -> None:
        """Learn from a task computed in this run."""
        for kind in (_kind(task), ANY):
            history = self._kinds[kind]
            history.tasks += 1
            history.calls += result.n_force_calls
            history.atom_calls += result.n_force_calls * n_atoms(task)
            history.wall_s += result.wall_s

    def seconds(self, task: Task) -> float | None:
        """Expected wall time of one task on one worker, or None before anything has been measured."""
        history = self._kinds.get(_kind(task)) or self._kinds.get(ANY)
        if history is None or history.atom_calls == 0:
            return None
        return history.wall_s / history.atom_calls * n_atoms(task) * history.calls / history.tasks

    def seconds_left(self, tasks: list[Task], workers: int) -> float | None:
        """Expected time for `tasks` spread over `workers`."""
        expected = [self.seconds(task) for task in tasks]
        known = [seconds for seconds in expected if seconds is not None]
        if not tasks:
            return 0.0
        return sum(known) / len(known) * len(tasks) / max(1, workers) if known else None


def n_atoms(task: Task) -> int:
    """Atoms in one structure of the task."""
    return len(start_of(task))


def _kind(task: Task) -> str:
    return f"{task.settings['kind']}:{task.recipe.get('step', '')}"
