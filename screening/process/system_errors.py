"""What the operating system, a database or an encoding refuses, as one sentence with the place and the remedy."""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path

SYSTEM_ERRORS = (OSError, sqlite3.Error, UnicodeError)

AGAIN = "then start the same command again, which continues where it was"
WRITABLE = "give a place where you may write, or change its permissions"
LATER = "start the same command again later"

REMEDIES: dict[int, str] = {
    errno.EACCES: WRITABLE,
    errno.EPERM: WRITABLE,
    errno.EROFS: "give a place on a disk that can be written",
    errno.ENOSPC: f"free some space, {AGAIN}",
    errno.EDQUOT: f"free some of your share of the disk, {AGAIN}",
    errno.EFBIG: "allow larger files (`ulimit -f`) or use another disk",
    errno.ENOLCK: "its file system gives no locks, as some network drives do; use a folder on a local disk",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ENOTDIR: "a part of that path is a file; correct the path",
    errno.EISDIR: "name a file, not a folder",
    errno.ENOENT: "check the path",
    errno.EEXIST: "choose another name, or move it away",
    errno.ENOTEMPTY: "choose another name, or move the folder away",
    errno.ELOOP: "its links lead in a circle; correct them",
    errno.EMFILE: "allow more open files (`ulimit -n 4096`), then start the same command again",
    errno.ENFILE: LATER,
    errno.EIO: f"check the disk or the network drive, {AGAIN}",
    errno.ESTALE: f"the network drive was taken away meanwhile; mount it again, {AGAIN}",
    errno.EBUSY: f"something else uses it; {LATER}",
    errno.ENOMEM: "close other programs, or use fewer --workers",
    errno.EINVAL: "the file system does not take it; use another name or another disk",
    errno.ETXTBSY: "end the program that runs from it first",
}
DEFAULT = "check it, then run the same command again"


def system_sentence(error: BaseException) -> str | None:
    """What went wrong and what to do about it; None for an error of another kind than `SYSTEM_ERRORS`."""
    if isinstance(error, OSError):
        return _of_system(error)
    if isinstance(error, sqlite3.Error):
        return f"a database cannot be used ({error}): check its disk and permissions, then run the same command again"
    if isinstance(error, UnicodeDecodeError):
        line = bytes(error.object).count(b"\n", 0, error.start) + 1
        return f"an input file is no {error.encoding} text (line {line}): save it as UTF-8"
    if isinstance(error, UnicodeEncodeError):
        return f"{error.object!a} cannot be written as {error.encoding}: give that file or name ordinary letters"
    return None


def _of_system(error: OSError) -> str:
    """An error of the operating system: the file, what is wrong with it, the remedy."""
    if error.errno is None:
        return str(error).strip() or type(error).__name__
    places = [os.fsdecode(name) for name in (error.filename, error.filename2) if isinstance(name, str | bytes)]
    where = " and ".join(dict.fromkeys(places)) or _unnamed()
    remedy = REMEDIES.get(error.errno, DEFAULT)
    reason = error.strerror or os.strerror(error.errno)
    return f"{where} cannot be used ({reason}): {remedy}"


def _unnamed() -> str:
    try:
        return f"a file (the current folder is {Path.cwd()})"
    except OSError:
        return "a file (the current folder is gone)"
