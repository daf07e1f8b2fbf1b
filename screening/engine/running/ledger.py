"""The ledger of a queue: which flow waits for which results, what is stored, and what has to be computed."""

from __future__ import annotations

import copy
import heapq
import logging
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from screening.engine.checkpoints import Checkpoint, checkpoint_path
from screening.engine.flows import Failed, Flow, FlowOutcome, Returned
from screening.engine.running.progress import CostModel, n_atoms
from screening.engine.running.store import RecordStore
from screening.engine.running.workers import Crash
from screening.engine.tasks import Result, Task, failed_result, recipe_key, start_of
from screening.errors import CandidateFailed, UserError
from screening.process.trouble import stops_the_run

logger = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass
class FlowState(Generic[T]):
    """One flow: the keys it waits for, in order, and what has arrived."""

    index: int
    name: str
    flow: Flow[T]
    keys: list[str] = field(default_factory=list)
    results: dict[str, Result] = field(default_factory=dict)
    started: bool = False


@dataclass
class QueuedTask(Generic[T]):
    """One missing result: who asked for it, and how often a worker died over it."""

    task: Task
    flows: list[FlowState[T]]
    deaths: int = 0


@dataclass(kw_only=True)
class Ledger(Generic[T]):
    """What the flows of one `run_flows` call ask for, and what they got.

    Attributes
    ----------
    sha256
        Checkpoint of the potential, part of every key.
    on_end
        Called with the outcome of every flow that ends.
    outcomes
        Of the flows that have ended, by name.
    jobs
        By key: missing results that are waiting or being computed.
    """

    flows: list[FlowState[T]]
    store: RecordStore
    sha256: str
    checkpoint_dir: Path | None
    retry_failed: bool
    on_end: Callable[[FlowOutcome[T]], None]

    outcomes: dict[str, FlowOutcome[T]] = field(default_factory=dict)
    jobs: dict[str, QueuedTask[T]] = field(default_factory=dict)
    cost: CostModel = field(default_factory=CostModel)
    n_done: int = 0
    n_reused: int = 0
    atom_calls_reused: int = 0
    n_force_calls: int = 0

    _ready: list[tuple[int, int, str]] = field(default_factory=list)
    _n_requested: int = 0
    _fresh: set[str] = field(default_factory=set)
    _crashed: dict[str, Result] = field(default_factory=dict)

    @property
    def n_ready(self) -> int:
        """Tasks that nobody computes yet."""
        return len(self._ready)

    def take(self, count: int) -> tuple[str, ...]:
        """Keys of the next `count` tasks: those of earlier flows first, in the order in which they were asked for."""
        return tuple(heapq.heappop(self._ready)[2] for _ in range(count))

    def tasks(self, keys: tuple[str, ...]) -> tuple[Task, ...]:
        return tuple(self.jobs[key].task for key in keys)

    def start_next(self) -> bool:
        """Start the next flow; False when all have been."""
        for state in self.flows:
            if not state.started and state.name not in self.outcomes:
                self._advance(state)
                return True
        return False

    def deliver(self, key: str, result: Result | Crash) -> None:
        """Store a result and send it into the flows that wait for it."""
        job = self.jobs.pop(key)
        if isinstance(result, Result):
            result.key = key
            try:
                self.store.put(result, job.task.recipe)
            except (TypeError, ValueError) as error:  # something in atoms.info that no store can hold
                result = Crash(f"its result cannot be stored ({error})", traceback.format_exc())
        if isinstance(result, Crash):
            # Not stored: a bug must not count as computed in the next run.
            logger.error("%s failed: %s\n%s", job.task.recipe.get("step", key), result.reason, result.traceback)
            result = self._crashed[key] = failed_result(key, start_of(job.task), result.reason)
        else:
            self.cost.add(job.task, result)
            if self.checkpoint_dir is not None:
                Checkpoint(checkpoint_path(self.checkpoint_dir, key)).delete()
        self._fresh.add(key)
        self.n_done += 1
        self.n_force_calls += result.n_force_calls
        for state in job.flows:
            # A copy, since a flow may write on what it gets.
            state.results[key] = copy.deepcopy(result)
            if all(wanted in state.results for wanted in state.keys):
                self._advance(state)

    def close(self) -> None:
        """End all flows where they are."""
        for state in self.flows:
            state.flow.close()

    def _advance(self, state: FlowState[T]) -> None:
        """Send a flow what it waits for, until it needs something that is not stored, or ends."""
        while True:
            arrived = [state.results[key] for key in state.keys]
            try:
                tasks = state.flow.send(arrived) if state.started else next(state.flow)
                state.started = True
                state.keys = [recipe_key(task, self.sha256) for task in tasks]
            except StopIteration as end:
                self._end(Returned(state.name, end.value))
                return
            except (CandidateFailed, UserError) as error:
                logger.info("%s failed: %s", state.name, error)  # whoever gets the outcome says it
                self._end(Failed(state.name, str(error)))
                return
            except Exception as error:
                if stops_the_run(error):
                    raise
                logger.exception("%s failed", state.name)
                self._end(Failed(state.name, f"{type(error).__name__}: {error}"))
                return
            state.results = {}
            for task, key in zip(tasks, state.keys, strict=True):
                self._request(state, task, key)
            if all(key in state.results for key in state.keys):
                continue
            return

    def _request(self, state: FlowState[T], task: Task, key: str) -> None:
        """Take a result from the store, join those who wait for it already, or put it on the queue."""
        if key in state.results:
            return
        if key in self.jobs:
            if state not in self.jobs[key].flows:
                self.jobs[key].flows.append(state)
            return
        known = copy.deepcopy(self._crashed[key]) if key in self._crashed else self.store.get(key)
        if known is not None and (known.failure is None or not self.retry_failed or key in self._fresh):
            state.results[key] = known
            if key not in self._fresh:
                self.n_reused += 1
                self.atom_calls_reused += known.n_force_calls * n_atoms(task)
            return
        self.jobs[key] = QueuedTask(task, [state])
        heapq.heappush(self._ready, (state.index, self._n_requested, key))
        self._n_requested += 1

    def _end(self, outcome: FlowOutcome[T]) -> None:
        self.outcomes[outcome.name] = outcome
        self.on_end(outcome)
