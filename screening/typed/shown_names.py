"""Files and folders that were given to a command: how they are called in what it prints, and whether they are there."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

# names that an extended XYZ file would give back as numbers or truth values
LIKE_A_VALUE = re.compile(r"[TF]|true|false|[\d.eE+-]+", re.IGNORECASE)
HEX = re.compile(r"[0-9A-Fa-f]{2}")


def plain_name(name: str) -> str:
    """A name that any file and terminal can hold, and that no other name looks like.

    Line ends, controls, marks without width, bytes that are no text, and backslashes, which extended XYZ files swallow,
    are written as in a URL: ``%0A``.
    """
    shown = []
    for position, c in enumerate(name):
        odd = not c.isprintable() or c == "\\" or (c == "%" and HEX.match(name, position + 1))
        shown.append("".join(f"%{byte:02X}" for byte in os.fsencode(c)) if odd else c)
    return "".join(shown)


def names_of_roots(roots: Sequence[Path]) -> dict[Path, str]:
    """Last part of each path, and as many parts before it as tell it from the others.

    Links are not followed: what the user typed is what is shown.
    """
    parts = {root: Path(os.path.abspath(root)).parts for root in roots}  # noqa: PTH100  (resolve follows links)
    names: dict[Path, str] = {}
    for root, own in parts.items():
        others = {other for other in parts.values() if other != own}
        length = 1
        while length < len(own) and any(other[-length:] == own[-length:] for other in others):
            length += 1
        names[root] = "/".join(own[-length:])
    return names


def name_below(root: Path, name: str, path: Path) -> str:
    """Name of `path`, which lies at or below `root`, whose own name is `name`."""
    try:
        inside = path.relative_to(root)
    except ValueError:
        inside = Path(path.name)
    shown = plain_name((Path(name) / inside).as_posix())
    return f"./{shown}" if LIKE_A_VALUE.fullmatch(shown) else shown


def holds(path: Path, test: Literal["exists", "is_file", "is_dir"]) -> bool:
    """Whether a test of a path holds; what may not be looked at is not there."""
    try:
        return bool(getattr(path, test)())
    except (OSError, ValueError):
        return False
