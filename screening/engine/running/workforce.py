"""Who computes: a potential on a device, in this process, in processes of our own, or on somebody's executor."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path

from screening.engine.running.workers import Execute, InlineExecutor, Shard, process_pool
from screening.engine.tasks import Task
from screening.potentials.base import Potential
from screening.potentials.batching import pick_device
from screening.potentials.registry import load_potential


@dataclass(frozen=True, kw_only=True)
class Workforce:
    """Who computes tasks, and with what.

    Attributes
    ----------
    potential_name
        As a user names it.
    device
        ``"cpu"``, ``"cuda"``, or ``"auto"`` for the best there is.
    workers
        Processes on a CPU. One worker, or CUDA, means this process; on CUDA all tasks that are ready form one batch.
    checkpoint_dir
        Where systems in flight are saved; a finished task's checkpoint is removed.
    self_check
        Let the potential relax LiNbO3 first (once per process).
    executor
        Any executor in place of the built-in ones, for example parsl's; `workers` then says how wide it is, and
        shutting it down is left to whoever made it.
    execute
        Stands in for `run_tasks`; must be picklable unless everything runs in this process.
    """

    potential_name: str
    device: str = "auto"
    workers: int = 1
    checkpoint_dir: Path | None = None
    self_check: bool = True
    executor: Executor | None = None
    execute: Execute | None = None

    def settled(self) -> Workforce:
        """The same with ``"auto"`` replaced by the device it stands for here.

        Raises
        ------
        UserError
            When there is no such device.
        """
        return replace(self, device=pick_device(self.device))

    @property
    def in_this_process(self) -> bool:
        return self.executor is None and (self.workers <= 1 or self.device.startswith("cuda"))

    @property
    def batched(self) -> bool:
        """Whether all tasks that are ready are computed together."""
        return self.in_this_process and self.device.startswith("cuda")

    @property
    def width(self) -> int:
        """Shards that are computed at the same time."""
        return 1 if self.in_this_process else max(1, self.workers)

    def load(self) -> Potential:
        """The potential, checked."""
        return load_potential(self.potential_name, self.device, self_check=self.self_check)

    def new_executor(self) -> Executor:
        """An executor of our own."""
        return (
            InlineExecutor() if self.in_this_process else process_pool(self.workers, self.potential_name, self.device)
        )

    def shard(self, tasks: tuple[Task, ...], keys: tuple[str, ...]) -> Shard:
        """Tasks with all that a worker needs to compute them."""
        return Shard(
            tasks=tasks,
            keys=keys,
            potential_name=self.potential_name,
            device=self.device,
            checkpoint_dir=self.checkpoint_dir,
            execute=self.execute,
        )
