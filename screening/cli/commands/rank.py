"""`screen rank RUN`: the ranking again, with other weights, thresholds or DFT values, without computing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from screening.cli.own_name import own_command
from screening.errors import UserError

if TYPE_CHECKING:
    from screening.config import RankingSettings

WEIGHTS, THRESHOLDS, DFT, OUTPUT = "Weights", "Thresholds", "DFT", "Output"


def rank_command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run, or its name below runs/.")],
    weights: Annotated[
        str | None,
        typer.Option(
            "--weights",
            help="work_of_adhesion=2,migration_barrier=1,...; 0 leaves one out; the others keep the run's.",
            rich_help_panel=WEIGHTS,
        ),
    ] = None,
    max_e_above_hull: Annotated[
        float | None, typer.Option("--max-e-above-hull", help="eV/atom", rich_help_panel=THRESHOLDS)
    ] = None,
    min_work_of_adhesion: Annotated[
        float | None,
        typer.Option("--min-work-of-adhesion", help="J/m2, at the worst y", rich_help_panel=THRESHOLDS),
    ] = None,
    max_migration_barrier: Annotated[
        float | None, typer.Option("--max-migration-barrier", help="eV", rich_help_panel=THRESHOLDS)
    ] = None,
    min_reaction_energy_cathode: Annotated[
        float | None, typer.Option("--min-reaction-energy-cathode", help="eV/atom, < 0", rich_help_panel=THRESHOLDS)
    ] = None,
    min_reaction_energy_electrolyte: Annotated[
        float | None,
        typer.Option("--min-reaction-energy-electrolyte", help="eV/atom, < 0", rich_help_panel=THRESHOLDS),
    ] = None,
    fidelity: Annotated[
        str | None,
        typer.Option(
            "--fidelity",
            help="dft:...: which DFT values replace the potential's, where the store holds several kinds; "
            "mlip:...: the potential's values alone.",
            rich_help_panel=DFT,
        ),
    ] = None,
    correction: Annotated[
        Path | None,
        typer.Option(
            "--correction",
            metavar="MODEL",
            help="Folder of a softening correction (screen retrain), applied where there is no DFT value.",
            rich_help_panel=DFT,
        ),
    ] = None,
    write: Annotated[
        bool,
        typer.Option(
            "--write",
            help="Rewrite ranking.csv and ranking.json of the run, and update MLflow.",
            rich_help_panel=OUTPUT,
        ),
    ] = False,
    top: Annotated[
        int | None, typer.Option("--top", min=1, help="Ranked candidates shown.", rich_help_panel=OUTPUT)
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Also print what each flag means.", rich_help_panel=OUTPUT)
    ] = False,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="FILE", help="Draw it: ranking.png, .svg or .pdf.", rich_help_panel=OUTPUT),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print what ranking.json would hold.", rich_help_panel=OUTPUT)
    ] = False,
) -> None:
    """Print a run's ranking again from its stored records; its files stay as they are unless --write is given."""
    from screening.campaign.load import find_run, load_run
    from screening.campaign.outputs import ranking_document
    from screening.campaign.rerank import rerank, write_again
    from screening.report.console import make_console
    from screening.report.ranking_figure import check_plot_file, plot_ranking
    from screening.report.table import print_ranking

    if plot is not None:
        check_plot_file(plot)
    stored = load_run(find_run(run))
    thresholds = {
        "max_e_above_hull": max_e_above_hull,
        "min_work_of_adhesion": min_work_of_adhesion,
        "max_migration_barrier": max_migration_barrier,
        "min_reaction_energy_cathode": min_reaction_energy_cathode,
        "min_reaction_energy_electrolyte": min_reaction_energy_electrolyte,
    }
    settings = ranking_settings(stored.settings.ranking, weights, thresholds)
    ranking = rerank(stored, settings, fidelity=fidelity, correction=correction)
    if write:
        write_again(stored, ranking)
    title = f"{stored.folder.name} ({stored.summary['status']})"
    if plot is not None:
        kinds = " and ".join(filter(None, (ranking.fidelity, ranking.reference)))
        plot_ranking(ranking.flat(), plot, title=f"{title}: {kinds}")
    if as_json:
        document = ranking_document(ranking, settings=stored.settings, skipped=stored.skipped)
        typer.echo(json.dumps(document, indent=2, allow_nan=False))
        return
    print_ranking(
        make_console(),
        ranking,
        top=top,
        skipped=stored.skipped,
        title=title,
        agreement=ranking.agreement,
        explain=explain,
        explain_command=own_command("rank", run, "--explain"),
    )
    if plot is not None:
        typer.echo(f"Plot: {plot}")


def ranking_settings(
    base: RankingSettings, weights: str | None, thresholds: dict[str, float | None]
) -> RankingSettings:
    """The run's ranking settings with what the command line changes.

    Raises
    ------
    UserError
        For weights that are not ``name=number``, an unknown objective, or a threshold that is no number or has the
        wrong sign.
    """
    from pydantic import ValidationError

    from screening.config import RankingSettings, check_threshold
    from screening.typed.explain import explain

    merged = dict(base.weights) | parse_weights(weights or "")
    given = {name: value for name, value in thresholds.items() if value is not None}
    named = {"weights": "--weights"} | {name: f"--{name.replace('_', '-')}" for name in given}
    for name, value in given.items():
        check_threshold(name, value, named[name])
    try:
        return RankingSettings(**(base.model_dump() | {"weights": merged} | given))
    except ValidationError as error:
        raise UserError(explain(error, RankingSettings, options=named)) from error


def parse_weights(text: str) -> dict[str, float]:
    """``work_of_adhesion=2,e_above_hull=0`` as a mapping; what the numbers may be `config.check_weights` says.

    Raises
    ------
    UserError
        When the text has another form, or names an objective twice or one that there is not.
    """
    from screening.campaign.ranking.score import active_weights
    from screening.typed.values import check_decimal_comma, plain

    typed = plain(text)
    check_decimal_comma(typed, "--weights", "weights", every_pair=True)
    weights: dict[str, float] = {}
    for part in filter(None, (piece.strip() for piece in typed.split(","))):
        name, found, number = (piece.strip() for piece in part.partition("="))
        if name in weights:
            raise UserError(f"the weight of {name} is given twice in --weights {text!r}; give it once.")
        try:
            weights[name] = float(number) if found else float("nan")
        except ValueError:
            weights[name] = float("nan")
        if weights[name] != weights[name]:
            raise UserError(f"cannot read the weight '{part}'; write it as work_of_adhesion=2.")
    active_weights(weights)
    return weights
