"""What is computed once for all of pytest's processes, whichever of them asks first."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Folder `name` of this session, filled by `make` in the first process that asks; the others wait for it.

    Nobody may write into it: tests that do work on a copy. What `make` raises is raised in every process, and each
    tries again in an empty folder.
    """
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # then every process has a folder of its own below that of the session
        base = base.parent
    place, finished = base / f"{name}-shared", base / f"{name}.finished"
    with (base / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not finished.exists():
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
            make(place)
            finished.touch()
    return place
