"""One run per folder, enforced by the operating system."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from screening.errors import UserError
from screening.files import naming

logger = logging.getLogger(__name__)

LOCK_FILE = ".lock"

_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
"""What file systems without locks say (NFS without its lock daemon, some FUSE and cluster file systems)."""


class FolderInUse(UserError):
    """Another process holds the folder."""


def is_held(folder: Path) -> bool:
    """Whether a process holds `folder`, or may hold it where locks cannot be asked for."""
    try:
        with (folder / LOCK_FILE).open(encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


@contextlib.contextmanager
def run_lock(folder: Path) -> Iterator[None]:
    """Hold `folder` exclusively.

    The lock belongs to the process, not to the file: the kernel drops it when the process ends, however it ends, so a
    killed run never leaves a stale one behind. Where the file system has no locks there is a warning and no lock: a
    lock of our own making would be left behind by every kill.

    Raises
    ------
    FolderInUse
        When another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / LOCK_FILE
    with path.open("a+", encoding="utf-8") as file:
        with naming(path):
            _take(file, folder)
        yield


def _take(file: TextIO, folder: Path) -> None:
    """Lock the open file and write down whose it is."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.seek(0)
        holder = file.read().strip() or "unknown"
        raise FolderInUse(
            f"{folder} is in use by another run (process {holder}): wait for it to end, stop it, "
            "or give this one another --out"
        ) from error
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        logger.warning(
            "the file system of %s gives no locks (%s): do not start a second run in that folder while this one works",
            folder,
            error.strerror,
        )
    file.seek(0)
    file.truncate()
    file.write(str(os.getpid()))
    file.flush()


def has_locks(path: Path) -> bool:
    """Whether a database at `path`, which need not be there yet, could be locked."""
    try:
        with path.open("rb") if path.exists() else tempfile.TemporaryFile(dir=path.parent) as file:
            # shared, because it is asked of files that can only be read, too
            fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in _NO_LOCKS  # held by another, or not to be opened: whoever opens it next says so
    return True
