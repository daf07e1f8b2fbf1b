"""`screen run`: parse, check everything before anything is written, call the campaign, print."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated, Any

import typer

PHYSICS, MACHINE, OUTPUT = "What is screened", "Where it runs", "What is written"


def run_command(
    dopants: Annotated[
        str,
        typer.Option("--dopants", help="Mg,Zr,Ta; Zr4+ picks a charge; Mg:Ta=2:1 dopes both.", rich_help_panel=PHYSICS),
    ],
    x: Annotated[
        str, typer.Option("--x", help="M per NbO3: 0-0.25, a list 0,1/12,0.1 or one value.", rich_help_panel=PHYSICS)
    ] = "0-0.25",
    site: Annotated[str | None, typer.Option("--site", help="Li, Nb or auto.", rich_help_panel=PHYSICS)] = None,
    host: Annotated[
        str | None,
        typer.Option(
            "--host", help="LiNbO3, LiTaO3, Li3NbO4; LiNbO3:congruent adds Nb_Li + 4 V_Li.", rich_help_panel=PHYSICS
        ),
    ] = None,
    cathode: Annotated[
        str | None, typer.Option("--cathode", help="NCM811, NCM955, NCM622 or LiCoO2.", rich_help_panel=PHYSICS)
    ] = None,
    soc: Annotated[
        str | None,
        typer.Option("--soc", help="Li per cathode formula unit, for example 1,2/3,1/3,0.", rich_help_panel=PHYSICS),
    ] = None,
    potential: Annotated[
        str | None,
        typer.Option(
            "--potential",
            help="chgnet, sevennet-0, sevennet-l3i5, sevennet-mf-0, matgl:NAME, ase:MODULE:FACTORY.",
            rich_help_panel=PHYSICS,
        ),
    ] = None,
    preset: Annotated[
        str | None, typer.Option("--preset", help="quick, standard (default) or accurate.", rich_help_panel=PHYSICS)
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", help="Seed of every random choice.", rich_help_panel=PHYSICS)
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", help="YAML file with any settings; the command line wins.", rich_help_panel=PHYSICS),
    ] = None,
    device: Annotated[str, typer.Option("--device", help="auto, cpu or cuda.", rich_help_panel=MACHINE)] = "auto",
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers", min=1, help="Engine processes on CPU [default: one per core].", rich_help_panel=MACHINE
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder of the run [default: runs/<date>-<dopants>].", rich_help_panel=OUTPUT),
    ] = None,
    top: Annotated[
        int,
        typer.Option("--top", min=1, help="Candidates printed and written as the short list.", rich_help_panel=OUTPUT),
    ] = 5,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Print candidates, atom counts and a cost estimate; compute nothing.",
            rich_help_panel=OUTPUT,
        ),
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Log what the engine does.", rich_help_panel=OUTPUT)
    ] = False,
) -> None:
    """Screen dopants: relax, compute adhesion, barrier and stability, rank."""
    from rich.console import Console

    from screening.campaign.campaign import Campaign, prepare
    from screening.campaign.estimate import estimate
    from screening.cli.progress import LiveProgress
    from screening.report.estimate import print_plan
    from screening.report.table import print_ranking

    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING, format="%(levelname)s %(name)s: %(message)s"
    )
    console = Console()
    campaign: Campaign = prepare(
        dopants=dopants, x=x, preset=preset, config=config, out=out, device=device, workers=workers, top=top,
        overrides=_overrides(site=site, host=host, cathode=cathode, soc=soc, potential=potential, seed=seed),
    )  # fmt: skip
    cost = estimate(campaign)
    print_plan(console, campaign, cost, full=dry_run)
    if dry_run:
        return
    with LiveProgress(console) as progress:
        ranking = campaign.run(on_progress=progress)
    print_ranking(console, ranking, top=top)
    console.print(f"Results: {campaign.out}   again: screen rank {campaign.out}   browse: screen ui")


def _overrides(
    *, site: str | None, host: str | None, cathode: str | None, soc: str | None, potential: str | None, seed: int | None
) -> dict[str, Any]:
    from screening.config import parse_soc

    given: dict[str, Any] = {
        "site": site, "cathode": cathode, "potential": potential, "seed": seed,
    }  # fmt: skip
    if host is not None:
        name, _, variant = host.partition(":")
        given |= {"host": name, "congruent": variant == "congruent"}
    overrides: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    if soc is not None:
        overrides["adhesion"] = {"soc": parse_soc(soc)}
    return overrides
