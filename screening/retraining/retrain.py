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
from screening.potentials.model_card import CARD, FINETUNED, SOFTENING, SUFFIX
from screening.potentials.registry import built_in_base, check_name, fitted_elements, load_potential, resolved
from screening.potentials.weights import write_weights
from screening.retraining import card as retrain_card
from screening.retraining.backend import Backend, TrainingSettings
from screening.retraining.facts import Base, EnergyScale, Taught, Trained
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
    split_frames,
    usable_frames,
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


def retrain(settings: RetrainSettings, on_epoch: Callable[[Epoch], None] | None = None) -> Retrained:
    """Fine-tune a potential, or fit the softening correction, and write models/<name>.

    Raises
    ------
    UserError
        For data, a potential or a name that cannot be used.
    """
    check_name(settings.potential)
    frames = usable_frames(settings.data, fidelity=settings.fidelity, allow_simulated=settings.allow_simulated)
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
    base = _base(settings.potential, pick_device(settings.device))
    backend = backend_of(base.family)
    split = split_frames(frames, settings.held_out, seed=settings.seed)
    taught = Taught(
        version=data_versions(settings.data),
        fidelity=fidelity_of(frames),
        split=split,
        shifts=fitted_shifts(base.potential, split.learnt),
    )
    training = _training(settings, backend, base.potential.device)
    tuned = _train(backend, base, taught, training, on_epoch)
    partial = settings.models / f".{name}.partial{SUFFIX}"
    settings.models.mkdir(parents=True, exist_ok=True)
    write_weights(tuned.model, partial)  # before it is judged: a judge that is stopped loses nothing
    facts = {"name": f"models/{name}", "corrections": base.potential.corrections}
    potential = backend.potential(tuned.model, training.device, checkpoint_sha256=sha256_of(partial), **facts)
    verdict = judge(base.potential, potential, split, taught.shifts, tuned, settings)
    if settings.zero_points == "data":
        backend.add_zero_points(tuned.model, taught.shifts)
        write_weights(tuned.model, partial)
    folder = settings.models / name if not verdict.reasons else settings.models / REJECTED / name
    folder.mkdir(parents=True)
    card = retrain_card.finetuned(
        settings=settings,
        base=base,
        taught=taught,
        scale=tuned_scale(settings, base.potential, taught.fidelity, taught.shifts),
        trained=Trained(settings=training, tuned=tuned, wall_s=time.perf_counter() - started),
        verdict=verdict,
        checkpoint=partial.rename(folder / f"model{SUFFIX}"),
    )
    retrain_card.write(card, folder / CARD)
    return Retrained(kind=FINETUNED, folder=folder, card=card, reasons=verdict.reasons)


def _train(
    backend: Backend,
    base: Base,
    taught: Taught,
    training: TrainingSettings,
    on_epoch: Callable[[Epoch], None] | None,
) -> Tuned:
    """The base's model after training on its own energy scale, frozen."""
    tuned = finetune(
        backend,
        backend.read(base.source, training.device),
        shifted_frames(taught.split.training, taught.shifts),
        shifted_frames(taught.split.validation, taught.shifts),
        training,
        on_epoch,
    )
    tuned.model.requires_grad_(False)
    return tuned


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


def tuned_scale(settings: RetrainSettings, base: Potential, fidelity: str, shifts: EnergyShifts) -> EnergyScale:
    """Scale of the fine-tuned potential's energies.

    On the data's zero points it has its own hull, gases included, unless the data are the Materials Project's: those
    are uncorrected PBE(+U) energies, which pymatgen's MP2020 scheme corrects. Only elements of the data are on it.
    """
    if settings.zero_points == "base":
        inherited = fitted_elements(settings.potential)
        elements = None if inherited is None else sorted(inherited)
        return EnergyScale(corrections=base.corrections, fitted_elements=elements)
    corrections = "MP2020-needed" if Fidelity.parse(fidelity).is_materials_project else "own-hull"
    return EnergyScale(corrections=corrections, fitted_elements=sorted(shifts.per_element))


def _training(settings: RetrainSettings, backend: Backend, device: str) -> TrainingSettings:
    return TrainingSettings(
        epochs=settings.epochs,
        learning_rate=settings.learning_rate or backend.learning_rate,
        unfreeze=settings.unfreeze,
        seed=settings.seed,
        device=device,
    )


def _base(name: str, device: str) -> Base:
    source = resolved(name)
    network = built_in_base(name)
    family = family_of(network)
    if family is None or network not in RETRAINABLE:
        raise UserError(f"{source} cannot be retrained; use {', '.join(RETRAINABLE)} or a folder of `screen retrain`.")
    potential = load_potential(name, device, self_check=False)
    return Base(source=source, family=family.name, network=network, potential=potential)


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
