"""Fine-tuning SevenNet-0 and SevenNet-l3i5 with sevenn's own Trainer.

Park et al., J. Chem. Theory Comput. 20, 4857 (2024), doi:10.1021/acs.jctc.4c00190. Loss and weights are those that the
checkpoint was trained with ("keeping original loss function give better ft result", sevenn's preset for fine-tuning).
Frozen by default are the embedding and the first three of five interaction layers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.data import atomic_numbers

from screening.potentials.base import Potential
from screening.potentials.batching import quiet
from screening.potentials.finetuned import read_network
from screening.potentials.model_card import ModelCard
from screening.potentials.networks import sevennet
from screening.retraining.backend import TrainingSettings, Unfreeze
from screening.training_data.energy_shifts import EnergyShifts
from screening.training_data.training_set import LabelledFrame

FROZEN_LAYERS = 3
"""Interaction layers that keep their weights by default, counted from the input."""

_RESCALE = "rescale_atomic_energy"


class SevenNetBackend:
    """SevenNet-0, SevenNet-l3i5, and what was fine-tuned from them."""

    family = "sevennet"
    learning_rate = 1e-4

    def read(self, source: str | ModelCard, device: str) -> Any:
        """The trainable model."""
        model = read_network(source, device)
        model.set_is_batch_data(True)
        return model

    def freeze(self, model: Any, unfreeze: Unfreeze) -> None:
        """Choose what is trained; never shift and scale of the elements, nor the denominators of the convolutions."""
        for name, part in model.named_children():
            layer, _, _ = name.partition("_")
            lower = name.startswith(("edge_embedding", "onehot")) or (layer.isdigit() and int(layer) < FROZEN_LAYERS)
            part.requires_grad_(name != _RESCALE and (unfreeze == "all" or not lower))
        for name, weight in model.named_parameters():
            if name.endswith(".denominator"):
                weight.requires_grad_(False)

    def epochs(self, model: Any, frames: Sequence[LabelledFrame], settings: TrainingSettings) -> Iterator[None]:
        """Train `model` in place, one epoch per item."""
        with quiet():
            from sevenn.train.loss import ForceLoss, PerAtomEnergyLoss, StressLoss
            from sevenn.train.trainer import Trainer
            from torch_geometric.loader import DataLoader

            torch.manual_seed(settings.seed)
            loader = DataLoader(
                _graphs(frames, float(model.cutoff)),
                batch_size=settings.batch_size,
                shuffle=True,
                generator=torch.Generator().manual_seed(settings.seed),
            )
            huber = torch.nn.HuberLoss(delta=0.01)
            losses = [(PerAtomEnergyLoss(criterion=huber), 1.0), (ForceLoss(criterion=huber), 1.0)]
            if any(frame.stress is not None for frame in frames):
                losses.append((StressLoss(criterion=huber), 0.01))
            trainer = Trainer(
                model,
                loss_functions=losses,
                optimizer_cls=torch.optim.Adam,
                optimizer_args={"lr": settings.learning_rate or self.learning_rate},
                scheduler_cls=torch.optim.lr_scheduler.CosineAnnealingLR,
                scheduler_args={"T_max": settings.epochs},
                device=settings.device,
            )
        for _ in range(settings.epochs):
            with quiet():
                trainer.run_one_epoch(loader, is_train=True)
                trainer.scheduler_step()
            yield

    def potential(self, model: Any, device: str, **facts: Any) -> Potential:
        """The model behind our protocol; a view of its present weights."""
        return sevennet.SevenNetPotential(model, modal=None, device=device, **facts)

    def add_zero_points(self, model: Any, shifts: EnergyShifts) -> None:
        """Make the shifts part of the model's own shifts of the elements (eV/atom)."""
        rescale = dict(model.named_children())[_RESCALE]
        with torch.no_grad():
            for symbol, shift in shifts.per_element.items():
                rescale.shift[model.type_map[atomic_numbers[symbol]]] += shift


def _graphs(frames: Sequence[LabelledFrame], cutoff: float) -> list[Any]:
    """sevenn's own labelled graphs; a missing stress is NaN there, which its losses mask."""
    import sevenn._keys as KEY
    from sevenn.train.dataload import graph_build

    labelled = []
    for frame in frames:
        atoms = Atoms(frame.atoms.numbers, positions=frame.atoms.positions, cell=frame.atoms.cell, pbc=True)
        results: dict[str, Any] = {"energy": frame.energy, "free_energy": frame.energy, "forces": frame.forces}
        if frame.stress is not None:
            results["stress"] = frame.stress[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
        atoms.calc = SinglePointCalculator(atoms, **results)
        labelled.append(atoms)
    graphs = graph_build(labelled, cutoff, num_cores=1, transfer_info=False, y_from_calc=True)
    for graph in graphs:
        graph.pop(KEY.INFO, None)
    return list(graphs)
