"""Drive many flows as one queue: look results up, compute what is missing, send it back into the flows."""

from __future__ import annotations

import copy
import heapq
import logging
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from screening.engine.checkpoints import Checkpoint, checkpoint_path
from screening.engine.running.progress import CostModel, Progress, n_atoms
from screening.engine.running.store import RecordStore
from screening.engine.running.workers import Crash, Execute, InlineExecutor, Shard, process_pool, run_shard, terminate
from screening.engine.tasks import Flow, Result, Task, failed_result, recipe_key, start_of
from screening.errors import CandidateFailed, UserError
from screening.potentials.batching import pick_device
from screening.potentials.registry import load_potential
from screening.process.stopping import check_stop
from screening.process.trouble import stops_the_run

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FlowOutcome:
    """What a flow returned, or the reason why it could not go on."""

    name: str
    value: Any = None
    failure: str | None = None


@dataclass
class _FlowState:
    """One flow: the keys it waits for, in order, and what has arrived."""

    index: int
    name: str
    flow: Flow
    keys: list[str] = field(default_factory=list)
    results: dict[str, Result] = field(default_factory=dict)
    started: bool = False


@dataclass
class _Job:
    """One missing result: who asked for it, and how often a worker died over it."""

    task: Task
    flows: list[_FlowState]
    deaths: int = 0


def run_flows(
    flows: Mapping[str, Flow],
    *,
    store: RecordStore,
    potential_name: str,
    device: str = "auto",
    workers: int = 1,
    checkpoint_dir: Path | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    on_done: Callable[[FlowOutcome], None] | None = None,
    retry_failed: bool = False,
    self_check: bool = True,
    executor: Executor | None = None,
    execute: Execute | None = None,
) -> dict[str, FlowOutcome]:
    """Run `flows` to their ends.

    Parameters
    ----------
    flows
        By name; those listed earlier are served first.
    store
        Written by this process only. A result it holds is never computed again, not even a failed one.
    workers
        Processes on a CPU. One worker, or CUDA, means this process; on CUDA all tasks that are ready form one batch.
    checkpoint_dir
        Where systems in flight are saved; a finished task's checkpoint is removed.
    on_progress, on_done
        Called after every change, and once per finished flow.
    retry_failed
        Compute results again that are stored as failed.
    self_check
        Let the potential relax LiNbO3 first (once per process).
    executor
        Any executor in place of the built-in ones, for example parsl's; `workers` then says how wide it is, and
        shutting it down is left to whoever made it.
    execute
        Stands in for `run_tasks`; must be picklable unless everything runs in this process.

    Returns
    -------
    dict
        A `FlowOutcome` per flow, in the order of `flows`. A flow that fails never stops another one.

    Raises
    ------
    UserError
        For the potential, the device or the store, and when worker processes keep dying.
    OSError
        A full disk and its like: everything stops, nothing counts as failed, and the same call goes on.
    """
    device = pick_device(device)
    potential = load_potential(potential_name, device, self_check=self_check)
    inline = executor is None and (workers <= 1 or device.startswith("cuda"))
    queue = _Queue(
        flows=[_FlowState(index, name, flow) for index, (name, flow) in enumerate(flows.items())],
        store=store,
        sha256=potential.checkpoint_sha256,
        shard_facts={
            "potential_name": potential_name,
            "device": device,
            "checkpoint_dir": checkpoint_dir,
            "execute": execute,
        },
        checkpoint_dir=checkpoint_dir,
        retry_failed=retry_failed,
        on_progress=on_progress,
        on_done=on_done,
        workers=1 if inline else max(1, workers),
        batched=inline and device.startswith("cuda"),
    )

    def new_executor() -> Executor:
        return InlineExecutor() if inline else process_pool(workers, potential_name, device)

    if executor is not None:
        return queue.run(executor, None)
    return queue.run(new_executor(), new_executor)


