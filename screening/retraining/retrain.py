"""Retraining: from DFT data to models/<name>, or to a reason why not.

With enough frames the potential itself is fine-tuned, judged on what was held out and on crystals that it must not have
forgotten, and promoted or put into models/rejected. With fewer, the linear softening correction is fitted instead.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from screening.errors import UserError
from screening.fidelity import Fidelity
from screening.files import sha256_of
from screening.potentials.base import Potential
from screening.potentials.batching import pick_device
from screening.potentials.families.table import RETRAINABLE, family_of
from screening.potentials.model_card import CARD, FINETUNED, SOFTENING, SUFFIX, ModelCard
from screening.potentials.registry import built_in_base, check_name, fitted_elements, load_potential, resolved
from screening.potentials.weights import write_weights
from screening.retraining import card as retrain_card
from screening.retraining.backend import TrainingSettings
from screening.retraining.finetune import Epoch, Tuned, backend_of, finetune
from screening.retraining.forgetting import compare_crystals
from screening.retraining.potential_errors import errors_of, evaluate
from screening.retraining.verdict import RetrainSettings, Verdict
from screening.training_data.energy_shifts import EnergyShifts, fit_shifts
from screening.training_data.training_set import (
    MIN_FRAMES,
    LabelledFrame,
    Split,
    data_versions,
    fidelity_of,
    read_frames,
    split_frames,
)

REJECTED = "rejected"


@dataclass(frozen=True, kw_only=True)
class Retrained:
    """The outcome.

    Attributes
    ----------
    folder
        Where card and checkpoint are.
    reasons
        Why a fine-tuned potential was not promoted; empty when it was.
    """

    kind: str
    folder: Path
    card: dict[str, Any]
    reasons: list[str] = field(default_factory=list)

    @property
    def promoted(self) -> bool:
        return not self.reasons


@dataclass(frozen=True, kw_only=True)
class _Base:
    source: str | ModelCard
    family: str
    network: str
    potential: Potential


def retrain(settings: RetrainSettings, on_epoch: Callable[[Epoch], None] | None = None) -> Retrained:
    """Fine-tune a potential, or fit the softening correction, and write models/<name>.

    Raises
    ------
    UserError
        For data, a potential or a name that cannot be used.
    """
    check_name(settings.potential)
    frames = read_frames(settings.data, fidelity=settings.fidelity, allow_simulated=settings.allow_simulated)
    name = settings.name or _slug(f"{Path(settings.potential).name}-{Fidelity.parse(fidelity_of(frames)).label}")
    check_target(settings.models, name)
    if len(frames) < MIN_FRAMES:
        return _soften(settings, frames, name)
    return _finetune(settings, frames, name, on_epoch)


def check_target(models: Path, name: str) -> None:
    """Refuse a name that is no folder name or is taken.

    Raises
    ------
    UserError
        Says which.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9+._-]*", name) or name == REJECTED:
        raise UserError(f"{name!r} cannot be a model's name; use letters, digits, '-', '_' and '.'.")
    for folder in (models / name, models / REJECTED / name):
        if folder.exists():
            raise UserError(f"{folder} exists; nothing is overwritten, choose another --name or remove it.")


def _finetune(
    settings: RetrainSettings, frames: list[LabelledFrame], name: str, on_epoch: Callable[[Epoch], None] | None
) -> Retrained:
    started = time.perf_counter()
    device = pick_device(settings.device)
    base = _base(settings.potential, device)
    split = split_frames(frames, settings.held_out, seed=settings.seed)
    shifts = fitted_shifts(base.potential, split.learnt)
    backend, training = backend_of(base.family), _training(settings, device)
    model = backend.read(base.source, device)
    tuned = finetune(
        backend,
        model,
        shifted_frames(split.training, shifts),
        shifted_frames(split.validation, shifts),
        training,
        on_epoch,
    )
    model.requires_grad_(False)
    partial = settings.models / f".{name}.partial{SUFFIX}"
    settings.models.mkdir(parents=True, exist_ok=True)
    write_weights(model, partial)  # before it is judged: a judge that is stopped loses nothing
    facts = {"name": f"models/{name}", "corrections": base.potential.corrections}
    potential = backend.potential(model, device, checkpoint_sha256=sha256_of(partial), **facts)
    verdict = judge(base.potential, potential, split, shifts, tuned, settings)
    if settings.zero_points == "data":
        backend.add_zero_points(model, shifts)
        write_weights(model, partial)
    folder = settings.models / name if not verdict.reasons else settings.models / REJECTED / name
    folder.mkdir(parents=True)
    checkpoint = partial.rename(folder / f"model{SUFFIX}")
    corrections, fitted = scale_of(settings, base.potential, fidelity_of(frames), shifts)
    card = retrain_card.finetuned(
        settings=settings,
        base_family=base.family,
        network=base.network,
        base_sha256=base.potential.checkpoint_sha256,
        fidelity=fidelity_of(frames),
        corrections=corrections,
        fitted_elements=fitted,
        data_version=data_versions(settings.data),
        split=split,
        shifts=shifts,
        training=training,
        learning_rate=training.learning_rate or backend.learning_rate,
        tuned=tuned,
        verdict=verdict,
        checkpoint=checkpoint,
        device=device,
        wall_s=time.perf_counter() - started,
    )
    retrain_card.write(card, folder / CARD)
    return Retrained(kind=FINETUNED, folder=folder, card=card, reasons=verdict.reasons)


