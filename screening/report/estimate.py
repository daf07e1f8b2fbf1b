"""The plan of a campaign for the terminal: candidates, skipped ones, atoms and cost."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from screening.report.table import skipped_table

_CAPTION = "Medians of recorded runs. A round after the first only where the search lowers the parent interface."


def print_plan(console: Console, campaign: Any, cost: Any, *, full: bool) -> None:
    """Print what will be computed; `full` adds the table of candidates and of steps (for --dry-run)."""
    grid, settings = campaign.grid, campaign.settings
    if full:
        _print_candidates(console, campaign)
        _print_steps(console, cost)
        if grid.skipped:
            console.print(skipped_table(grid.skipped))
    time = "not estimated on a GPU" if cost.hours is None else f"{duration(cost.hours)} ({cost.basis}, or busier)"
    fewest, most = cost.force_calls
    console.print(
        f"{len(grid.candidates)} candidates, {len(grid.skipped)} skipped, preset {settings.preset}, "
        f"{settings.potential} on {campaign.device} x {campaign.workers}: {fewest} to {most} force calls, {time}",
        highlight=False,
    )
    if cost.hours is not None and settings.preset != "quick":
        console.print("This machine has no CUDA device; --preset quick gives a first ordering in less.", style="yellow")


def _print_candidates(console: Console, campaign: Any) -> None:
    from screening.campaign.ranking.labels import dopant_label, formula, site_label

    table = Table("candidate", "formula", "dopants", "site", "compensation", "x requested", "x realised")
    for c in campaign.grid.candidates:
        table.add_row(
            c.name, formula(c), dopant_label(c), site_label(c), c.compensation, f"{c.x_requested:.4g}", f"{c.x:.4g}"
        )
    console.print(table)


def _print_steps(console: Console, cost: Any) -> None:
    table = Table("step", "tasks", "atoms", "force calls each", "force calls", caption=_CAPTION)
    for step in cost.steps:
        table.add_row(step.name, *(str(v) for v in (step.tasks, step.atoms, step.calls, step.tasks * step.calls)))
    console.print(table)


def duration(hours: tuple[float, float]) -> str:
    """A range of times in the unit of its end, for example ``4 to 12 min``."""
    low, high = hours
    for unit, per_hour, limit in (("s", 3600.0, 90 / 3600), ("min", 60.0, 2.0), ("h", 1.0, 48.0)):
        if high < limit:
            return _span(low * per_hour, high * per_hour, unit)
    return _span(low / 24, high / 24, "days")


def _span(low: float, high: float, unit: str) -> str:
    ends = [f"{max(value, 1):.0f}" for value in (low, high)]
    return f"{ends[0]} {unit}" if ends[0] == ends[1] else f"{ends[0]} to {ends[1]} {unit}"
