"""Fine-tuning CHGNet with its own Trainer.

Deng et al., Nat. Mach. Intell. 5, 1031 (2023), doi:10.1038/s42256-023-00716-3. Frozen by default are the embeddings and
the lower convolutions (`FROZEN_LAYERS`).
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from ase.data import atomic_numbers
from ase.units import GPa

from screening.errors import UserError
from screening.potentials.base import Potential
from screening.potentials.batching import quiet
from screening.potentials.finetuned import read_network
from screening.potentials.model_card import ModelCard
from screening.potentials.networks import chgnet
from screening.retraining.backend import ENERGY_WEIGHT, TrainingSettings, Unfreeze
from screening.training_data.energy_shifts import EnergyShifts
from screening.training_data.training_set import LabelledFrame

VASP_STRESS = -10.0 / GPa
"""From ASE's stress (eV/A^3, tension positive) to what chgnet's data sets take: VASP's kB, pressure positive."""

STRESS_WEIGHT = 0.005
"""Weight of stresses (GPa) in the loss beside forces (eV/A)."""

HUBER_DELTA = 0.01
"""Errors beyond it (eV/atom, eV/A, GPa) count linearly. CHGNet's own 0.1 makes the loss quadratic for most forces that
are left to learn, so that energies, whose errors are a hundred times smaller, would hardly count."""

FROZEN_LAYERS = 2
"""Of four atom convolutions and three bond convolutions, those that keep their weights by default."""


class CHGNetBackend:
    """CHGNet 0.3.0, its r2SCAN version, and what was fine-tuned from them."""

    family = "chgnet"
    learning_rate = 1e-3

    def read(self, source: str | ModelCard, device: str) -> Any:
        """The trainable model."""
        return read_network(source, device)

    def freeze(self, model: Any, unfreeze: Unfreeze) -> None:
        """Choose what is trained; never the references of the elements, which the shifts have settled."""
        model.requires_grad_(True)
        model.composition_model.requires_grad_(False)
        if unfreeze == "all":
            return
        for part in (
            model.atom_embedding,
            model.bond_embedding,
            model.angle_embedding,
            model.bond_basis_expansion,
            model.angle_basis_expansion,
            model.bond_weights_ag,
            model.bond_weights_bg,
            model.atom_conv_layers[:FROZEN_LAYERS],
            model.bond_conv_layers[:FROZEN_LAYERS],
            model.angle_layers[:FROZEN_LAYERS],
        ):
            part.requires_grad_(False)

    def epochs(self, model: Any, frames: Sequence[LabelledFrame], settings: TrainingSettings) -> Iterator[None]:
        """Train `model` in place, one epoch per item."""
        from chgnet.data.dataset import collate_graphs
        from chgnet.trainer import Trainer
        from torch.utils.data import DataLoader

        with quiet():
            dataset = _dataset(model, frames)
            loader = DataLoader(
                dataset,
                batch_size=settings.batch_size,
                shuffle=True,
                collate_fn=collate_graphs,
                generator=torch.Generator().manual_seed(settings.seed),
            )
            with_stress = any(frame.stress is not None for frame in frames)
            trainer = Trainer(
                model=model,
                targets="efs" if with_stress else "ef",
                energy_loss_ratio=ENERGY_WEIGHT,
                force_loss_ratio=1.0,
                stress_loss_ratio=STRESS_WEIGHT,
                optimizer="Adam",
                scheduler="CosLR",
                criterion="Huber",
                delta=HUBER_DELTA,
                epochs=settings.epochs,
                learning_rate=settings.learning_rate or self.learning_rate,
                torch_seed=settings.seed,
                data_seed=settings.seed,
                use_device=settings.device,
            )
        if with_stress:
            trainer.criterion = _without_missing_stresses(trainer.criterion)
        few = DataLoader(dataset, batch_size=1, sampler=[0], collate_fn=collate_graphs)
        for epoch in range(settings.epochs):
            trainer.starting_epoch, trainer.epochs = epoch, epoch + 1
            with quiet():
                # The Trainer validates on one frame only: the epochs are judged by `finetune`.
                trainer.train(loader, few, save_dir="")
            yield

    def potential(self, model: Any, device: str, **facts: Any) -> Potential:
        """The model behind our protocol; a view of its present weights."""
        return chgnet.CHGNetPotential(model, device=device, **facts)

    def add_zero_points(self, model: Any, shifts: EnergyShifts) -> None:
        """Make the shifts part of the model's references of the elements (eV/atom)."""
        with torch.no_grad():
            for symbol, shift in shifts.per_element.items():
                model.composition_model.fc.weight[0, atomic_numbers[symbol] - 1] += shift


def _dataset(model: Any, frames: Sequence[LabelledFrame]) -> Any:
    """chgnet's own data set; its graphs are made here, since it replaces those that fail by others without a word."""
    from chgnet.data.dataset import StructureData
    from pymatgen.io.ase import AseAtomsAdaptor

    random.seed(0)  # a structure that fails is replaced by a random one; see below
    missing = np.full((3, 3), np.nan)
    dataset = StructureData(
        structures=[AseAtomsAdaptor.get_structure(f.atoms) for f in frames],
        energies=[f.energy / len(f.atoms) for f in frames],
        forces=[f.forces.tolist() for f in frames],
        stresses=[(missing if f.stress is None else f.stress * VASP_STRESS).tolist() for f in frames],
        graph_converter=model.graph_converter,
        shuffle=False,
    )
    for index in range(len(frames)):
        dataset[index]
        if dataset.failed_idx:
            raise UserError(
                f"CHGNet can make no graph of a frame of {frames[index].formula} (an atom has no neighbour within its "
                "cutoff); take it out of the data."
            )
    return dataset


def _without_missing_stresses(criterion: Any) -> Any:
    """A loss in which a batch without any stress contributes none; the mean over nothing would be NaN."""

    def loss(targets: dict[str, Any], prediction: dict[str, Any]) -> Any:
        if all(torch.isnan(stress).any() for stress in targets["s"]):
            targets = {**targets, "s": [stress.detach() for stress in prediction["s"]]}
        return criterion(targets, prediction)

    return loss
