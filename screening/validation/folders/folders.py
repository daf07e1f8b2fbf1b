"""Job folders: written once, written again while nobody has touched them, never once a job was started."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from screening.files import read_received, sha256_of
from screening.validation.jobs import Job

INPUTS = ".inputs.json"
"""Hashes of the files that were written, by which a later call sees what is new in a folder."""

Write = Callable[[Job, Path], None]

State = Literal["absent", "written", "edited", "started"]
"""Of a job's folder: not there; as we wrote it; an input was changed by hand; it holds more than its inputs."""


def write_job(job: Job, root: Path, write: Write) -> State:
    """Write a job's folder below `root` unless it was started or edited, and return the state it was in.

    The folder appears in one step: a kill leaves the old inputs or the new ones.

    Parameters
    ----------
    write
        Writes all inputs of a job into an empty folder, such as `Engine.write`.
    """
    folder = root / job.name
    state = state_of(folder)
    if state in ("edited", "started"):
        return state
    partial = folder.with_name(f".{folder.name}.partial")
    if partial.exists():
        shutil.rmtree(partial)
    partial.mkdir(parents=True)
    write(job, partial)
    files = {str(path.relative_to(partial)): sha256_of(path) for path in sorted(partial.rglob("*")) if path.is_file()}
    (partial / INPUTS).write_text(json.dumps(files, indent=1) + "\n", encoding="utf-8")
    if folder.exists():
        shutil.rmtree(folder)  # only what we wrote ourselves, unchanged
    partial.replace(folder)
    return state


def state_of(folder: Path) -> State:
    """What became of a job's folder since its inputs were written."""
    if not folder.exists():
        return "absent"
    try:
        known: dict[str, str] = json.loads(read_received(folder / INPUTS))
    except (OSError, ValueError):
        return "started"  # not written by us, or not completely: nothing here is ours to replace
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() or path.is_symlink()}
    there.discard(INPUTS)
    if there - known.keys():
        return "started"
    same = all(name in there and sha256_of(folder / name) == digest for name, digest in known.items())
    return "written" if same else "edited"


def copy_result(source: Path, target: Path) -> None:
    """Put the finished folder of an identical job in the place of one that was not started.

    Raises
    ------
    ValueError
        When the target was started or edited.
    """
    if state_of(target) in ("edited", "started"):
        raise ValueError(f"{target} is not as it was written")
    partial = target.with_name(f".{target.name}.partial")
    if partial.exists():
        shutil.rmtree(partial)
    shutil.copytree(source, partial, symlinks=True)
    own_job = target / "job.json"
    if own_job.is_file():
        shutil.copy2(own_job, partial / "job.json")
    if target.exists():
        shutil.rmtree(target)
    partial.replace(target)
