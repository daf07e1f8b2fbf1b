"""The card beside a model: what it is, what it was made from, how good it is and what it cost."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from screening.engine.running.records import package_versions
from screening.files import sha256_of, write_text
from screening.potentials.model_card import FINETUNED, SOFTENING

if TYPE_CHECKING:
    from screening.retraining.facts import Base, EnergyScale, Taught, Trained
    from screening.retraining.verdict import RetrainSettings, Verdict
    from screening.training_data.training_set import LabelledFrame


def finetuned(
    *,
    settings: RetrainSettings,
    base: Base,
    taught: Taught,
    scale: EnergyScale,
    trained: Trained,
    verdict: Verdict,
    checkpoint: Path,
) -> dict[str, Any]:
    """Card of a fine-tuned potential, promoted or not."""
    from screening.retraining.forgetting import limits_card

    split, training, tuned = taught.split, trained.settings, trained.tuned
    return {
        "kind": FINETUNED,
        "promoted": not verdict.reasons,
        "reasons": verdict.reasons,
        "base": settings.potential,
        "family": base.family,
        "network": base.network,
        "base_checkpoint_sha256": base.potential.checkpoint_sha256,
        "checkpoint": checkpoint.name,
        "checkpoint_sha256": sha256_of(checkpoint),
        "fidelity": taught.fidelity,
        "corrections": scale.corrections,
        "zero_points": settings.zero_points,
        "fitted_elements": scale.fitted_elements,
        "energy_shifts": taught.shifts.to_card(),
        "data": {
            "version": taught.version,
            "training": _composition_table(split.training),
            "validation": _composition_table(split.validation),
            "held_out": _composition_table(split.held_out),
            "held_out_groups": split.held_out_groups,
        },
        "held_out_errors": {"before": verdict.before.to_card(), "after": verdict.after.to_card()},
        "reference_crystals": {
            "limits": limits_card(),
            "compared_with_base": [crystal.to_card() for crystal in verdict.crystals],
        },
        "training": {
            "epochs": settings.epochs,
            "best_epoch": tuned.best_epoch,
            "learning_rate": training.learning_rate,
            "batch_size": training.batch_size,
            "unfreeze": training.unfreeze,
            "patience": training.patience,
            "seed": settings.seed,
            "trained_parameters": tuned.trained_parameters,
            "validation": [{"epoch": e.epoch, "score": round(e.score, 5)} | e.errors.to_card() for e in tuned.history],
        },
        **_provenance(training.device, trained.wall_s),
    }


def softening(
    *,
    base: str,
    base_sha256: str,
    data_version: str,
    fidelity: str,
    n_frames: int,
    softening: Mapping[str, Any],
) -> dict[str, Any]:
    """Card of a linear correction; the potential itself is the base."""
    return {
        "kind": SOFTENING,
        "base": base,
        "base_checkpoint_sha256": base_sha256,
        "fidelity": fidelity,
        "data": {"version": data_version, "n_frames": n_frames},
        "softening": dict(softening),
        **_provenance("cpu", None),
    }


def write(card: Mapping[str, Any], path: Path) -> None:
    """Write a card in one step."""
    write_text(path, yaml.safe_dump(dict(card), sort_keys=False, allow_unicode=True, width=120))


def _composition_table(frames: list[LabelledFrame]) -> dict[str, int]:
    """Frames per reduced formula."""
    return dict(sorted(Counter(frame.formula for frame in frames).items()))


def _provenance(device: str, wall_s: float | None) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "hardware": _hardware(device),
        "run_time_s": None if wall_s is None else round(wall_s, 1),
        "versions": package_versions(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return facts


def _hardware(device: str) -> str:
    import torch

    if device.startswith("cuda"):
        return str(torch.cuda.get_device_name())
    return f"{platform.machine()} CPU, {torch.get_num_threads()} threads"
