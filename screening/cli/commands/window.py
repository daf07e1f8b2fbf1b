"""`screen window FORMULA`: the electrochemical window of any composition, and what it reacts with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from screening.cli.progress import sign_of_life
from screening.errors import UserError
from screening.files import write_text
from screening.potentials.families import table as families

PHYSICS, OUTPUT = "What is computed", "Output"


def window_command(
    formula: Annotated[
        str, typer.Argument(metavar="FORMULA", help="For example LiNbO3, Li6PS5Cl0.5Br0.5 or '[Li5/6Mg1/12]NbO3'.")
    ],
    partners: Annotated[
        list[str] | None,
        typer.Option(
            "--with", metavar="PHASE", help="Also the reaction with PHASE; repeatable.", rich_help_panel=PHYSICS
        ),
    ] = None,
    potential: Annotated[
        str, typer.Option("--potential", help=families.HELP_BRIEFLY, rich_help_panel=PHYSICS)
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
    sign_of_life()
    from screening.chemistry.formula import read_formula
    from screening.cli.progress import LiveProgress
    from screening.properties.stability.competing import compute_phases
    from screening.properties.stability.window import formula_window, reactions_with, why_no_crystal, window_document
    from screening.report.console import make_console
    from screening.report.window import plot_name, plot_window, print_reactions, print_window

    if json_out is not None and not json_out.parent.is_dir():
        raise UserError(f"the folder of {json_out} does not exist; create it or choose another --json.")
    asked, others = read_formula(formula), [read_formula(text) for text in partners or []]
    elements = set(asked.amounts).union(*(other.amounts for other in others))
    console = make_console()
    with LiveProgress(console) as progress:
        found = compute_phases(elements, potential, source=phases, substitute=substitute, on_progress=progress)
    own = [p for p in found.phases if set(p.composition) <= set(asked.amounts) | {"Li"}]
    window = formula_window(formula, own, refused=found.refused)
    print_window(console, window, potential=potential, source=phases)
    reactions = reactions_with(formula, [o.typed for o in others], found.phases, voltage=voltage)
    reasons = {o.typed: why_no_crystal(o.composition, found.phases, found.refused) for o in others}
    pinned = {name: reason for name, reason in reasons.items() if reason}
    if reactions:
        for other in others:
            if other.note:
                console.print(other.note, highlight=False)
        print_reactions(console, asked.written, reactions, pinned=pinned)
    if plot:
        path = Path(plot_name(asked))
        plot_window(window, path, potential=potential, source=phases)
        console.print(f"Plot: {path}")
    if json_out is not None:
        document = window_document(window, potential, reactions, source=phases, pinned_partners=pinned)
        write_text(json_out, json.dumps(document, indent=2) + "\n")
