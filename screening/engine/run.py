"""Running a mixed list of tasks on one potential."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from screening.engine.batch import MAX_ATOMS
from screening.engine.checkpoints import Checkpoint, checkpoint_path
from screening.engine.neb import neb_batch
from screening.engine.relax import relax_batch
from screening.engine.tasks import NebTask, RelaxTask, Result, Task
from screening.potentials.base import Potential


def run_tasks(
    tasks: Sequence[Task],
    keys: Sequence[str],
    potential: Potential,
    checkpoint_dir: Path | None,
    *,
    max_atoms: int = MAX_ATOMS,
) -> list[Result]:
    """Run relaxations together, then bands together.

    Parameters
    ----------
    tasks, keys
        The tasks and their recipe keys.
    checkpoint_dir
        Where systems in flight keep their state; None for no checkpoints. A finished system's state stays there until
        `discard_checkpoint`, so that a kill between computing and storing a result costs nothing.

    Returns
    -------
    list[Result]
        In the order of `tasks`.
    """
    relaxations = [index for index, task in enumerate(tasks) if isinstance(task, RelaxTask)]
    bands = [index for index, task in enumerate(tasks) if isinstance(task, NebTask)]

    def files(indices: list[int]) -> list[Path] | None:
        return None if checkpoint_dir is None else [checkpoint_path(checkpoint_dir, keys[index]) for index in indices]

    found: dict[int, Result] = {}
    relax_tasks = [task for task in tasks if isinstance(task, RelaxTask)]
    neb_tasks = [task for task in tasks if isinstance(task, NebTask)]
    if relax_tasks:
        own = [keys[index] for index in relaxations]
        done = relax_batch(relax_tasks, potential, keys=own, checkpoints=files(relaxations), max_atoms=max_atoms)
        found |= dict(zip(relaxations, done, strict=True))
    if neb_tasks:
        own = [keys[index] for index in bands]
        done = neb_batch(neb_tasks, potential, keys=own, checkpoints=files(bands), max_atoms=max_atoms)
        found |= dict(zip(bands, done, strict=True))
    return [found[index] for index in range(len(tasks))]


def discard_checkpoint(checkpoint_dir: Path, key: str) -> None:
    """Forget the state of a task whose result has been stored."""
    Checkpoint(checkpoint_path(checkpoint_dir, key)).delete()
