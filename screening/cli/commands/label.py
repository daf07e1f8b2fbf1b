"""`screen label FILE`: DFT energies and forces of any structures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from screening.cli.progress import sign_of_life
from screening.errors import CandidateFailed, UserError


def label_command(
    structures: Annotated[Path, typer.Argument(metavar="FILE", help="Structures: extxyz, CIF, POSCAR, ...")],
    out: Annotated[Path, typer.Option("--out", help="Folder; one sub-folder a structure, a stopped run continues.")],
    settings: Annotated[
        str, typer.Option("--settings", help="gpaw-pbe, gpaw-gamma, gpaw-lcao or a YAML file.")
    ] = "gpaw-pbe",
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="NAME", help="Names that begin with this; repeatable.")
    ] = None,
    charge: Annotated[int, typer.Option("--charge", min=-20, max=20, help="Net charge of each cell, e.")] = 0,
    slab: Annotated[bool, typer.Option("--slab", help="The third axis holds a vacuum.")] = False,
    max_atoms: Annotated[int | None, typer.Option("--max-atoms", min=1, help="Leave out larger cells.")] = None,
) -> None:
    """Compute single points (energy, forces) with GPAW; `screen ingest` reads the folder."""
    sign_of_life()
    from screening.report.console import make_console
    from screening.validation import label as labels
    from screening.validation.gpaw.settings import GpawSettings
    from screening.validation.programs import load_validation_settings, make_engine

    chosen = load_validation_settings(settings)
    if not isinstance(chosen, GpawSettings):
        raise UserError(f"{settings} are settings of {chosen.engine}; label computes with GPAW, give gpaw-pbe.")
    found = labels.only(labels.read_structures(structures), only or [])
    if max_atoms is not None:
        found = {name: atoms for name, atoms in found.items() if len(atoms) <= max_atoms}
    engine = make_engine(chosen)
    engine.check()
    console = make_console()
    outcome = labels.label(
        labels.smallest_first(found),
        engine,
        chosen,
        out,
        charge=charge,
        slab=slab,
        on_done=lambda name, what: console.print(f"{name}: {what}", highlight=False),
    )
    console.print(
        f"{out}: {len(outcome.computed)} computed, {len(outcome.known)} known, {len(outcome.taken)} taken by another "
        f"process, {len(outcome.failed)} failed"
    )
    if outcome.failed and not outcome.computed and not outcome.known:
        raise CandidateFailed("no structure could be computed; the reasons are above")
