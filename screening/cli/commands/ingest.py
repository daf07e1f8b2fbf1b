"""`screen ingest PATH...`: finished calculations into the data folder and into the run that asked for them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from screening.cli.progress import sign_of_life
from screening.cli.signature import asked, command, defaults
from screening.door.ingest import ingest

USUAL = defaults(ingest)

JUDGING, OUTPUT = "How calculations are judged", "Output"


@dataclass(frozen=True, kw_only=True)
class IngestOptions:
    """Options of `screen ingest`."""

    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH...", help="Folders or files with VASP, GPAW or extxyz results, in any layout."),
    ]
    data: Annotated[Path, typer.Option("--data", help="Folder of the training set.", rich_help_panel=OUTPUT)] = Path(
        USUAL.data
    )
    settings: Annotated[
        str | None,
        typer.Option(
            "--settings",
            help="Validation settings they were made with (a name or a YAML file); by default those of the manifest "
            "above them, or the shipped ones they agree with.",
            rich_help_panel=JUDGING,
        ),
    ] = USUAL.settings
    accept_method: Annotated[
        bool,
        typer.Option(
            "--accept-method",
            help="Keep calculations that agree with no settings under a name of their own method.",
            rich_help_panel=JUDGING,
        ),
    ] = USUAL.accept_method
    allow_simulated: Annotated[
        bool,
        typer.Option(
            "--allow-simulated",
            help="Also keep what only pretends to be VASP, as mlip:MODEL-via-vasp; for trying out the loop.",
            rich_help_panel=JUDGING,
        ),
    ] = USUAL.allow_simulated


@command(IngestOptions)
def ingest_command(options: IngestOptions) -> None:
    """Check finished calculations and keep them: records for their run, frames for `screen retrain`."""
    sign_of_life()
    from screening.report.console import make_console
    from screening.report.ingest import print_ingested

    report = ingest(**asked(options, ingest))
    print_ingested(make_console(), report, options.data)
    if not report.useful:
        raise typer.Exit(2)
    if report.unwritten:
        raise typer.Exit(1)
