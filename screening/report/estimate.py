"""The plan of a campaign for the terminal: candidates, skipped ones, atoms and cost."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from screening.report.table import skipped_table


def print_plan(console: Console, campaign: Any, cost: Any, *, full: bool) -> None:
    """Print what will be computed; `full` adds the table of candidates and of steps (for --dry-run)."""
    grid, settings = campaign.grid, campaign.settings
    if full:
        _print_candidates(console, campaign)
        _print_steps(console, cost)
        if grid.skipped:
            console.print(skipped_table(grid.skipped))
    time = "not estimated on a GPU" if cost.hours is None else f"about {_duration(cost.hours)} ({cost.basis})"
    console.print(
        f"{len(grid.candidates)} candidates, {len(grid.skipped)} skipped, preset {settings.preset}, "
        f"{settings.potential} on {campaign.device} x {campaign.workers}: {cost.force_calls} force calls, {time}",
        highlight=False,
    )
    if cost.hours is not None and settings.preset != "quick":
        console.print("This machine has no CUDA device; --preset quick gives a first ordering in less.", style="yellow")


def _print_candidates(console: Console, campaign: Any) -> None:
    from screening.campaign.labels import dopant_label, formula, site_label

    table = Table("candidate", "formula", "dopants", "site", "compensation", "x requested", "x realised")
    for c in campaign.grid.candidates:
        table.add_row(
            c.name, formula(c), dopant_label(c), site_label(c), c.compensation, f"{c.x_requested:.4g}", f"{c.x:.4g}"
        )
    console.print(table)


def _print_steps(console: Console, cost: Any) -> None:
    table = Table("step", "tasks", "atoms", "force calls each", "force calls")
    for step in cost.steps:
        table.add_row(step.name, *(str(v) for v in (step.tasks, step.atoms, step.calls, step.tasks * step.calls)))
    console.print(table)


def _duration(hours: float) -> str:
    return f"{hours * 60:.0f} min" if hours < 2 else f"{hours:.0f} h" if hours < 48 else f"{hours / 24:.0f} days"
