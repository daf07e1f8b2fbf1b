"""Fine-tuning a universal potential: what CHGNet and SevenNet share.

The packages' own training code does the training; here are the settings, early stopping and the choice of the best
epoch. Labels come shifted to the potential's own zero points (`energy_shifts`), so that only what is left is learnt.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import numpy as np

from screening.errors import UserError
from screening.potentials.families.table import NETWORKS, RETRAINABLE, family_named
from screening.retraining.backend import ENERGY_WEIGHT, Backend, TrainingSettings
from screening.retraining.potential_errors import Errors, errors_of
from screening.training_data.energy_shifts import EnergyShifts
from screening.training_data.training_set import LabelledFrame

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """Validation errors after an epoch; epoch 0 is the potential as it was."""

    epoch: int
    score: float
    errors: Errors


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """A model after training, with the weights of its best epoch (0 when none was better than the base)."""

    model: Any
    best_epoch: int
    trained_parameters: int
    history: list[Epoch] = field(default_factory=list)


def backend_of(family: str) -> Backend:
    """Training code of a family.

    Raises
    ------
    UserError
        For a family that cannot be fine-tuned here.
    """
    if family not in NETWORKS:
        raise UserError(f"only {', '.join(RETRAINABLE)} and their retrained folders can be retrained.")
    fine_tuning = family_named(family).fine_tuning
    assert fine_tuning is not None
    module, _, name = fine_tuning.backend.partition(":")
    backend: Backend = getattr(import_module(module), name)()
    return backend


def finetune(
    backend: Backend,
    model: Any,
    training: Sequence[LabelledFrame],
    validation: Sequence[LabelledFrame],
    settings: TrainingSettings,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> Tuned:
    """Train with early stopping.

    Parameters
    ----------
    model
        From `backend.read`; changed in place, it ends with the weights of the best epoch.
    training, validation
        Frames on the model's own energy scale. Without validation frames the training frames judge the epochs.
    on_epoch
        Called after every epoch.

    Raises
    ------
    UserError
        When training diverges from the first epoch on.
    """
    judges = list(validation) or list(training)

    def judge() -> Errors:
        model.eval()
        potential = backend.potential(model, settings.device, name="fine-tuned", checkpoint_sha256="", corrections="")
        return errors_of(potential, judges, shifts=_no_shifts(judges))

    backend.freeze(model, settings.unfreeze)
    trained = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    start = judge()
    history = [Epoch(epoch=0, score=_score(start), errors=start)]
    best, best_state = history[0], copy.deepcopy(model.state_dict())
    for number, _ in enumerate(backend.epochs(model, training, settings), start=1):
        try:
            errors = judge()
        except FloatingPointError as error:
            if best.epoch == 0:
                raise UserError(
                    f"training diverged in epoch {number} ({error}); use a smaller --learning-rate."
                ) from error
            logger.warning("training diverged in epoch %d (%s); epoch %d is kept", number, error, best.epoch)
            break
        history.append(Epoch(epoch=number, score=_score(errors), errors=errors))
        if on_epoch is not None:
            on_epoch(history[-1])
        if history[-1].score < best.score:
            best, best_state = history[-1], copy.deepcopy(model.state_dict())
        elif number - best.epoch >= settings.patience:
            break
    model.load_state_dict(best_state)
    model.eval()
    return Tuned(model=model, best_epoch=best.epoch, trained_parameters=trained, history=history)


def _no_shifts(frames: Sequence[LabelledFrame]) -> EnergyShifts:
    """Shifts of nothing that cover every composition."""
    symbols = sorted({s for f in frames for s in f.atoms.get_chemical_symbols()})
    return EnergyShifts(
        per_element=dict.fromkeys(symbols, 0.0), undetermined=0, rms_residual=0.0, span=np.eye(len(symbols))
    )


def _score(errors: Errors) -> float:
    """What the best epoch has least of, eV/A: neither forces nor energies are bought with the other."""
    assert errors.energy is not None
    return errors.force + ENERGY_WEIGHT * errors.energy / 1000
