"""What became of the calculations that were to be taken in, for the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from screening.validation.ingest.ingest import IngestReport

FRAMES_SHOWN = 5
"""Duplicate frames of one file that get a line of their own."""


def print_ingested(console: Console, report: IngestReport, data: Path) -> None:
    """One line for each thing that was not taken in or is remarkable, then what was."""
    outcome = report.outcome

    def line(name: str, text: str) -> None:
        console.print(f"{name}: {text}", highlight=False, soft_wrap=True)

    for name, reason in report.refused:
        line(name, f"not ingested: {reason}")
    for name, against, difference in outcome.disputes:
        line(
            name,
            f"not ingested: it disagrees with {against} on the same structure and method by "
            f"{1000 * difference:.1f} meV/atom, and neither is used; delete the wrong run and {data / 'disputed'}, "
            "then ingest again",
        )
    for name, text in _duplicates(outcome.duplicates):
        line(name, text)
    for name, note in report.notes:
        line(name, f"note: {note}")
    for run, reason in report.unwritten:
        line(run, f"no records written: {reason}; mend or restore its store.db and ingest again, the data are kept")
    known = f", {len(outcome.known)} known already" if outcome.known else ""
    duplicates = f", {len(outcome.duplicates)} duplicates" if outcome.duplicates else ""
    refused = len(report.refused) + len(outcome.disputes)
    version = f"data version {report.version} in {data}" if report.version else f"{data} holds no data"
    console.print(
        f"{len(outcome.added)} calculations ingested with {outcome.n_frames} frames{known}{duplicates}, "
        f"{refused} not ingested, {report.n_records} records written; {version}",
        highlight=False,
        soft_wrap=True,
    )


def _duplicates(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """A line for each duplicate; for a file of which many frames are, one line for all of them."""
    by_file: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for name, against in pairs:
        by_file.setdefault((name.rpartition(":")[0], against.rpartition(":")[0]), []).append((name, against))
    lines = []
    for (file, other), members in by_file.items():
        if file and other and len(members) > FRAMES_SHOWN:
            lines.append((file, f"{len(members)} frames are duplicates of frames of {other}"))
        else:
            earlier = [" that was ingested before" if name == against else "" for name, against in members]
            lines += [(n, f"duplicate of {a}{which}") for (n, a), which in zip(members, earlier, strict=True)]
    return lines
