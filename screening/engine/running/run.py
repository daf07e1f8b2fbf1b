"""Running a mixed list of tasks on one potential."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from screening.engine.checkpoints import Checkpoint, checkpoint_path
from screening.engine.drive import System, drive
from screening.engine.paths.neb import Band
from screening.engine.relax import Relaxation
from screening.engine.tasks import RelaxTask, Result, Task
from screening.potentials.base import Potential


def run_tasks(
    tasks: Sequence[Task],
    keys: Sequence[str],
    potential: Potential,
    checkpoint_dir: Path | None,
    *,
    max_atoms: int | None = None,
) -> list[Result]:
    """Run relaxations and bands together.

    Parameters
    ----------
    tasks, keys
        The tasks and their recipe keys.
    checkpoint_dir
        Where systems in flight keep their state; None for no checkpoints. A finished system's state stays there until
        it is deleted, so that a kill between computing and storing a result costs nothing.
    max_atoms
        As in `drive`.

    Returns
    -------
    list[Result]
        In the order of `tasks`.
    """
    files = None if checkpoint_dir is None else [checkpoint_path(checkpoint_dir, key) for key in keys]
    return drive(tasks, keys, potential, start_system, checkpoints=files, max_atoms=max_atoms)


def start_system(task: Task, key: str, checkpoint: Checkpoint | None) -> System:
    """The task under way, at its start or where its checkpoint left it; a ValueError says why it cannot be computed."""
    if isinstance(task, RelaxTask):
        return Relaxation.start(task, key, checkpoint)
    return Band.start(task, key, checkpoint)
