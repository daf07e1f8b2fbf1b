"""`screen phases`: the competing phases behind hulls and windows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from screening.cli.once import OnceCommand
from screening.cli.progress import sign_of_life
from screening.potentials.families import table as families

phases_app = typer.Typer(
    name="phases", help="List, build and extend the competing phases.", no_args_is_help=True, add_completion=False
)


@phases_app.command("build", cls=OnceCommand)
def build_command(
    potential: Annotated[str, typer.Option("--potential", help=families.HELP_BRIEFLY)] = "chgnet",
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
    device: Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")] = "auto",
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Engine processes on CPU.", show_default="one per core")
    ] = None,
) -> None:
    """Relax every listed phase and write its energies; a build that was stopped continues."""
    sign_of_life()
    from screening.campaign.checks import check_workers
    from screening.cli.progress import LiveProgress
    from screening.engine.running.workforce import Workforce
    from screening.process.cores import available_cores
    from screening.properties.stability.phase_build import build_energies
    from screening.properties.stability.phase_files import shipped_path
    from screening.report.console import make_console

    console = make_console()
    target = out if out is not None else shipped_path(potential)
    check_workers(workers, available_cores())
    with LiveProgress(console) as progress:
        built = build_energies(
            Workforce(potential_name=potential, device=device, workers=workers or available_cores()),
            target,
            work=work if work is not None else Path("runs") / f"phases-{potential.replace(':', '-')}",
            start=start,
            on_progress=progress,
        )
    for name, reason in built.quarantined.items():
        console.print(f"quarantined: {name}: {reason}", highlight=False)
    console.print(
        f"{built.path}: {len(built.energies)} phases, {built.computed} computed now in {built.wall_s / 60:.1f} min, "
        f"{len(built.quarantined)} quarantined"
    )


@phases_app.command("list", cls=OnceCommand)
def list_command(
    elements: Annotated[str, typer.Argument(metavar="ELEMENTS", help="Chemical system, for example Li,Nb,O.")],
    potential: Annotated[str, typer.Option("--potential", help="Whose shipped energies are shown.")] = "chgnet",
) -> None:
    """Print the listed phases of a chemical system with source, gate and distance to the hull."""
    from rich.table import Table

    from screening.chemistry.formula import read_elements
    from screening.engine.running.records import PotentialId
    from screening.potentials.registry import load_potential
    from screening.properties.stability.phase_build import distance_to_others
    from screening.properties.stability.phase_files import shipped_energies
    from screening.report.console import make_console
    from screening.structures.crystals.phases import load_phases

    facts = load_phases(read_elements(elements))
    loaded = load_potential(potential, "cpu", self_check=False)
    energies = shipped_energies(PotentialId(loaded.name, loaded.checkpoint_sha256))
    table = Table("phase", "space group", "gate", "to the hull of the others, meV/atom", "source")
    for phase in facts:
        energy = energies.get(phase.name)
        distance = None if energy is None else distance_to_others(energy, energies)
        table.add_row(
            phase.name,
            str(phase.space_group),
            "not computed" if energy is None else energy.gate,
            "" if distance is None else f"{1000 * distance:.0f}",
            phase.source,
        )
    make_console().print(table)


@phases_app.command("entry", cls=OnceCommand)
def entry_command(
    structure: Annotated[Path, typer.Argument(metavar="FILE", help="CIF, POSCAR or another structure file.")],
    source: Annotated[str, typer.Option("--source", help="Where the structure is from; it goes into the entry.")],
    name: Annotated[str | None, typer.Option("--name", help="Of the phase.", show_default="its formula")] = None,
) -> None:
    """Print a structure as an entry for datasets/phases."""
    import yaml
    from pymatgen.io.ase import AseAtomsAdaptor

    from screening.structures.crystals.phase_entry import entry_from_structure
    from screening.structures.files.structure_file import read_structure

    crystal = AseAtomsAdaptor.get_structure(read_structure(structure))
    entry = entry_from_structure(crystal, name=name or crystal.composition.reduced_formula, source=source)
    typer.echo(yaml.safe_dump([entry], sort_keys=False, default_flow_style=None, width=100), nl=False)
