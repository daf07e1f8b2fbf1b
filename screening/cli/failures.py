"""Every way in which a command can end badly, as one sentence that names the place and says what to do."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
import traceback

from screening.errors import CandidateFailed, UserError
from screening.process.logs import TRACEBACK
from screening.process.system_errors import SYSTEM_ERRORS, system_sentence

_NO_ROOM = re.compile("failed to map segment|cannot allocate memory", re.IGNORECASE)
"""What the loader of libraries says below `ulimit -v`."""


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
    return 2 if isinstance(error, (UserError, *SYSTEM_ERRORS)) else 1


def sentence(error: BaseException) -> str:
    """What went wrong and what to do about it."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, CandidateFailed):
        return f"the screen cannot go on: {error}"
    if isinstance(error, MemoryError) or (isinstance(error, ImportError) and _NO_ROOM.search(str(error))):
        return "there is not enough memory: close other programs, use fewer --workers or a smaller --preset"
    return system_sentence(error) or _of_program(error)


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
