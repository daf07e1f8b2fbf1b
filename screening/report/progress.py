"""How far a computation is, in words."""

from __future__ import annotations

from screening.campaign.overall import CampaignProgress
from screening.engine.running.progress import Progress
from screening.report.estimate import duration

AnyProgress = Progress | CampaignProgress


def describe(progress: AnyProgress) -> str:
    """One line on one queue or on a whole campaign."""
    return _of_campaign(progress) if isinstance(progress, CampaignProgress) else _of_queue(progress)


def total(progress: AnyProgress) -> str:
    """What all of it took, at its end."""
    return f"{progress.n_force_calls} force calls in {_minutes(progress.elapsed_s)}."


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
    return f"{duration((seconds[0] / 3600, seconds[1] / 3600))} left in all"


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
