"""`screen run`: parse, check everything before anything is written, call the campaign, print."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from screening.cli import options
from screening.errors import UserError
from screening.process import logs
from screening.process.stopping import Stopped


def run_command(
    dopants: options.Dopants,
    x: options.Content = "0-0.25",
    site: options.Site = None,
    host: options.Host = None,
    cathode: options.Cathode = None,
    soc: options.Soc = None,
    potential: options.PotentialName = None,
    preset: options.Preset = None,
    phases: options.Phases = None,
    seed: options.Seed = None,
    config: options.ConfigFile = None,
    device: options.Device = "auto",
    workers: options.Workers = None,
    out: options.Out = None,
    top: options.Top = 5,
    dry_run: options.DryRun = False,
    verbose: options.Verbose = False,
) -> None:
    """Screen dopants: relax, compute adhesion, barrier and stability, rank."""
    from screening.cli.progress import LiveProgress, sign_of_life

    sign_of_life()
    given = overrides(site=site, host=host, cathode=cathode, soc=soc, potential=potential, phases=phases, seed=seed)
    check_names(preset, config, given)
    sign_of_life(in_logs=True)
    from screening.campaign.execute import execute
    from screening.campaign.prepare import prepare
    from screening.cli.own_name import own_command
    from screening.report.console import make_console
    from screening.report.estimate import print_plan
    from screening.report.table import print_ranking

    if verbose:
        logs.verbose()
    console = make_console()
    campaign = prepare(
        dopants=dopants,
        x=x,
        preset=preset,
        config=config,
        out=out,
        device=device,
        workers=workers,
        overrides=given,
    )
    print_plan(console, campaign, campaign.cost, full=dry_run)
    if dry_run:
        return
    try:
        with LiveProgress(console) as progress:
            ranking = execute(campaign, progress)
    except Stopped as stop:
        if out is None:  # the folder is named by the day, and the run may go on tomorrow
            stop.also = ("--out", str(campaign.out))
        raise
    print_ranking(
        console,
        ranking,
        top=top,
        skipped=campaign.grid.skipped,
        agreement=ranking.agreement,
        explain_command=own_command("rank", campaign.out, "--explain"),
    )
    console.print(progress.total(), highlight=False)
    console.print(f"Results: {campaign.out}", highlight=False, markup=False, soft_wrap=True)
    again, browse = own_command("rank", campaign.out), own_command("ui")
    console.print(f"Again: {again}   Browse: {browse}", highlight=False, markup=False, soft_wrap=True)


def check_names(preset: str | None, config: Path | None, given: dict[str, Any]) -> None:
    """Refuse settings and a potential that are not there, by what is imported in no time and before a word is said.

    Raises
    ------
    UserError
        As `load_settings` and `check_name`.
    """
    from screening.config import load_settings
    from screening.potentials.registry import check_name

    check_name(load_settings(preset, config, given).potential)


def overrides(*, host: str | None, soc: str | None, phases: str | None = None, **given: Any) -> dict[str, Any]:
    """Settings that the command line names, in the layout of the configuration; None means not named."""
    from screening.config import parse_soc

    named = {key: value for key, value in given.items() if value is not None}
    if host is not None:
        crystal, _, variant = host.partition(":")
        if variant not in ("", "congruent"):
            raise UserError(f"there is no variant {variant!r} of a host; write {crystal} or {crystal}:congruent.")
        named |= {"host": crystal, "congruent": variant == "congruent"}
    if phases is not None:
        named["stability"] = {"phases": phases}
    if soc is not None:
        named["adhesion"] = {"soc": parse_soc(soc)}
    return named
