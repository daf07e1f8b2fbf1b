"""Drive many flows as one queue: look results up, compute what is missing, send it back into the flows."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from screening.engine.flows import Flow, FlowOutcome
from screening.engine.running.ledger import FlowState, Ledger
from screening.engine.running.progress import Progress
from screening.engine.running.store import RecordStore
from screening.engine.running.workers import Crash, InlineExecutor, run_shard, terminate
from screening.engine.running.workforce import Workforce
from screening.engine.tasks import Result
from screening.errors import UserError
from screening.process.stopping import check_stop
from screening.process.trouble import stops_the_run

logger = logging.getLogger(__name__)

T = TypeVar("T")


def run_flows(
    flows: Mapping[str, Flow[T]],
    *,
    store: RecordStore,
    workforce: Workforce,
    on_progress: Callable[[Progress], None] | None = None,
    on_done: Callable[[FlowOutcome[T]], None] | None = None,
    retry_failed: bool = False,
) -> dict[str, FlowOutcome[T]]:
    """Run `flows` to their ends.

    Parameters
    ----------
    flows
        By name; those listed earlier are served first.
    store
        Written by this process only. A result it holds is never computed again, not even a failed one.
    workforce
        Who computes what is missing.
    on_progress, on_done
        Called after every change, and once per finished flow.
    retry_failed
        Compute results again that are stored as failed.

    Returns
    -------
    dict
        The outcome of each flow, in the order of `flows`. A flow that fails never stops another one.

    Raises
    ------
    UserError
        For the potential, the device or the store, and when worker processes keep dying.
    OSError
        A full disk and its like: everything stops, nothing counts as failed, and the same call goes on.
    """
    workforce = workforce.settled()
    potential = workforce.load()

    def on_end(outcome: FlowOutcome[T]) -> None:
        if on_done is not None:
            on_done(outcome)
        queue.report()

    ledger = Ledger(
        flows=[FlowState(index, name, flow) for index, (name, flow) in enumerate(flows.items())],
        store=store,
        sha256=potential.checkpoint_sha256,
        checkpoint_dir=workforce.checkpoint_dir,
        retry_failed=retry_failed,
        on_end=on_end,
    )
    queue = _Queue(ledger=ledger, workforce=workforce, on_progress=on_progress)
    queue.run()
    return {name: ledger.outcomes[name] for name in flows}


@dataclass
class _Queue(Generic[T]):
    """The tasks of one `run_flows` call on their way to the workers and back."""

    ledger: Ledger[T]
    workforce: Workforce
    on_progress: Callable[[Progress], None] | None

    suspects: list[str] = field(default_factory=list)
    running: dict[Future[list[Result | Crash]], tuple[str, ...]] = field(default_factory=dict)

    def run(self) -> None:
        """Run to the end; an executor of our own is replaced after a worker has died."""
        given = self.workforce.executor
        executor = self.workforce.new_executor() if given is None else given
        try:
            while True:
                check_stop()
                try:
                    self._fill(executor)
                    if not self.running:
                        break
                    self._collect()
                except BrokenExecutor as error:
                    if given is not None:
                        raise UserError(f"the executor stopped working ({error}); run the command again") from error
                    terminate(executor)
                    executor = self.workforce.new_executor()
                    self._mourn()
        except BaseException:
            if given is None:
                terminate(executor)
            self.ledger.close()
            raise
        if given is None:
            executor.shutdown()

    def _fill(self, executor: Executor) -> None:
        """Keep every worker busy, with as many shards waiting; flows start when their turn comes."""
        ledger, batched = self.ledger, self.workforce.batched
        capacity = 1 if isinstance(executor, InlineExecutor) else 2 * self.workforce.width
        while len(self.running) < capacity:
            if self.suspects:
                # Alone, so that a second death has exactly one culprit.
                if self.running:
                    return
                self._submit(executor, (self.suspects.pop(0),))
                return
            while (batched or ledger.n_ready < capacity) and ledger.start_next():
                pass
            if not ledger.n_ready:
                return
            self._submit(executor, ledger.take(ledger.n_ready if batched else 1))

    def _submit(self, executor: Executor, keys: tuple[str, ...]) -> None:
        try:
            future = executor.submit(run_shard, self.workforce.shard(self.ledger.tasks(keys), keys))
        except BrokenExecutor:
            # Not run yet: back to the front, without blame.
            self.suspects[:0] = keys
            raise
        self.running[future] = keys
        self.report()

    def _collect(self) -> None:
        """Wait for a shard, store its results, and wake the flows that waited for them."""
        done, _ = wait(self.running, return_when=FIRST_COMPLETED)
        for future in sorted(done, key=lambda f: self.running[f]):
            self._deliver_all(future)
        self.report()

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
            self.ledger.deliver(key, result)

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
            job = self.ledger.jobs[key]
            job.deaths += 1
            if job.deaths > 1:
                self.ledger.deliver(key, Crash("its worker process died twice (out of memory?)", "no traceback"))
            else:
                logger.warning("a worker process died; %s is tried again", job.task.recipe.get("step", key))
                self.suspects.append(key)

    def report(self) -> None:
        """Tell how far the queue is."""
        if self.on_progress is None:
            return
        ledger = self.ledger
        waiting = [job.task for job in ledger.jobs.values()]
        self.on_progress(
            Progress(
                tasks_done=ledger.n_done,
                tasks_reused=ledger.n_reused,
                tasks_total=ledger.n_done + len(ledger.jobs),
                tasks_running=sum(len(keys) for keys in self.running.values()),
                flows_done=len(ledger.outcomes),
                flows_total=len(ledger.flows),
                n_force_calls=ledger.n_force_calls,
                elapsed_s=ledger.cost.elapsed_s,
                seconds_left=ledger.cost.seconds_left(waiting, self.workforce.width),
                atom_calls=ledger.cost.atom_calls,
                atom_calls_reused=ledger.atom_calls_reused,
                busy_s=ledger.cost.busy_s,
            )
        )
