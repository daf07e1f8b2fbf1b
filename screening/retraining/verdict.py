"""What a user asks of a retraining, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from screening.defaults import DEVICE, EPOCHS, HELD_OUT, MODELS_FOLDER, POTENTIAL
from screening.engine.running.records import Record
from screening.retraining.backend import Unfreeze
from screening.retraining.forgetting import CRYSTALS, Remembered
from screening.retraining.potential_errors import Errors

ZeroPoints = Literal["base", "data"]


@dataclass(frozen=True, kw_only=True)
class RetrainSettings:
    """What a user chooses.

    Attributes
    ----------
    held_out
        Fraction of the frames, or candidates and formulas.
    zero_points
        ``"base"``: energies stay on the base's zero points, so that gases and corrections of its scale remain valid and
        hulls hold every element; reaction energies are the same either way, because no reaction changes the numbers of
        atoms. ``"data"``: energies are those of the DFT program; a hull then refuses elements that the data lack.
    run_records
        Records of a run, for the softening correction; None when no run was given.
    reference_crystals
        Phases that must not be forgotten.
    """

    data: Sequence[Path]
    potential: str = POTENTIAL
    models: Path = Path(MODELS_FOLDER)
    name: str | None = None
    fidelity: str | None = None
    held_out: float | Sequence[str] = HELD_OUT
    zero_points: ZeroPoints = "base"
    epochs: int = EPOCHS
    learning_rate: float | None = None
    unfreeze: Unfreeze = "none"
    seed: int = 0
    device: str = DEVICE
    allow_simulated: bool = False
    run_records: Sequence[Record] | None = None
    reference_crystals: Sequence[str] = CRYSTALS


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Held-out errors before and after, what became of the reference crystals, and what speaks against promotion."""

    before: Errors
    after: Errors
    crystals: list[Remembered]
    reasons: list[str]
