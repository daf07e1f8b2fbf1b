"""Where shards of tasks run: in this process, or in a pool of processes that dies with this one."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from screening.engine.tasks import Result, Task
from screening.potentials.base import Potential
from screening.process import logs
from screening.process.stopping import SIGNALS
from screening.process.threads import limit_threads
from screening.process.trouble import stops_the_run

logger = logging.getLogger(__name__)

Execute = Callable[[Sequence[Task], Sequence[str], Potential, Path | None], list[Result]]


@dataclass(frozen=True, kw_only=True)
class Shard:
    """Tasks that one worker computes together, and everything it needs to do so."""

    tasks: tuple[Task, ...]
    keys: tuple[str, ...]
    potential_name: str
    device: str
    checkpoint_dir: Path | None
    execute: Execute | None = None


@dataclass(frozen=True)
class Crash:
    """A task that raised: the reason in words, and where."""

    reason: str
    traceback: str


def run_shard(shard: Shard) -> list[Result | Crash]:
    """Compute a shard in this process; when it raises, each of its tasks alone, so that only the guilty one is lost.

    Raises
    ------
    OSError
        A full disk and its like (`stops_the_run`): no task is guilty of it.
    """
    from screening.potentials.registry import load_potential

    execute = shard.execute or _run_tasks
    try:
        potential = load_potential(shard.potential_name, shard.device, self_check=False)
        results = execute(shard.tasks, shard.keys, potential, shard.checkpoint_dir)
        for result in results:
            # A calculator may hold a whole model, or what cannot be sent between processes.
            for atoms in (result.atoms, *result.images):
                atoms.calc = None
        return list(results)
    except Exception as error:
        if stops_the_run(error):
            raise
        if len(shard.tasks) == 1:
            return [Crash(f"{type(error).__name__}: {error}", traceback.format_exc())]
        logger.info("a shard of %d tasks failed (%s); running each task alone", len(shard.tasks), error)
    outcome: list[Result | Crash] = []
    for task, key in zip(shard.tasks, shard.keys, strict=True):
        outcome += run_shard(
            Shard(
                tasks=(task,),
                keys=(key,),
                potential_name=shard.potential_name,
                device=shard.device,
                checkpoint_dir=shard.checkpoint_dir,
                execute=shard.execute,
            )
        )
    return outcome


def _run_tasks(
    tasks: Sequence[Task], keys: Sequence[str], potential: Potential, checkpoint_dir: Path | None
) -> list[Result]:
    from screening.engine.running.run import run_tasks

    return run_tasks(tasks, keys, potential, checkpoint_dir)


class InlineExecutor(Executor):
    """Runs what is submitted at once, in this process."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


def process_pool(workers: int, potential_name: str, device: str) -> ProcessPoolExecutor:
    """Processes that compute by the rule of `screening.process.threads`, each with the potential loaded once."""
    return ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start_worker,
        initargs=(potential_name, device, logging.getLogger().getEffectiveLevel()),
    )


def terminate(executor: Executor) -> None:
    """Stop a pool now; what its workers were computing continues from checkpoints in the next run."""
    # Public from Python 3.14 on (terminate_workers); the attribute is the only way before.
    processes = list((getattr(executor, "_processes", None) or {}).values())
    executor.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.kill()  # workers are deaf to anything milder, and checkpoints are whole at any moment


def _start_worker(potential_name: str, device: str, log_level: int) -> None:
    for number in SIGNALS:
        # a terminal and a batch queue tell the whole process group; the driver decides, and a worker ends with it
        signal.signal(number, signal.SIG_IGN)
    logs.set_up(log_level)
    _die_with_parent()
    from screening.potentials.registry import load_potential

    limit_threads()  # before the model: what is loaded by now, and for what is loaded later
    try:
        load_potential(potential_name, device, self_check=False)
    except Exception:
        # Raising here would break the whole pool without a reason; the first task raises it again and reports it.
        logger.exception("worker %d could not load %s", os.getpid(), potential_name)


def _die_with_parent() -> None:
    """A worker whose driver was killed would wait for work for ever, or go on writing checkpoints beside a new run."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch(sentinel: int) -> None:
        wait([sentinel])
        os._exit(1)

    threading.Thread(target=watch, args=(parent.sentinel,), daemon=True).start()
