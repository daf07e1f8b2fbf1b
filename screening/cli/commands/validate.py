"""`screen validate RUN`: send the best candidates of a run to DFT."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from screening.cli.own_name import own_command
from screening.cli.progress import sign_of_life
from screening.cli.signature import asked, command, defaults
from screening.door.validate import validate

VPMDK = "vpmdk"
"""Stands in for VASP; what it computes is taken in with --allow-simulated only."""

USUAL = defaults(validate)

WHAT, HOW, RUN = "What is validated", "How it is computed", "Running it here"


@dataclass(frozen=True, kw_only=True)
class ValidateOptions:
    """Options of `screen validate`."""

    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run, or its name below runs/.")]
    top: Annotated[
        int | None,
        typer.Option("--top", min=1, help="Best ranked doped candidates.", show_default="3", rich_help_panel=WHAT),
    ] = USUAL.top
    candidates: Annotated[
        str | None, typer.Option("--candidates", help="Names instead of --top, comma-separated.", rich_help_panel=WHAT)
    ] = USUAL.candidates
    only: Annotated[
        str | None,
        typer.Option(
            "--only", help="Some of bulk,interface,hops,vacancy,phases.", show_default="all", rich_help_panel=WHAT
        ),
    ] = USUAL.only
    settings: Annotated[
        str | None,
        typer.Option(
            "--settings",
            help="kim2026, mp, gpaw-pbe, or a YAML file.",
            show_default="kim2026, gpaw-pbe with gpaw",
            rich_help_panel=HOW,
        ),
    ] = USUAL.settings
    engine: Annotated[
        str | None, typer.Option("--engine", help="vasp or gpaw.", show_default="vasp", rich_help_panel=HOW)
    ] = USUAL.engine
    static: Annotated[
        bool, typer.Option("--static", help="Single points on the potential's structures.", rich_help_panel=HOW)
    ] = USUAL.static
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="Folder of the jobs.", show_default="RUN/validation/<settings>", rich_help_panel=HOW
        ),
    ] = USUAL.out
    run_jobs: Annotated[bool, typer.Option("--run", help="Run the jobs here, in order.", rich_help_panel=RUN)] = (
        USUAL.run_jobs
    )
    command: Annotated[
        str | None, typer.Option("--command", help="Starts VASP: 'mpirun -n 32 vasp_std'.", rich_help_panel=RUN)
    ] = USUAL.command
    max_atoms: Annotated[
        int | None,
        typer.Option(
            "--max-atoms", min=1, help="Skip larger cells.", show_default="none; gpaw: 60", rich_help_panel=RUN
        ),
    ] = USUAL.max_atoms


@command(ValidateOptions)
def validate_command(options: ValidateOptions) -> None:
    """Write everything DFT needs for the best candidates of a run, and run it if wanted.

    Called again it goes on: jobs that were started or edited are left alone, those that start from a finished one take
    its result.
    """
    sign_of_life()
    from screening.report.console import make_console
    from screening.report.validation import print_event, print_next, print_outcomes, print_written

    console = make_console()
    done = validate(
        **asked(options, validate),
        on_written=lambda written: print_written(console, written),
        on_event=lambda event: print_event(console, event),
    )
    if not options.run_jobs:
        print_next(console, done.manifest, own_command("ingest", done.folder))
        return
    programs = [Path(word).name for word in shlex.split(options.command or "")]
    simulated = ["--allow-simulated"] if VPMDK in programs else []
    print_outcomes(console, done.outcomes, own_command("ingest", done.folder, *simulated))
    if done.failed:
        raise typer.Exit(1)
