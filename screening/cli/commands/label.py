"""`screen label FILE`: DFT energies and forces of any structures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from screening.cli.progress import sign_of_life
from screening.cli.signature import asked, command, defaults
from screening.door.given import HIGHEST_CHARGE
from screening.door.label import label
from screening.errors import CandidateFailed

USUAL = defaults(label)


@dataclass(frozen=True, kw_only=True)
class LabelOptions:
    """Options of `screen label`."""

    structures: Annotated[Path, typer.Argument(metavar="FILE", help="Structures: extxyz, CIF, POSCAR, ...")]
    out: Annotated[Path, typer.Option("--out", help="Folder; one sub-folder a structure, a stopped run continues.")]
    settings: Annotated[str, typer.Option("--settings", help="gpaw-pbe, gpaw-gamma, gpaw-lcao or a YAML file.")] = (
        USUAL.settings
    )
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="NAME", help="Names that begin with this; repeatable.")
    ] = USUAL.only
    charge: Annotated[
        int, typer.Option("--charge", min=-HIGHEST_CHARGE, max=HIGHEST_CHARGE, help="Net charge of each cell, e.")
    ] = USUAL.charge
    slab: Annotated[bool, typer.Option("--slab", help="The third axis holds a vacuum.")] = USUAL.slab
    max_atoms: Annotated[int | None, typer.Option("--max-atoms", min=1, help="Leave out larger cells.")] = (
        USUAL.max_atoms
    )


@command(LabelOptions)
def label_command(options: LabelOptions) -> None:
    """Compute single points (energy, forces) with GPAW; `screen ingest` reads the folder."""
    sign_of_life()
    from screening.report.console import make_console

    console = make_console()
    outcome = label(
        **asked(options, label), on_done=lambda name, what: console.print(f"{name}: {what}", highlight=False)
    )
    console.print(
        f"{options.out}: {len(outcome.computed)} computed, {len(outcome.known)} known, {len(outcome.taken)} taken by "
        f"another process, {len(outcome.failed)} failed"
    )
    if outcome.failed and not outcome.computed and not outcome.known:
        raise CandidateFailed("no structure could be computed; the reasons are above")
