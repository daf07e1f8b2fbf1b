"""A live line in the terminal: what runs, how much is done, how long the rest will take."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from screening.report.progress import AnyProgress

QUIET_INTERVAL = 60.0
"""Seconds between lines where the output is not a terminal."""


def sign_of_life(*, in_logs: bool = False) -> None:
    """Say at once that the command has begun: what it needs takes seconds to import, more on a busy machine.

    Parameters
    ----------
    in_logs
        Say it where nobody watches, on the standard output that other programs may read; otherwise on a terminal.
    """
    watched = sys.stderr.isatty()
    if watched != in_logs:
        stream = sys.stderr if watched else sys.stdout
        stream.write("loading ...\n")
        stream.flush()


class LiveProgress:
    """Callable for `on_progress`: one spinner line on a terminal; elsewhere the first one, then one a minute."""

    def __init__(self, console: Console) -> None:
        from rich.status import Status

        self.console = console
        self._status = Status("starting", console=console)
        self._printed: float | None = None
        self._last: AnyProgress | None = None

    def __enter__(self) -> LiveProgress:
        if self.console.is_terminal:
            self._status.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._status.stop()

    def total(self) -> str:
        """What all of it took, to hold against what was announced."""
        from screening.report.progress import total

        if self._last is None:
            return "Nothing had to be computed."
        return total(self._last)

    def __call__(self, progress: AnyProgress) -> None:
        from screening.report.progress import describe

        self._last = progress
        text = describe(progress)
        if self.console.is_terminal:
            self._status.update(text)
        elif self._printed is None or time.monotonic() - self._printed > QUIET_INTERVAL:
            self._printed = time.monotonic()
            self.console.print(text, highlight=False, soft_wrap=True)
