"""Option types of the main job, grouped into help panels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Option

from screening.door.known import families, host_names

PHYSICS, MACHINE, OUTPUT = "What is screened", "Where it runs", "What is written"

Dopants = Annotated[
    str, Option("--dopants", help="Mg,Zr,Ta; Zr4+ picks a charge; Mg:Ta=2:1 dopes both.", rich_help_panel=PHYSICS)
]
Content = Annotated[
    str, Option("--x", help="M per NbO3: 0-0.25, a list 0,1/12,0.1 or one value.", rich_help_panel=PHYSICS)
]
Site = Annotated[str | None, Option("--site", help="Li, Nb or auto.", show_default="auto", rich_help_panel=PHYSICS)]
Host = Annotated[
    str | None,
    Option(
        "--host",
        help=f"{', '.join(host_names())}; LiNbO3:congruent adds Nb_Li + 4 V_Li.",
        show_default="LiNbO3",
        rich_help_panel=PHYSICS,
    ),
]
Cathode = Annotated[
    str | None,
    Option("--cathode", help="NCM811, NCM955, NCM622 or LiCoO2.", show_default="NCM811", rich_help_panel=PHYSICS),
]
Soc = Annotated[
    str | None,
    Option(
        "--soc",
        help="Li per cathode formula unit, for example 1,1/2,0.",
        show_default="1,2/3,1/3,0; quick: 1,1/3",
        rich_help_panel=PHYSICS,
    ),
]
PotentialName = Annotated[
    str | None,
    Option(
        "--potential",
        help=families.HELP,
        show_default="chgnet",
        rich_help_panel=PHYSICS,
    ),
]
Phases = Annotated[
    str | None,
    Option(
        "--phases",
        help="Competing phases: listed, mp (Materials Project key) or a pymatgen JSON file.",
        show_default="listed",
        rich_help_panel=PHYSICS,
    ),
]
Preset = Annotated[
    str | None,
    Option("--preset", help="quick, standard or accurate.", show_default="standard", rich_help_panel=PHYSICS),
]
Seed = Annotated[
    int | None, Option("--seed", help="Seed of every random choice.", show_default="0", rich_help_panel=PHYSICS)
]
ConfigFile = Annotated[
    Path | None,
    Option("--config", help="YAML file with any settings; the command line wins.", rich_help_panel=PHYSICS),
]
Device = Annotated[str, Option("--device", help="auto, cpu or cuda.", rich_help_panel=MACHINE)]
Workers = Annotated[
    int | None,
    Option("--workers", min=1, help="Engine processes on CPU.", show_default="one per core", rich_help_panel=MACHINE),
]
Out = Annotated[
    Path | None,
    Option(
        "--out",
        help="Folder of the run; -2, -3, ... is added for further campaigns of a day.",
        show_default="runs/<date>-<dopants>",
        rich_help_panel=OUTPUT,
    ),
]
Top = Annotated[int, Option("--top", min=1, help="Ranked candidates that are printed.", rich_help_panel=OUTPUT)]
DryRun = Annotated[
    bool,
    Option(
        "--dry-run",
        help="Print candidates, atom counts and a cost estimate; compute nothing.",
        rich_help_panel=OUTPUT,
    ),
]
Verbose = Annotated[bool, Option("--verbose", "-v", help="Log what the engine does.", rich_help_panel=OUTPUT)]