def judge(
    base: Potential,
    tuned_potential: Potential,
    split: Split,
    shifts: EnergyShifts,
    tuned: Tuned,
    settings: RetrainSettings,
) -> Verdict:
    """Held-out errors of both, the reference crystals, and the reasons against promotion."""
    from screening.potentials.selfcheck import check_potential

    before = errors_of(base, split.held_out, shifts=shifts)
    after = errors_of(tuned_potential, split.held_out, shifts=shifts)
    crystals = compare_crystals(base, tuned_potential, settings.reference_crystals, seed=settings.seed)
    reasons = []
    if tuned.best_epoch == 0:
        reasons.append("no epoch improved on the validation frames; try another --learning-rate")
    if not after.force < before.force:
        reasons.append(f"held-out force error {before.force:.4f} became {after.force:.4f} eV/A")
    reasons += [f"{c.crystal}: {', '.join(c.forgotten)}" for c in crystals if c.forgotten]
    try:
        check_potential(tuned_potential)
    except UserError as error:
        reasons.append(str(error))
    return Verdict(before=before, after=after, crystals=crystals, reasons=reasons)


def scale_of(
    settings: RetrainSettings, base: Potential, fidelity: str, shifts: EnergyShifts
) -> tuple[str, list[str] | None]:
    """`Potential.corrections` of the fine-tuned potential, and the elements that are on its scale (None: all).

    On the data's zero points it has its own hull, gases included, unless the data are the Materials Project's: those
    are uncorrected PBE(+U) energies, which pymatgen's MP2020 scheme corrects. Only elements of the data are on it.
    """
    if settings.zero_points == "base":
        inherited = fitted_elements(settings.potential)
        return base.corrections, None if inherited is None else sorted(inherited)
    return "MP2020-needed" if Fidelity.parse(fidelity).is_materials_project else "own-hull", sorted(shifts.per_element)


def _training(settings: RetrainSettings, device: str) -> TrainingSettings:
    return TrainingSettings(
        epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        unfreeze=settings.unfreeze,
        seed=settings.seed,
        device=device,
    )


def _base(name: str, device: str) -> _Base:
    source = resolved(name)
    network = built_in_base(name)
    family = family_of(network)
    if family is None or network not in RETRAINABLE:
        raise UserError(f"{source} cannot be retrained; use {', '.join(RETRAINABLE)} or a folder of `screen retrain`.")
    potential = load_potential(name, device, self_check=False)
    return _Base(source=source, family=family.name, network=network, potential=potential)


def fitted_shifts(base: Potential, frames: Sequence[LabelledFrame]) -> EnergyShifts:
    """Zero points of the frames' elements on the potential's energies, fitted to all of them."""
    answers = evaluate(base, frames)
    return fit_shifts([f.atoms for f in frames], [f.energy - a.energy for f, a in zip(frames, answers, strict=True)])


def shifted_frames(frames: Sequence[LabelledFrame], shifts: EnergyShifts) -> list[LabelledFrame]:
    """The frames on the potential's own energy scale."""
    return [f.shifted(shifts.of(f.atoms)) for f in frames]


def _soften(settings: RetrainSettings, frames: Sequence[LabelledFrame], name: str) -> Retrained:
    """Too few frames for a network: a linear correction per property from pairs of records."""
    if settings.run_records is None:
        raise UserError(
            f"there are {len(frames)} frames and fine-tuning needs {MIN_FRAMES}; give --run RUN to fit a linear "
            "softening correction from its pairs of potential and DFT values instead, or add calculations."
        )
    from screening.retraining.softening import fit_softening

    base = load_potential(settings.potential, settings.device, self_check=False)
    softening = fit_softening(settings.run_records, base=str(Fidelity(potential=base.name)))
    card = retrain_card.softening(
        base=base.name,
        base_sha256=base.checkpoint_sha256,
        data_version=data_versions(settings.data),
        fidelity=fidelity_of(frames),
        n_frames=len(frames),
        softening=softening.to_card(),
    )
    folder = settings.models / name
    folder.mkdir(parents=True)
    retrain_card.write(card, folder / CARD)
    return Retrained(kind=SOFTENING, folder=folder, card=card)


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9+._-]+", "-", text).strip("-.")
