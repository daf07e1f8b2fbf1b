"""Paths that a file names: below a folder, or not followed."""

from __future__ import annotations

from pathlib import Path, PurePath


def is_below(name: str) -> bool:
    """Whether a relative path stays below where it starts: not empty, not absolute, without ``..``."""
    path = PurePath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts and "\0" not in name


def lies_in(folder: Path, name: str) -> bool:
    """Whether `name` is a path below `folder` that no link leads out of."""
    try:
        return is_below(name) and (folder / name).resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):  # links in a circle
        return False
