"""`screen window FORMULA`: the electrochemical window of any composition, and what it reacts with."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from screening.cli.progress import sign_of_life
from screening.cli.signature import asked, command, defaults
from screening.door.given import HIGHEST_VOLTAGE, LOWEST_VOLTAGE
from screening.door.known import families
from screening.door.window import window
from screening.errors import UserError
from screening.files import write_text

USUAL = defaults(window)

PHYSICS, OUTPUT = "What is computed", "Output"


@dataclass(frozen=True, kw_only=True)
class WindowOptions:
    """Options of `screen window`."""

    formula: Annotated[
        str, typer.Argument(metavar="FORMULA", help="For example LiNbO3, Li6PS5Cl0.5Br0.5 or '[Li5/6Mg1/12]NbO3'.")
    ]
    partners: Annotated[
        list[str] | None,
        typer.Option(
            "--with", metavar="PHASE", help="Also the reaction with PHASE; repeatable.", rich_help_panel=PHYSICS
        ),
    ] = None
    potential: Annotated[str, typer.Option("--potential", help=families.HELP_BRIEFLY, rich_help_panel=PHYSICS)] = (
        USUAL.potential
    )
    phases: Annotated[
        str,
        typer.Option(
            "--phases",
            help="listed, mp (Materials Project, needs a key) or a pymatgen JSON file of entries.",
            rich_help_panel=PHYSICS,
        ),
    ] = USUAL.phases
    substitute: Annotated[
        bool,
        typer.Option(
            "--substitute",
            help="Predict compounds of elements that have none listed (relaxes them once).",
            rich_help_panel=PHYSICS,
        ),
    ] = USUAL.substitute
    voltage: Annotated[
        float,
        typer.Option(
            "--voltage",
            min=LOWEST_VOLTAGE,
            max=HIGHEST_VOLTAGE,
            help="V of the reactions open to Li.",
            rich_help_panel=PHYSICS,
        ),
    ] = USUAL.voltage
    plot: Annotated[bool, typer.Option("--plot", help="Write window-FORMULA.png here.", rich_help_panel=OUTPUT)] = False
    json_out: Annotated[
        Path | None,
        typer.Option("--json", metavar="OUT", help="Write everything to this file.", rich_help_panel=OUTPUT),
    ] = None


@command(WindowOptions)
def window_command(options: WindowOptions) -> None:
    """Print the range of voltages in which a composition is stable, and what it turns into outside of it."""
    sign_of_life()
    from screening.cli.progress import LiveProgress
    from screening.report.console import make_console
    from screening.report.window import plot_name, plot_window, print_result

    json_out = options.json_out
    if json_out is not None and not json_out.parent.is_dir():
        raise UserError(f"the folder of {json_out} does not exist; create it or choose another --json.")
    console = make_console()
    with LiveProgress(console) as progress:
        found = window(**(asked(options, window) | {"partners": options.partners or []}), on_progress=progress)
    print_result(console, found)
    if options.plot:
        path = Path(plot_name(found.window.read))
        plot_window(found.window, path, potential=found.potential, source=found.source)
        console.print(f"Plot: {path}")
    if json_out is not None:
        write_text(json_out, json.dumps(found.to_dict(), indent=2) + "\n")
