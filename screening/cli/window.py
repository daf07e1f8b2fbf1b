"""`screen window FORMULA`: the electrochemical window of any composition, and what it reacts with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from screening.errors import UserError
from screening.files import naming, write_text

PHYSICS, OUTPUT = "What is computed", "Output"


def window_command(
    formula: Annotated[str, typer.Argument(metavar="FORMULA", help="For example LiNbO3 or Li6PS5Cl0.5Br0.5.")],
    partners: Annotated[
        list[str] | None,
        typer.Option(
            "--with", metavar="PHASE", help="Also the reaction with PHASE; repeatable.", rich_help_panel=PHYSICS
        ),
    ] = None,
    potential: Annotated[
        str, typer.Option("--potential", help="chgnet, sevennet-0, sevennet-l3i5, ...", rich_help_panel=PHYSICS)
    ] = "chgnet",
    phases: Annotated[
        str,
        typer.Option(
            "--phases",
            help="listed, mp (Materials Project, needs a key) or a pymatgen JSON file of entries.",
            rich_help_panel=PHYSICS,
        ),
    ] = "listed",
    substitute: Annotated[
        bool,
        typer.Option(
            "--substitute",
            help="Predict compounds of elements that have none listed (relaxes them once).",
            rich_help_panel=PHYSICS,
        ),
    ] = False,
    voltage: Annotated[
        float,
        typer.Option("--voltage", min=0.0, max=8.0, help="V of the reactions open to Li.", rich_help_panel=PHYSICS),
    ] = 4.3,
    plot: Annotated[
        bool, typer.Option("--plot", help="Write window-FORMULA.png here.", rich_help_panel=OUTPUT)
    ] = False,
    json_out: Annotated[
        Path | None,
        typer.Option("--json", metavar="OUT", help="Write everything to this file.", rich_help_panel=OUTPUT),
    ] = None,
) -> None:
    """Print the range of voltages in which a composition is stable, and what it turns into outside of it."""
    from screening.cli.progress import LiveProgress
    from screening.properties.competing import compute_phases
    from screening.properties.window import formula_window, parse_formula, reactions_with, window_document
    from screening.report.console import make_console
    from screening.report.window import plot_window, print_reactions, print_window

    names = partners or []
    if json_out is not None and not json_out.parent.is_dir():
        raise UserError(f"the folder of {json_out} does not exist; create it or choose another --json.")
    elements = set().union(*(parse_formula(text) for text in (formula, *names)))
    console = make_console()
    with LiveProgress(console) as progress:
        found = compute_phases(elements, potential, source=phases, substitute=substitute, on_progress=progress)
    own = [p for p in found.phases if set(p.composition) <= set(parse_formula(formula)) | {"Li"}]
    window = formula_window(formula, own)
    print_window(console, window, potential=potential, source=phases)
    reactions = reactions_with(formula, names, found.phases, voltage=voltage)
    if reactions:
        print_reactions(console, formula, reactions)
    if plot:
        path = Path(f"window-{formula}.png")
        with naming(path):
            plot_window(window, path, potential=potential)
        console.print(f"Plot: {path}")
    if json_out is not None:
        document = window_document(window, potential, reactions)
        write_text(json_out, json.dumps(document, indent=2) + "\n")
