"""A potential fine-tuned on DFT data, or a softening correction where there are few."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from screening.defaults import DEVICE, EPOCHS, HELD_OUT, MODELS_FOLDER, POTENTIAL
from screening.door.given import PATHS, checked
from screening.door.keywords import takes
from screening.door.load import AnyRun, load_run
from screening.door.typed import PathLike, as_paths
from screening.errors import UserError

if TYPE_CHECKING:
    from screening.retraining.finetune import Epoch
    from screening.retraining.retrain import Retrained

MAX_EPOCHS = 100_000


@dataclass(frozen=True)
class RetrainOptions:
    """What `retrain` takes; its docstring says what each means."""

    data: PathLike | Sequence[PathLike]
    _: KW_ONLY
    potential: PathLike = POTENTIAL
    fidelity: str | None = None
    held_out: float | str | Sequence[str] = HELD_OUT
    run: AnyRun | None = None
    allow_simulated: bool = False
    epochs: int = EPOCHS
    learning_rate: float | None = None
    unfreeze: str = "none"
    zero_points: str = "base"
    seed: int = 0
    device: str = DEVICE
    name: str | None = None
    models: PathLike = MODELS_FOLDER
    on_epoch: Callable[[Epoch], None] | None = None


@checked(data=PATHS)
@takes(RetrainOptions)
def retrain(options: RetrainOptions) -> Retrained:
    """Fine-tune a potential on DFT data, or with few frames and `run` fit a linear correction; as `screen retrain`.

    Parameters
    ----------
    data
        Folder of `ingest`, or several.
    potential
        What is trained; see `load_potential`.
    fidelity
        Use frames of this one where the data hold several.
    held_out
        Share of the frames that the result is judged by, or candidates and formulas.
    run
        Run whose records calibrate the softening correction; see `load_run`.
    allow_simulated
        Learn from frames that are no DFT.
    epochs
        Passes over the training frames.
    learning_rate
        Between 0 and 1; the backend's own when None.
    unfreeze
        ``"none"`` keeps the lower layers, ``"all"`` trains them.
    zero_points
        Energies on the zero points of the ``"base"`` (hulls hold every element) or of the ``"data"``.
    seed
        Of every random choice.
    device
        ``"auto"``, ``"cpu"`` or ``"cuda"``.
    name
        Of the model; potential and fidelity when None.
    models
        Folder of the models.
    on_epoch
        Called after every epoch.

    Returns
    -------
    Retrained
        Folder, card and, where it was not promoted, the reasons. It is tracked in MLflow.

    Raises
    ------
    UserError
        For data, a potential, a name or numbers that cannot be used.
    """
    from screening.process.stopping import not_interrupted
    from screening.retraining.retrain import retrain as train
    from screening.retraining.verdict import RetrainSettings
    from screening.tracking import track_training

    check_training(options)
    settings = RetrainSettings(
        data=tuple(as_paths(options.data)),
        potential=os.fspath(options.potential),
        models=Path(options.models),
        name=options.name,
        fidelity=options.fidelity,
        held_out=parse_held_out(options.held_out),
        zero_points="data" if options.zero_points == "data" else "base",
        epochs=options.epochs,
        learning_rate=options.learning_rate,
        unfreeze="all" if options.unfreeze == "all" else "none",
        seed=options.seed,
        device=options.device,
        allow_simulated=options.allow_simulated,
        run_records=None if options.run is None else load_run(options.run).records,
    )
    outcome = train(settings, on_epoch=options.on_epoch)
    with not_interrupted():  # seconds: what was trained is also recorded
        track_training(outcome.folder, outcome.card)
    return outcome


def check_training(options: RetrainOptions) -> None:
    """Refuse words and numbers that no training can take.

    Raises
    ------
    UserError
        Names the option.
    """
    from screening.config import MAX_SEED

    for option, value, allowed in (
        ("unfreeze", options.unfreeze, ("none", "all")),
        ("zero-points", options.zero_points, ("base", "data")),
    ):
        if value not in allowed:
            raise UserError(f"--{option} is {value!r}; use {' or '.join(allowed)}.")
    if not 0 <= options.seed <= MAX_SEED:
        raise UserError(f"--seed is {options.seed}; give a whole number from 0 to {MAX_SEED}.")
    if options.epochs < 1:
        raise UserError(f"--epochs is {options.epochs}; give 1 or more.")
    if options.epochs > MAX_EPOCHS:
        raise UserError(f"--epochs is {options.epochs}; more than {MAX_EPOCHS} are a slip.")
    rate = options.learning_rate
    if rate is not None and not 0 < rate < 1:
        raise UserError(f"--learning-rate is {rate:g}; give a number between 0 and 1, for example 1e-4.")


def parse_held_out(held_out: float | str | Sequence[str]) -> float | list[str]:
    """A share (0.2, also as text), or names (a list, or ``LiNbO3,MgO``).

    Raises
    ------
    UserError
        For a share that leaves nothing on one side, or may be a decimal comma.
    """
    from screening.typed.values import check_decimal_comma, plain_text

    if not isinstance(held_out, str | int | float):
        return list(held_out)
    text = plain_text(str(held_out))
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
