"""How many threads a process computes with: one rule for driver and workers, for torch, BLAS and OpenMP alike.

The number is OMP_NUM_THREADS where the user has set it, and one otherwise, in every process that computes. Cores are
filled by processes: a force call on some hundred atoms gains nothing from a second thread, and threads that wait for
each other by spinning are a disaster as soon as anything else runs on the machine (docs/benchmarks.md).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

CHOICE = "OMP_NUM_THREADS"
MOST_PER_CORE = 4
"""Threads for each core beyond which a number is a slip: libraries fail when they are asked for a million."""
VARIABLES = (
    CHOICE,
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
"""What libraries read when they are loaded; all are given the same number."""

_found: dict[str, str | None] = {}
_limited: set[str] = set()


def thread_count() -> int:
    """Threads of a process that computes; anything in OMP_NUM_THREADS that is no usable number counts as one."""
    first = os.environ.get(CHOICE, "").split(",")[0].strip()  # a list gives the threads of nested levels
    if not first.isdecimal() or len(first) > len(str(sys.maxsize)):
        return 1
    count = int(first)
    return count if 1 <= count <= MOST_PER_CORE * (os.cpu_count() or 1) else 1


def set_environment() -> int:
    """State the number in the environment, for libraries that are loaded later and for processes started from here.

    Returns
    -------
    int
        The number.
    """
    count = thread_count()
    for name in VARIABLES:
        _found.setdefault(name, os.environ.get(name))
        os.environ[name] = str(count)
    return count


def limit_threads() -> int:
    """Apply the rule to this process, once: to the environment, to libraries that are loaded already, and to torch.

    A number that somebody sets afterwards, such as ``torch.set_num_threads`` in a notebook, is left alone.

    Returns
    -------
    int
        The number.
    """
    count = set_environment()
    if "libraries" not in _limited:
        from threadpoolctl import threadpool_limits

        threadpool_limits(limits=count)
        _limited.add("libraries")
    if "torch" in sys.modules and "torch" not in _limited:
        _limit_torch(count)
        _limited.add("torch")
    return count


def _limit_torch(count: int) -> None:
    import torch

    torch.set_num_threads(count)
    if torch.get_num_interop_threads() != count:
        try:
            torch.set_num_interop_threads(count)
        except RuntimeError:
            # torch allows this once, before its first parallel work; the threads of an earlier choice sleep when idle
            return


@contextmanager
def users_environment() -> Iterator[None]:
    """While a program of the user's runs (VASP under custodian): the variables as the user had them.

    VASP may be built for several threads a rank, and how many is the user's choice and not ours.
    """
    ours = {name: os.environ.get(name) for name in VARIABLES}
    _put(_found or ours)
    try:
        yield
    finally:
        _put(ours)


def _put(values: dict[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
