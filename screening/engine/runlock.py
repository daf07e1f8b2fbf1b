"""One run per folder, enforced by the operating system."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from screening.errors import UserError

LOCK_FILE = ".lock"


class FolderInUse(UserError):
    """Another process holds the folder."""


@contextlib.contextmanager
def run_lock(folder: Path) -> Iterator[None]:
    """Hold `folder` exclusively.

    The lock belongs to the process, not to the file: the kernel drops it when the process ends, however it ends, so a
    killed run never leaves a stale one behind.

    Raises
    ------
    FolderInUse
        When another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK_FILE).open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise FolderInUse(
                f"{folder} is in use by another run (process {holder}): wait for it to end, stop it, "
                "or give this one another --out"
            ) from error
        file.seek(0)
        file.truncate()
        file.write(str(os.getpid()))
        file.flush()
        yield
