"""`screen retrain`: fine-tune the potential on DFT data, or fit the softening correction where there are few."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from screening.cli.progress import sign_of_life
from screening.cli.signature import asked, command, defaults
from screening.door.known import families
from screening.door.retrain import retrain

USUAL = defaults(retrain)

DATA, TRAINING, MACHINE, OUTPUT = "What is learnt from", "How it is trained", "Where it runs", "What is written"


@dataclass(frozen=True, kw_only=True)
class RetrainOptions:
    """Options of `screen retrain`."""

    data: Annotated[
        list[Path],
        typer.Option("--data", metavar="DIR", help="Folder of `screen ingest`; may be repeated.", rich_help_panel=DATA),
    ]
    potential: Annotated[
        str,
        typer.Option("--potential", help=families.HELP_RETRAINABLE, rich_help_panel=TRAINING),
    ] = USUAL.potential
    fidelity: Annotated[
        str | None,
        typer.Option("--fidelity", help="Use frames of this one where the data hold several.", rich_help_panel=DATA),
    ] = USUAL.fidelity
    held_out: Annotated[
        str,
        typer.Option(
            "--held-out",
            help="Share of the frames, or candidates and formulas such as LiNbO3,MgO.",
            rich_help_panel=DATA,
        ),
    ] = str(USUAL.held_out)
    run: Annotated[
        Path | None,
        typer.Option(
            "--run", metavar="RUN", help="Run whose records calibrate the softening correction.", rich_help_panel=DATA
        ),
    ] = USUAL.run
    allow_simulated: Annotated[
        bool, typer.Option("--allow-simulated", help="Learn from frames that are no DFT.", rich_help_panel=DATA)
    ] = USUAL.allow_simulated
    epochs: Annotated[
        int, typer.Option("--epochs", min=1, help="Passes over the training frames.", rich_help_panel=TRAINING)
    ] = USUAL.epochs
    learning_rate: Annotated[
        float | None,
        typer.Option(
            "--learning-rate", help="Between 0 and 1.", show_default="the backend's own", rich_help_panel=TRAINING
        ),
    ] = USUAL.learning_rate
    unfreeze: Annotated[
        str,
        typer.Option("--unfreeze", help="none keeps the lower layers, all trains them.", rich_help_panel=TRAINING),
    ] = USUAL.unfreeze
    zero_points: Annotated[
        str,
        typer.Option(
            "--zero-points",
            help="Energies on the zero points of the base (hulls hold every element) or of the data.",
            rich_help_panel=TRAINING,
        ),
    ] = USUAL.zero_points
    seed: Annotated[int, typer.Option("--seed", help="Seed of every random choice.", rich_help_panel=TRAINING)] = (
        USUAL.seed
    )
    device: Annotated[str, typer.Option("--device", help="auto, cpu or cuda.", rich_help_panel=MACHINE)] = USUAL.device
    name: Annotated[
        str | None,
        typer.Option("--name", help="Of the model.", show_default="potential and fidelity", rich_help_panel=OUTPUT),
    ] = USUAL.name
    models: Annotated[
        Path, typer.Option("--models", metavar="DIR", help="Folder of the models.", rich_help_panel=OUTPUT)
    ] = Path(USUAL.models)


@command(RetrainOptions)
def retrain_command(options: RetrainOptions) -> None:
    """Fine-tune the potential on DFT data; with few frames and --run, fit a linear correction per property."""
    sign_of_life()
    from screening.report.console import make_console
    from screening.report.retraining import print_epoch, print_retrained

    console = make_console()
    outcome = retrain(**asked(options, retrain), on_epoch=lambda epoch: print_epoch(console, epoch))
    print_retrained(console, outcome)
    if not outcome.promoted:
        raise typer.Exit(1)
