"""What a family of potentials brings to be fine-tuned, and how it is trained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from screening.defaults import EPOCHS
from screening.potentials.base import Potential
from screening.potentials.model_card import ModelCard
from screening.training_data.energy_shifts import EnergyShifts
from screening.training_data.training_set import LabelledFrame

Unfreeze = Literal["none", "all"]


ENERGY_WEIGHT = 5.0
"""Weight of energies (eV/atom) beside forces (eV/A): 10 meV/atom count as much as 0.05 eV/A."""


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """How to train.

    Attributes
    ----------
    learning_rate
        Of Adam; None for the backend's own.
    unfreeze
        ``"none"`` keeps the lower layers as they are, ``"all"`` trains everything.
    patience
        Epochs without a better validation error after which training stops.
    """

    epochs: int = EPOCHS
    learning_rate: float | None = None
    batch_size: int = 2
    unfreeze: Unfreeze = "none"
    patience: int = 8
    seed: int = 0
    device: str = "cpu"


class Backend(Protocol):
    """One family of potentials and its training code."""

    family: str
    learning_rate: float

    def read(self, source: str | ModelCard, device: str) -> Any:
        """The trainable model of a built-in potential or of one that was fine-tuned before."""
        ...

    def freeze(self, model: Any, unfreeze: Unfreeze) -> None:
        """Choose what is trained."""
        ...

    def epochs(self, model: Any, frames: Sequence[LabelledFrame], settings: TrainingSettings) -> Iterator[None]:
        """Train `model` in place, one epoch per item."""
        ...

    def potential(self, model: Any, device: str, **facts: Any) -> Potential:
        """The model behind our protocol; a view of its present weights."""
        ...

    def add_zero_points(self, model: Any, shifts: EnergyShifts) -> None:
        """Make the shifts part of the model's energies."""
        ...
