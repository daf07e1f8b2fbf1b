"""The jobs of a validation, and what becomes of them, for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from rich.console import Console

    from screening.door.validate import Validation
    from screening.validation.jobs import Manifest
    from screening.validation.runner import Event, JobOutcome


def print_written(console: Console, written: Validation) -> None:
    """Jobs by role with their cost, and what could not be planned."""
    _print_manifest(console, written.manifest, written.kept)
    for reason in written.missing:
        console.print(f"not planned: {reason}", highlight=False)


def _print_manifest(console: Console, manifest: Manifest, kept: Sequence[str]) -> None:
    table = Table(
        "role", "jobs", "largest, atoms", "core-hours, about", title=f"{manifest.folder} ({manifest.settings})"
    )
    own = [job for job in manifest.jobs if "same_as" not in job]
    for role in dict.fromkeys(job["role"] for job in own):
        rows = [job for job in own if job["role"] == role]
        hours = sum(job["core_hours"] for job in rows)
        table.add_row(role, str(len(rows)), str(max(job["n_atoms"] for job in rows)), f"{hours:,.0f}")
    console.print(table)
    twins = len(manifest.jobs) - len(own)
    if twins:
        console.print(f"{twins} more jobs equal another one (same_as in the manifest) and take its result.")
    if kept:
        console.print(f"{len(kept)} jobs were started or edited and are as they were.")
    console.print("Core-hours are an order of magnitude; see validation.yaml for how they are estimated.")


def print_next(console: Console, manifest: Manifest, ingest: str) -> None:
    """What to do with the folders; `ingest` is the command that takes the results in."""
    waits = any(job["after"] for job in manifest.jobs)
    folder = manifest.folder
    lines = [f"Next: run the jobs below {folder} (here: add --run)."]
    if manifest.engine == "vasp":
        lines.append("Put a POTCAR into each folder by its POTCAR.spec, unless pymatgen wrote it.")
    if waits:
        lines.append("Call this again when end points and bulk are done: bands and delithiated cells start from them.")
    lines.append(f"Then: {ingest}")
    console.print("\n".join(lines), highlight=False, soft_wrap=True)


def print_event(console: Console, event: Event) -> None:
    """A job that begins or has ended."""
    if event.outcome is None:
        console.print(f"[{event.number}/{event.total}] {event.name}", highlight=False)
    elif event.outcome.status != "done" or event.outcome.reason:
        console.print(f"    {event.outcome.status}: {event.outcome.reason}", highlight=False, soft_wrap=True)
    else:
        console.print(f"    done in {event.outcome.wall_s:.0f} s", highlight=False)


def print_outcomes(console: Console, outcomes: Sequence[JobOutcome], next_command: str) -> None:
    """What became of each job, and what comes next."""
    table = Table("job", "status", "reason")
    for outcome in outcomes:
        table.add_row(outcome.name, outcome.status, outcome.reason)
    console.print(table)
    counts = {s: sum(o.status == s for o in outcomes) for s in ("done", "failed", "skipped")}
    console.print(", ".join(f"{n} {status}" for status, n in counts.items()))
    if counts["failed"] or counts["skipped"]:
        console.print("The same command goes on with what is not done.", highlight=False)
    console.print(f"Next: {next_command}", highlight=False, soft_wrap=True)
