"""`screen run`: plan, print what it will cost, compute, print the ranking."""

from __future__ import annotations

from dataclasses import dataclass

from screening.cli import options as kinds
from screening.cli.signature import asked, command, defaults
from screening.door.screen import check_names, screen
from screening.process import logs
from screening.process.stopping import Stopped

USUAL = defaults(screen)


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Options of `screen run`."""

    dopants: kinds.Dopants
    x: kinds.Content = USUAL.x
    site: kinds.Site = USUAL.site
    host: kinds.Host = USUAL.host
    cathode: kinds.Cathode = USUAL.cathode
    soc: kinds.Soc = USUAL.soc
    potential: kinds.PotentialName = USUAL.potential
    preset: kinds.Preset = USUAL.preset
    phases: kinds.Phases = USUAL.phases
    seed: kinds.Seed = USUAL.seed
    config: kinds.ConfigFile = USUAL.config
    device: kinds.Device = USUAL.device
    workers: kinds.Workers = USUAL.workers
    out: kinds.Out = USUAL.out
    top: kinds.Top = 5
    dry_run: kinds.DryRun = USUAL.dry_run
    verbose: kinds.Verbose = False


@command(RunOptions)
def run_command(options: RunOptions) -> None:
    """Screen dopants: relax, compute adhesion, barrier and stability, rank."""
    from screening.cli.progress import LiveProgress, sign_of_life

    sign_of_life()
    request = asked(options, screen) | {"dry_run": True}
    check_names(**request)
    sign_of_life(in_logs=True)
    from screening.cli.own_name import own_command
    from screening.report.console import make_console
    from screening.report.estimate import print_plan
    from screening.report.table import print_ranking

    if options.verbose:
        logs.verbose()
    console = make_console()
    planned = screen(**request)
    print_plan(console, planned.campaign, planned.cost, full=options.dry_run)
    if options.dry_run:
        return
    try:
        with LiveProgress(console) as progress:
            ranking = planned.compute(progress).ranking
    except Stopped as stop:
        if options.out is None:  # the folder is named by the day, and the run may go on tomorrow
            stop.also = ("--out", str(planned.folder))
        raise
    print_ranking(
        console,
        ranking,
        top=options.top,
        skipped=planned.skipped,
        agreement=ranking.agreement,
        explain_command=own_command("rank", planned.folder, "--explain"),
    )
    console.print(progress.total(), highlight=False)
    console.print(f"Results: {planned.folder}", highlight=False, soft_wrap=True)
    again, browse = own_command("rank", planned.folder), own_command("ui")
    console.print(f"Again: {again}   Browse: {browse}", highlight=False, soft_wrap=True)
