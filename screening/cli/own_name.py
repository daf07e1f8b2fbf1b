"""The command as it has to be typed here: `screen` may be GNU screen, or lie in an environment that is not active."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import sysconfig
from pathlib import Path

NAMES = ("screen", "coatscreen")


def own_command(*arguments: object) -> str:
    """A line that calls this program with `arguments`, quoted for a shell."""
    return f"{own_name()} {shlex.join(str(argument) for argument in arguments)}".rstrip()


def own_name() -> str:
    """The shortest text by which a shell finds this very program, quoted."""
    started, scripts = Path(sys.argv[0]), Path(sysconfig.get_path("scripts"))
    for name in NAMES:
        found = shutil.which(name)
        if found is not None and (_same(Path(found).parent, scripts) or _same(Path(found), started)):
            return name
    known = [path for path in (started, *(scripts / name for name in NAMES)) if path.name in NAMES and path.is_file()]
    return shlex.quote(_shortest(known[0])) if known else NAMES[0]


def _same(one: Path, other: Path) -> bool:
    return one.exists() and other.exists() and one.samefile(other)


def _shortest(path: Path) -> str:
    """The path as seen from here where that is shorter, with a separator so that a shell does not search for it."""
    text, relative = str(path.absolute()), os.path.relpath(path)
    if len(relative) < len(text) and not relative.startswith(os.pardir):
        return relative if os.sep in relative else f".{os.sep}{relative}"
    return text