@dataclass
class _Queue:
    """The state of one `run_flows` call."""

    flows: list[_FlowState]
    store: RecordStore
    sha256: str
    shard_facts: dict[str, Any]
    checkpoint_dir: Path | None
    retry_failed: bool
    on_progress: Callable[[Progress], None] | None
    on_done: Callable[[FlowOutcome], None] | None
    workers: int
    batched: bool

    outcomes: dict[str, FlowOutcome] = field(default_factory=dict)
    jobs: dict[str, _Job] = field(default_factory=dict)
    ready: list[tuple[int, int, str]] = field(default_factory=list)
    suspects: list[str] = field(default_factory=list)
    running: dict[Future[list[Result | Crash]], tuple[str, ...]] = field(default_factory=dict)
    fresh: set[str] = field(default_factory=set)
    crashed: dict[str, Result] = field(default_factory=dict)
    cost: CostModel = field(default_factory=CostModel)
    n_requested: int = 0
    n_done: int = 0
    n_reused: int = 0
    atom_calls_reused: int = 0
    n_force_calls: int = 0

    def run(self, executor: Executor, renew: Callable[[], Executor] | None) -> dict[str, FlowOutcome]:
        """Run to the end; `renew` replaces an executor of our own after a worker has died."""
        try:
            while True:
                check_stop()
                try:
                    self._fill(executor)
                    if not self.running:
                        break
                    self._collect()
                except BrokenExecutor as error:
                    if renew is None:
                        raise UserError(f"the executor stopped working ({error}); run the command again") from error
                    terminate(executor)
                    executor = renew()
                    self._mourn()
        except BaseException:
            if renew is not None:
                terminate(executor)
            for state in self.flows:
                state.flow.close()
            raise
        if renew is not None:
            executor.shutdown()
        return {state.name: self.outcomes[state.name] for state in self.flows}

    # -- flows ------------------------------------------------------------------------------------------------------

    def _advance(self, state: _FlowState) -> None:
        """Send a flow what it waits for, until it needs something that is not stored, or ends."""
        while True:
            arrived = [state.results[key] for key in state.keys]
            try:
                tasks = state.flow.send(arrived) if state.started else next(state.flow)
                state.started = True
                state.keys = [recipe_key(task, self.sha256) for task in tasks]
            except StopIteration as end:
                self._finish(FlowOutcome(state.name, value=end.value))
                return
            except (CandidateFailed, UserError) as error:
                logger.info("%s failed: %s", state.name, error)  # whoever gets the outcome says it
                self._finish(FlowOutcome(state.name, failure=str(error)))
                return
            except Exception as error:
                if stops_the_run(error):
                    raise
                logger.exception("%s failed", state.name)
                self._finish(FlowOutcome(state.name, failure=f"{type(error).__name__}: {error}"))
                return
            state.results = {}
            for task, key in zip(tasks, state.keys, strict=True):
                self._request(state, task, key)
            if all(key in state.results for key in state.keys):
                continue
            return

    def _request(self, state: _FlowState, task: Task, key: str) -> None:
        """Take a result from the store, join those who wait for it already, or put it on the queue."""
        if key in state.results:
            return
        if key in self.jobs:
            if state not in self.jobs[key].flows:
                self.jobs[key].flows.append(state)
            return
        known = copy.deepcopy(self.crashed[key]) if key in self.crashed else self.store.get(key)
        if known is not None and (known.failure is None or not self.retry_failed or key in self.fresh):
            state.results[key] = known
            if key not in self.fresh:
                self.n_reused += 1
                self.atom_calls_reused += known.n_force_calls * n_atoms(task)
            return
        self.jobs[key] = _Job(task, [state])
        heapq.heappush(self.ready, (state.index, self.n_requested, key))
        self.n_requested += 1

    def _finish(self, outcome: FlowOutcome) -> None:
        self.outcomes[outcome.name] = outcome
        if self.on_done is not None:
            self.on_done(outcome)
        self._report()

    # -- tasks ------------------------------------------------------------------------------------------------------

    def _fill(self, executor: Executor) -> None:
        """Keep every worker busy, with as many shards waiting; flows start when their turn comes."""
        capacity = 1 if isinstance(executor, InlineExecutor) else 2 * self.workers
        while len(self.running) < capacity:
            if self.suspects:
                # Alone, so that a second death has exactly one culprit.
                if self.running:
                    return
                self._submit(executor, (self.suspects.pop(0),))
                return
            while (self.batched or len(self.ready) < capacity) and self._start_next():
                pass
            if not self.ready:
                return
            size = len(self.ready) if self.batched else 1
            self._submit(executor, tuple(heapq.heappop(self.ready)[2] for _ in range(size)))

    def _start_next(self) -> bool:
        for state in self.flows:
            if not state.started and state.name not in self.outcomes:
                self._advance(state)
                return True
        return False

    def _submit(self, executor: Executor, keys: tuple[str, ...]) -> None:
        tasks = tuple(self.jobs[key].task for key in keys)
        try:
            future = executor.submit(run_shard, Shard(tasks=tasks, keys=keys, **self.shard_facts))
        except BrokenExecutor:
            # Not run yet: back to the front, without blame.
            self.suspects[:0] = keys
            raise
        self.running[future] = keys
        self._report()

    def _collect(self) -> None:
        """Wait for a shard, store its results, and wake the flows that waited for them."""
        done, _ = wait(self.running, return_when=FIRST_COMPLETED)
        for future in sorted(done, key=lambda f: self.running[f]):
            self._deliver_all(future)
        self._report()

    def _deliver_all(self, future: Future[list[Result | Crash]]) -> None:
        keys = self.running[future]
        try:
            results = future.result()
        except BrokenExecutor:
            raise  # the shard stays in `running`, for _mourn
        except Exception as error:  # for example a result that cannot be pickled
            if stops_the_run(error):
                raise
            results = [Crash(f"{type(error).__name__}: {error}", traceback.format_exc())] * len(keys)
        del self.running[future]
        for key, result in zip(keys, results, strict=True):
            self._deliver(key, result)

    def _deliver(self, key: str, result: Result | Crash) -> None:
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
            result = self.crashed[key] = failed_result(key, start_of(job.task), result.reason)
        else:
            self.cost.add(job.task, result)
            if self.checkpoint_dir is not None:
                Checkpoint(checkpoint_path(self.checkpoint_dir, key)).delete()
        self.fresh.add(key)
        self.n_done += 1
        self.n_force_calls += result.n_force_calls
        for state in job.flows:
            # A copy, since a flow may write on what it gets.
            state.results[key] = copy.deepcopy(result)
            if all(wanted in state.results for wanted in state.keys):
                self._advance(state)

    def _mourn(self) -> None:
        """A worker process died: collect what others had finished; the rest gets one more try, each task alone."""
        lost: list[str] = []
        for future, keys in list(self.running.items()):
            if future.done() and not isinstance(future.exception(), BrokenExecutor):
                self._deliver_all(future)
            else:
                del self.running[future]
                lost += keys
        for key in lost:
            job = self.jobs[key]
            job.deaths += 1
            if job.deaths > 1:
                self._deliver(key, Crash("its worker process died twice (out of memory?)", "no traceback"))
            else:
                logger.warning("a worker process died; %s is tried again", job.task.recipe.get("step", key))
                self.suspects.append(key)

    def _report(self) -> None:
        if self.on_progress is None:
            return
        waiting = [job.task for job in self.jobs.values()]
        self.on_progress(
            Progress(
                tasks_done=self.n_done,
                tasks_reused=self.n_reused,
                tasks_total=self.n_done + len(self.jobs),
                tasks_running=sum(len(keys) for keys in self.running.values()),
                flows_done=len(self.outcomes),
                flows_total=len(self.flows),
                n_force_calls=self.n_force_calls,
                elapsed_s=self.cost.elapsed_s,
                seconds_left=self.cost.seconds_left(waiting, self.workers),
                atom_calls=self.cost.atom_calls,
                atom_calls_reused=self.atom_calls_reused,
                busy_s=self.cost.busy_s,
            )
        )
