"""`screen retrain`: fine-tune the potential on DFT data, or fit the softening correction where there are few."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from screening.cli.progress import sign_of_life
from screening.errors import UserError
from screening.potentials.families import table as families

if TYPE_CHECKING:
    from rich.console import Console

    from screening.engine.running.records import Record
    from screening.retraining.finetune import Epoch
    from screening.retraining.retrain import Retrained

MAX_EPOCHS = 100_000

DATA, TRAINING, MACHINE, OUTPUT = "What is learnt from", "How it is trained", "Where it runs", "What is written"


def retrain_command(
    data: Annotated[
        list[Path],
        typer.Option("--data", metavar="DIR", help="Folder of `screen ingest`; may be repeated.", rich_help_panel=DATA),
    ],
    potential: Annotated[
        str,
        typer.Option("--potential", help=families.HELP_RETRAINABLE, rich_help_panel=TRAINING),
    ] = "chgnet",
    fidelity: Annotated[
        str | None,
        typer.Option("--fidelity", help="Use frames of this one where the data hold several.", rich_help_panel=DATA),
    ] = None,
    held_out: Annotated[
        str,
        typer.Option(
            "--held-out",
            help="Share of the frames, or candidates and formulas such as LiNbO3,MgO.",
            rich_help_panel=DATA,
        ),
    ] = "0.2",
    run: Annotated[
        Path | None,
        typer.Option(
            "--run", metavar="RUN", help="Run whose records calibrate the softening correction.", rich_help_panel=DATA
        ),
    ] = None,
    allow_simulated: Annotated[
        bool, typer.Option("--allow-simulated", help="Learn from frames that are no DFT.", rich_help_panel=DATA)
    ] = False,
    epochs: Annotated[
        int, typer.Option("--epochs", min=1, help="Passes over the training frames.", rich_help_panel=TRAINING)
    ] = 30,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            "--learning-rate", help="Between 0 and 1.", show_default="the backend's own", rich_help_panel=TRAINING
        ),
    ] = None,
    unfreeze: Annotated[
        str,
        typer.Option("--unfreeze", help="none keeps the lower layers, all trains them.", rich_help_panel=TRAINING),
    ] = "none",
    zero_points: Annotated[
        str,
        typer.Option(
            "--zero-points",
            help="Energies on the zero points of the base (hulls hold every element) or of the data.",
            rich_help_panel=TRAINING,
        ),
    ] = "base",
    seed: Annotated[int, typer.Option("--seed", help="Seed of every random choice.", rich_help_panel=TRAINING)] = 0,
    device: Annotated[str, typer.Option("--device", help="auto, cpu or cuda.", rich_help_panel=MACHINE)] = "auto",
    name: Annotated[
        str | None,
        typer.Option("--name", help="Of the model.", show_default="potential and fidelity", rich_help_panel=OUTPUT),
    ] = None,
    models: Annotated[
        Path, typer.Option("--models", metavar="DIR", help="Folder of the models.", rich_help_panel=OUTPUT)
    ] = Path("models"),
) -> None:
    """Fine-tune the potential on DFT data; with few frames and --run, fit a linear correction per property."""
    sign_of_life()
    from screening.report.console import make_console
    from screening.retraining.retrain import retrain
    from screening.retraining.verdict import RetrainSettings

    for option, value, allowed in (
        ("unfreeze", unfreeze, ("none", "all")),
        ("zero-points", zero_points, ("base", "data")),
    ):
        if value not in allowed:
            raise UserError(f"--{option} is {value!r}; use {' or '.join(allowed)}.")
    check_training(seed, epochs)
    if learning_rate is not None and not 0 < learning_rate < 1:
        raise UserError(f"--learning-rate is {learning_rate:g}; give a number between 0 and 1, for example 1e-4.")
    console = make_console()
    outcome = retrain(
        RetrainSettings(
            data=tuple(data),
            potential=potential,
            models=models,
            name=name,
            fidelity=fidelity,
            held_out=parse_held_out(held_out),
            zero_points="data" if zero_points == "data" else "base",
            epochs=epochs,
            learning_rate=learning_rate,
            unfreeze="all" if unfreeze == "all" else "none",
            seed=seed,
            device=device,
            allow_simulated=allow_simulated,
            run_records=None if run is None else _records(run),
        ),
        on_epoch=lambda epoch: _print_epoch(console, epoch),
    )
    _print_outcome(console, outcome)
    _track(outcome)
    if not outcome.promoted:
        raise typer.Exit(1)


def check_training(seed: int, epochs: int) -> None:
    """Refuse numbers that no training can take.

    Raises
    ------
    UserError
        Names the option.
    """
    from screening.config import MAX_SEED

    if not 0 <= seed <= MAX_SEED:
        raise UserError(f"--seed is {seed}; give a whole number from 0 to {MAX_SEED}.")
    if epochs > MAX_EPOCHS:
        raise UserError(f"--epochs is {epochs}; more than {MAX_EPOCHS} are a slip.")


def parse_held_out(text: str) -> float | list[str]:
    """``0.2`` as a share, ``LiNbO3,MgO`` as names.

    Raises
    ------
    UserError
        For a share that leaves nothing on one side, or may be a decimal comma.
    """
    from screening.typed.values import check_decimal_comma, plain

    text = plain(text)
    if not any(character.isalpha() for character in text):
        check_decimal_comma(text, "--held-out", "names", every_pair=True)
    try:
        share = float(text)
    except ValueError:
        names = [part.strip() for part in text.split(",") if part.strip()]
        if not names:
            raise UserError("--held-out is empty; give a share such as 0.2, candidates or formulas.") from None
        return names
    if not 0 < share < 1:
        raise UserError(f"--held-out is {text}; a share lies between 0 and 1.")
    return share


def _records(run: Path) -> list[Record]:
    from screening.campaign.load import find_run, load_run

    return load_run(find_run(run)).records


def _print_epoch(console: Console, epoch: Epoch) -> None:
    console.print(
        f"epoch {epoch.epoch}: validation force error {epoch.errors.force:.4f} eV/A, "
        f"energy {epoch.errors.energy or 0:.1f} meV/atom",
        highlight=False,
    )


def _print_outcome(console: Console, outcome: Retrained) -> None:
    from rich.table import Table

    if "held_out_errors" in outcome.card:
        errors = outcome.card["held_out_errors"]
        table = Table("held out", "before", "after")
        for key in errors["before"]:
            table.add_row(key, *(_shown(errors[side][key]) for side in ("before", "after")))
        console.print(table)
    if not outcome.promoted:
        console.print(f"not promoted, kept in {outcome.folder}:", highlight=False)
        for reason in outcome.reasons:
            console.print(f"  {reason}", highlight=False)
        return
    console.print(
        f"{outcome.folder}: use it with --potential {shlex.quote(str(outcome.folder))}",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    if outcome.kind == "finetuned":
        console.print(
            "Its checkpoint is new, so its first hull relaxes every competing phase again: 191 for Mg in LiNbO3 beside "
            "NCM811 and LPSCB, with CHGNet some 0.6 s of one core each. They are kept for later runs.",
            highlight=False,
        )


def _shown(value: float | int | None) -> str:
    return "" if value is None else f"{value:g}"


def _track(outcome: Retrained) -> None:
    """Record the training as an MLflow run."""
    from screening.tracking import track_training

    track_training(outcome.folder, outcome.card)
