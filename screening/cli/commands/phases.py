"""`screen phases`: the competing phases behind hulls and windows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from screening.cli.once import OnceCommand
from screening.cli.progress import sign_of_life
from screening.cli.signature import defaults
from screening.door.given import as_typed
from screening.door.known import families
from screening.door.phases import build_phases, list_phases, phase_entry

USUAL = defaults(build_phases)

phases_app = typer.Typer(
    name="phases", help="List, build and extend the competing phases.", no_args_is_help=True, add_completion=False
)


@phases_app.command("build", cls=OnceCommand)
@as_typed()
def build_command(
    potential: Annotated[str, typer.Option("--potential", help=families.HELP_BRIEFLY)] = USUAL.potential,
    out: Annotated[
        Path | None, typer.Option("--out", help="File to write.", show_default="datasets/energies/<potential>.json")
    ] = None,
    work: Annotated[
        Path | None, typer.Option("--work", help="Folder of the store.", show_default="runs/phases-<potential>")
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option("--start", metavar="WORK", help="Start from the crystals of another potential's finished build."),
    ] = None,
    device: Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")] = USUAL.device,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Engine processes on CPU.", show_default="one per core")
    ] = None,
) -> None:
    """Relax every listed phase and write its energies; a build that was stopped continues."""
    sign_of_life()
    from screening.cli.progress import LiveProgress
    from screening.report.console import make_console

    console = make_console()
    with LiveProgress(console) as progress:
        built = build_phases(
            potential, out=out, work=work, start=start, device=device, workers=workers, on_progress=progress
        )
    for name, reason in built.quarantined.items():
        console.print(f"quarantined: {name}: {reason}", highlight=False)
    console.print(
        f"{built.path}: {len(built.energies)} phases, {built.computed} computed now in {built.wall_s / 60:.1f} min, "
        f"{len(built.quarantined)} quarantined"
    )


@phases_app.command("list", cls=OnceCommand)
@as_typed()
def list_command(
    elements: Annotated[str, typer.Argument(metavar="ELEMENTS", help="Chemical system, for example Li,Nb,O.")],
    potential: Annotated[str, typer.Option("--potential", help="Whose shipped energies are shown.")] = USUAL.potential,
) -> None:
    """Print the listed phases of a chemical system with source, gate and distance to the hull."""
    from rich.table import Table

    from screening.report.console import make_console

    table = Table("phase", "space group", "gate", "to the hull of the others, meV/atom", "source")
    for phase in list_phases(elements, potential):
        distance = "" if phase.to_hull is None else f"{1000 * phase.to_hull:.0f}"
        table.add_row(phase.name, str(phase.space_group), phase.gate, distance, phase.source)
    make_console().print(table)


@phases_app.command("entry", cls=OnceCommand)
@as_typed()
def entry_command(
    structure: Annotated[Path, typer.Argument(metavar="FILE", help="CIF, POSCAR or another structure file.")],
    source: Annotated[str, typer.Option("--source", help="Where the structure is from; it goes into the entry.")],
    name: Annotated[str | None, typer.Option("--name", help="Of the phase.", show_default="its formula")] = None,
) -> None:
    """Print a structure as an entry for datasets/phases."""
    import yaml

    entry = phase_entry(structure, source, name)
    typer.echo(yaml.safe_dump([entry], sort_keys=False, default_flow_style=None, width=100), nl=False)
