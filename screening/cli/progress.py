"""A live line in the terminal: what runs, how much is done, how long the rest will take."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.status import Status

if TYPE_CHECKING:
    from screening.engine.progress import Progress

QUIET_INTERVAL = 60.0
"""Seconds between lines where the output is not a terminal."""


class LiveProgress:
    """Callable for `on_progress`: one spinner line on a terminal, a line a minute elsewhere."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._status = Status("starting", console=console)
        self._printed = time.monotonic()

    def __enter__(self) -> LiveProgress:
        if self.console.is_terminal:
            self._status.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._status.stop()

    def __call__(self, progress: Progress) -> None:
        text = describe(progress)
        if self.console.is_terminal:
            self._status.update(text)
        elif time.monotonic() - self._printed > QUIET_INTERVAL:
            self._printed = time.monotonic()
            self.console.print(text, highlight=False)


def describe(progress: Progress) -> str:
    """One line; the time left covers the tasks known now, and more follow while flows are unfinished."""
    left = "" if progress.seconds_left is None else f", at least {_minutes(progress.seconds_left)} left in this stage"
    reused = f" ({progress.tasks_reused} from the store)" if progress.tasks_reused else ""
    return (
        f"{progress.flows_done}/{progress.flows_total} properties, {progress.tasks_done}/{progress.tasks_total} "
        f"computations{reused}, {progress.n_force_calls} force calls, {_minutes(progress.elapsed_s)}{left}"
    )


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
