"""CHGNet 0.3.0 and its r2SCAN version from the `chgnet` wheel, batched.

Deng et al., Nat. Mach. Intell. 5, 1031 (2023), doi:10.1038/s42256-023-00716-3. Weights and mathematics are the
package's; graphs and forward pass are arranged for speed (`chgnet_graph`, `chgnet_forward`). Gradients are taken with
respect to the bond vectors, so that forces and stress come from one backward pass and magnetic moments are left out.
Measured at 120 atoms on one core: 0.26 s of CPU time per energy and forces, 1.25 s with the package's ASE calculator.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ase import Atoms
from ase.data import atomic_numbers
from numpy.typing import NDArray
from torch import Tensor

from screening.files import sha256_of
from screening.potentials.base import Evaluation
from screening.potentials.batching import BatchedPotential, pick_device, quiet
from screening.potentials.elements import MPTRJ
from screening.potentials.networks.chgnet_forward import CHGNetForward, GraphTensors
from screening.potentials.networks.chgnet_graph import BatchGraph, build_graph
from screening.potentials.weights import read_pickle

Array = NDArray[np.float64]

CHECKPOINTS = {
    "chgnet": "0.3.0/chgnet_0.3.0_e29f68s314m37.pth.tar",
    "chgnet-r2scan": "r2scan/chgnet_r2scan_transfer_learning_e15f36s161m23.pth.tar",
}


class CHGNetPotential(BatchedPotential):
    """CHGNet with frozen weights."""

    def __init__(self, model: Any, **facts: Any) -> None:
        super().__init__(**facts)
        self.forward = CHGNetForward(model)
        self.cutoffs = (float(model.graph_converter.atom_graph_cutoff), float(model.graph_converter.bond_graph_cutoff))
        self.references = model.composition_model.fc.weight.detach().double().cpu().numpy().ravel()
        self.elements = frozenset(atomic_numbers[symbol] for symbol in MPTRJ)

    def graph(self, structures: Sequence[Atoms]) -> tuple[BatchGraph, GraphTensors, Tensor]:
        """Bonds and angles, their indices on the device, and the bond vectors to differentiate by."""
        graph = build_graph(structures, bond_cutoff=self.cutoffs[0], angle_cutoff=self.cutoffs[1])
        vectors = torch.tensor(graph.vectors, dtype=torch.float32, device=self.device, requires_grad=True)
        return graph, GraphTensors.of(graph, self.device), vectors

    def infer(self, graph: tuple[BatchGraph, GraphTensors, Tensor]) -> tuple[Array, Array]:
        """Site energies (N,) eV without the elements' references, and their gradient by the bond vectors (U, 3)."""
        _, tensors, vectors = graph
        sites = self.forward(tensors, vectors)
        (gradient,) = torch.autograd.grad(sites.sum(), vectors)
        # Sums in double precision: a float32 total energy is good to 1e-4 eV only for some 200 atoms.
        return sites.detach().double().cpu().numpy(), gradient.double().cpu().numpy()

    def unpack(
        self,
        structures: Sequence[Atoms],
        graph: tuple[BatchGraph, GraphTensors, Tensor],
        found: tuple[Array, Array],
        *,
        stress: bool,
    ) -> list[Evaluation]:
        """Sums over each structure's sites and bonds."""
        bonds, slopes = graph[0], found[1]
        energies = found[0] + self.references[bonds.numbers - 1]
        forces = np.zeros((len(bonds.numbers), 3))
        np.subtract.at(forces, bonds.i, slopes)
        np.add.at(forces, bonds.j, slopes)
        virials = np.zeros((len(structures), 3, 3))
        if stress:
            np.add.at(virials, bonds.owners[bonds.i], bonds.vectors[:, :, None] * slopes[:, None, :])
        results, start = [], 0
        for atoms, virial in zip(structures, virials, strict=True):
            own = slice(start, start + len(atoms))
            tensor = (virial + virial.T) / (2 * atoms.get_volume()) if stress else None
            results.append(Evaluation(energy=float(energies[own].sum()), forces=forces[own], stress=tensor))
            start = own.stop
        return results


def load(name: str, device: str = "auto", *, corrections: str) -> CHGNetPotential:
    """Load a model of the wheel; `name` is one of `CHECKPOINTS`, `corrections` are `Potential.corrections`."""
    device = pick_device(device)
    return from_model(
        read_model(checkpoint_of(name), device),
        name=name,
        checkpoint_sha256=sha256_of(checkpoint_of(name)),
        device=device,
        corrections=corrections,
    )


def checkpoint_of(name: str) -> Path:
    """Weights of a built-in model."""
    with quiet():
        import chgnet
    return Path(chgnet.__file__).parent / "pretrained" / CHECKPOINTS[name]


def read_model(checkpoint: Path, device: str = "cpu") -> Any:
    """The package's own model, as trained, on the device."""
    with quiet():
        from chgnet.model.model import CHGNet

        content = read_pickle(checkpoint)["model"]
        # The shipped files do not say so; `CHGNet.load` has it for every model after 0.2.0.
        content["model_args"].setdefault("mlp_out_bias", False)
        return CHGNet.from_dict(content).to(device)


def from_model(model: Any, **facts: Any) -> CHGNetPotential:
    """A potential from the package's model, whose weights are frozen by it."""
    model.eval().requires_grad_(False)
    return CHGNetPotential(model, **facts)
