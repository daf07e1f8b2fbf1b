"""What a retraining took and gave, as its card states it."""

from __future__ import annotations

from dataclasses import dataclass

from screening.potentials.base import Potential
from screening.potentials.model_card import ModelCard
from screening.retraining.backend import TrainingSettings
from screening.retraining.finetune import Tuned
from screening.training_data.energy_shifts import EnergyShifts
from screening.training_data.training_set import Split


@dataclass(frozen=True, kw_only=True)
class Base:
    """The potential that was fine-tuned.

    Attributes
    ----------
    source
        What `Backend.read` takes.
    family, network
        See `ModelCard`.
    """

    source: str | ModelCard
    family: str
    network: str
    potential: Potential


@dataclass(frozen=True, kw_only=True)
class Taught:
    """The data: their version and fidelity, how they were divided, and what was taken off their energies."""

    version: str
    fidelity: str
    split: Split
    shifts: EnergyShifts


@dataclass(frozen=True, kw_only=True)
class EnergyScale:
    """`Potential.corrections` of a fine-tuned potential, and the elements that are on its scale (None: all)."""

    corrections: str
    fitted_elements: list[str] | None


@dataclass(frozen=True, kw_only=True)
class Trained:
    """How it was trained, with the learning rate and the device that were used, what came of it, and the time (s)."""

    settings: TrainingSettings
    tuned: Tuned
    wall_s: float
