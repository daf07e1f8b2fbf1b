"""Every way in which a command can end badly, as one sentence that names the place and says what to do."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import sqlite3
import sys
import tempfile
import traceback
from pathlib import Path

from screening.errors import CandidateFailed, UserError
from screening.process.logs import TRACEBACK

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
_NO_ROOM = re.compile("failed to map segment|cannot allocate memory", re.IGNORECASE)
"""What the loader of libraries says below `ulimit -v`."""
DEFAULT = "check it, then run the same command again"


def end(error: BaseException) -> int:
    """Print the sentence of an error that ended a command on standard error, and return the exit code.

    2 where the user can mend the cause (input, files, disks), 1 where a computation failed or the program is wrong.
    """
    if isinstance(error, BrokenPipeError):
        _quiet_output()  # whoever read our output has had enough (`screen rank RUN | head`): that is no failure
        return 1
    if os.environ.get(TRACEBACK):
        traceback.print_exception(error, file=sys.stderr)
    with contextlib.suppress(OSError):  # standard error itself may be what cannot be written
        print(f"screen: {sentence(error)}", file=sys.stderr, flush=True)  # noqa: T201
    _flush_output()
    return 2 if isinstance(error, UserError | OSError | UnicodeError | sqlite3.Error) else 1


def sentence(error: BaseException) -> str:
    """What went wrong and what to do about it."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, CandidateFailed):
        return f"the screen cannot go on: {error}"
    if isinstance(error, OSError):
        return _of_system(error)
    if isinstance(error, sqlite3.Error):
        return f"a database cannot be used ({error}): check its disk and permissions, then run the same command again"
    if isinstance(error, MemoryError) or (isinstance(error, ImportError) and _NO_ROOM.search(str(error))):
        return "there is not enough memory: close other programs, use fewer --workers or a smaller --preset"
    if isinstance(error, UnicodeDecodeError):
        line = bytes(error.object).count(b"\n", 0, error.start) + 1
        return f"an input file is no {error.encoding} text (line {line}): save it as UTF-8"
    if isinstance(error, UnicodeEncodeError):
        return f"{error.object!a} cannot be written as {error.encoding}: give that file or name ordinary letters"
    return _of_program(error)


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


def _of_program(error: BaseException) -> str:
    """Something nobody thought of: the traceback goes into a file, for a report."""
    what = " ".join(f"{type(error).__name__}: {error}".split())[:300].rstrip(": ")
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="coatscreen-", suffix=".log", delete=False, encoding="utf-8", errors="backslashreplace"
        ) as file:
            traceback.print_exception(error, file=file)
    except OSError:
        return f"this should not have happened ({what}): run it again with {TRACEBACK}=1 and report what it prints"
    return f"this should not have happened ({what}): please report it with the file {file.name}"


def _flush_output() -> None:
    """What standard output still holds and cannot take (a full disk) must not fail once more at the very end."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError, AttributeError):
        _quiet_output()


def _quiet_output() -> None:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
