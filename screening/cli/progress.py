"""A live line in the terminal: what runs, how much is done, how long the rest will take."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from screening.campaign.overall import CampaignProgress
    from screening.engine.running.progress import Progress

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
        self._last: Progress | CampaignProgress | None = None

    def __enter__(self) -> LiveProgress:
        if self.console.is_terminal:
            self._status.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._status.stop()

    def total(self) -> str:
        """What all of it took, to hold against what was announced."""
        if self._last is None:
            return "Nothing had to be computed."
        return f"{self._last.n_force_calls} force calls in {_minutes(self._last.elapsed_s)}."

    def __call__(self, progress: Progress | CampaignProgress) -> None:
        self._last = progress
        text = describe(progress)
        if self.console.is_terminal:
            self._status.update(text)
        elif self._printed is None or time.monotonic() - self._printed > QUIET_INTERVAL:
            self._printed = time.monotonic()
            self.console.print(text, highlight=False, soft_wrap=True)


def describe(progress: Progress | CampaignProgress) -> str:
    """One line on one queue or on a whole campaign."""
    from screening.campaign.overall import CampaignProgress

    return _of_campaign(progress) if isinstance(progress, CampaignProgress) else _of_queue(progress)


def _of_queue(progress: Progress) -> str:
    """The time left covers the tasks known now, and more follow while flows are unfinished."""
    left = "" if progress.seconds_left is None else f", {_minutes(progress.seconds_left)} left for what is known now"
    return (
        f"{progress.flows_done}/{progress.flows_total} properties, {progress.tasks_done}/{progress.tasks_total} "
        f"computations{_reused(progress.tasks_reused)}, {progress.n_force_calls} force calls, "
        f"{_minutes(progress.elapsed_s)}{left}"
    )


def _of_campaign(progress: CampaignProgress) -> str:
    """Counts and times of all stages so far and to come; only the properties are those of the stage under way."""
    if not progress.stage:
        return f"{progress.title}, {_minutes(progress.elapsed_s)}"
    left = "" if progress.seconds_left is None else f", {time_left(progress.seconds_left)}"
    properties = f", {progress.flows_done}/{progress.flows_total} done" if progress.flows_total > 1 else ""
    return (
        f"stage {progress.stage} of {progress.n_stages} ({progress.title}{properties}): {progress.tasks_done} "
        f"computations{_reused(progress.tasks_reused)} and {progress.n_force_calls} force calls in all, "
        f"{_minutes(progress.elapsed_s)}{left}"
    )


def _reused(count: int) -> str:
    return f" ({count} more from the store)" if count else ""


def time_left(seconds: tuple[float, float]) -> str:
    """``4 to 12 min left in all``."""
    from screening.report.estimate import duration

    return f"{duration((seconds[0] / 3600, seconds[1] / 3600))} left in all"


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
