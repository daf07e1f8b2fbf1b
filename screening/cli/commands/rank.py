"""`screen rank RUN`: the ranking again, with other weights, thresholds or DFT values, without computing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from screening.cli.own_name import own_command
from screening.cli.signature import asked, command, defaults
from screening.cli.thresholds import threshold_options, thresholds_of, weights_example
from screening.door.load import load_run
from screening.door.rank import rank, ranking_document

USUAL = defaults(rank)

WEIGHTS, DFT, OUTPUT = "Weights", "DFT", "Output"


@threshold_options
@dataclass(frozen=True, kw_only=True)
class _RunAndWeights:
    """The first options of `screen rank`; the thresholds follow these."""

    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run, or its name below runs/.")]
    weights: Annotated[
        str | None,
        typer.Option(
            "--weights",
            help=f"{weights_example()}; 0 leaves one out; the others keep the run's.",
            rich_help_panel=WEIGHTS,
        ),
    ] = USUAL.weights


@dataclass(frozen=True, kw_only=True)
class RankOptions(_RunAndWeights):
    """Options of `screen rank`."""

    fidelity: Annotated[
        str | None,
        typer.Option(
            "--fidelity",
            help="dft:...: which DFT values replace the potential's, where the store holds several kinds; "
            "mlip:...: the potential's values alone.",
            rich_help_panel=DFT,
        ),
    ] = USUAL.fidelity
    correction: Annotated[
        Path | None,
        typer.Option(
            "--correction",
            metavar="MODEL",
            help="Folder of a softening correction (screen retrain), applied where there is no DFT value.",
            rich_help_panel=DFT,
        ),
    ] = USUAL.correction
    write: Annotated[
        bool,
        typer.Option(
            "--write",
            help="Rewrite ranking.csv and ranking.json of the run, and update MLflow.",
            rich_help_panel=OUTPUT,
        ),
    ] = USUAL.write
    top: Annotated[
        int | None, typer.Option("--top", min=1, help="Ranked candidates shown.", rich_help_panel=OUTPUT)
    ] = None
    explain: Annotated[
        bool, typer.Option("--explain", help="Also print what each flag means.", rich_help_panel=OUTPUT)
    ] = False
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="FILE", help="Draw it: ranking.png, .svg or .pdf.", rich_help_panel=OUTPUT),
    ] = None
    as_json: Annotated[
        bool, typer.Option("--json", help="Print what ranking.json would hold.", rich_help_panel=OUTPUT)
    ] = False


@command(RankOptions)
def rank_command(options: RankOptions) -> None:
    """Print a run's ranking again from its stored records; its files stay as they are unless --write is given."""
    from screening.report.console import make_console
    from screening.report.ranking_figure import check_plot_file, plot_ranking, plot_title
    from screening.report.table import print_ranking

    if options.plot is not None:
        check_plot_file(options.plot)
    stored = load_run(options.run)
    ranking = rank(**(asked(options, rank) | thresholds_of(options) | {"run": stored}))
    title = f"{stored.folder.name} ({stored.summary['status']})"
    if options.as_json:
        typer.echo(json.dumps(ranking_document(stored, ranking), indent=2, allow_nan=False))
    else:
        print_ranking(
            make_console(),
            ranking,
            top=options.top,
            skipped=stored.skipped,
            title=title,
            agreement=ranking.agreement,
            explain=options.explain,
            explain_command=own_command("rank", options.run, "--explain"),
        )
    if options.plot is not None:
        drawn = plot_title(stored.settings, ranking.fidelity, ranking.reference)
        plot_ranking(ranking.flat(), options.plot, title=drawn)
        typer.echo(f"Plot: {options.plot}", err=options.as_json)
