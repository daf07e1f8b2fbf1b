"""SevenNet-0, SevenNet-l3i5 and SevenNet-MF-0 from the `sevenn` wheel, batched through torch_geometric.

Park et al., J. Chem. Theory Comput. 20, 4857 (2024), doi:10.1021/acs.jctc.4c00190; multi-fidelity: Kim et al.,
J. Am. Chem. Soc. 147, 1042 (2025), doi:10.1021/jacs.4c14455.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ase import Atoms
from numpy.typing import NDArray

from screening.files import sha256_of
from screening.potentials.base import Evaluation
from screening.potentials.batching import BatchedPotential, pick_device, quiet
from screening.potentials.weights import restricted_unpickling

Array = NDArray[np.float64]

CHECKPOINTS = {
    "sevennet-0": "SEVENNET_0_11Jul2024",
    "sevennet-l3i5": "SEVENNET_l3i5",
    "sevennet-mf-0": "SEVENNET_MF_0",
}


class SevenNetPotential(BatchedPotential):
    """A SevenNet model with frozen weights; gradients go to the edge vectors only."""

    def __init__(self, model: Any, *, modal: str | None, **facts: Any) -> None:
        super().__init__(**facts)
        self.model = model
        self.modal = modal
        self.elements = frozenset(int(z) for z in model.type_map)

    def _graph(self, atoms: Atoms) -> Any:
        import sevenn._keys as KEY
        from sevenn.atom_graph_data import AtomGraphData
        from sevenn.train.dataload import unlabeled_atoms_to_graph

        data = unlabeled_atoms_to_graph(atoms, self.model.cutoff)
        data.pop(KEY.INFO)
        graph = AtomGraphData.from_numpy_dict(data)
        if self.modal is not None:
            graph[KEY.DATA_MODALITY] = self.modal
        return graph

    def graph(self, structures: Sequence[Atoms]) -> Any:
        """All structures as one torch_geometric batch on the device."""
        from torch_geometric.data import Batch

        return Batch.from_data_list([self._graph(atoms) for atoms in structures]).to(self.device)

    def infer(self, graph: Any) -> tuple[Array, Array, Array]:
        """Site energies (N,) eV, forces (N, 3) eV/A, and pressures (B, 6) eV/A^3 as xx, yy, zz, xy, yz, zx."""
        import sevenn._keys as KEY

        output = self.model(graph)
        sites, forces, pressures = (
            output[key].detach().cpu().double().numpy() for key in (KEY.ATOMIC_ENERGY, KEY.PRED_FORCE, KEY.PRED_STRESS)
        )
        return sites.ravel(), forces, pressures

    def unpack(
        self, structures: Sequence[Atoms], graph: Any, found: tuple[Array, Array, Array], *, stress: bool
    ) -> list[Evaluation]:
        """Sums over each structure's sites; the sign of a stress is the opposite of a pressure's."""
        sites, forces, pressures = found
        # Site energies are summed in double precision: a float32 total is good to 1e-4 eV only for some 200 atoms.
        results, start = [], 0
        for atoms, (xx, yy, zz, xy, yz, zx) in zip(structures, -pressures, strict=True):
            own = slice(start, start + len(atoms))
            tensor = np.array([[xx, xy, zx], [xy, yy, yz], [zx, yz, zz]])
            results.append(
                Evaluation(energy=float(sites[own].sum()), forces=forces[own], stress=tensor if stress else None)
            )
            start = own.stop
        return results


def load(name: str, device: str = "auto", *, corrections: str) -> SevenNetPotential:
    """Load a model of the wheel; `name` is one of `CHECKPOINTS`, with a colon and the modal where it has several.

    `corrections` are `Potential.corrections`.
    """
    network, _, modal = name.partition(":")
    device = pick_device(device)
    path = checkpoint_of(network)
    return from_model(
        read_model(path, device),
        modal=modal or None,
        name=name,
        checkpoint_sha256=sha256_of(path),
        device=device,
        corrections=corrections,
    )


def checkpoint_of(name: str) -> Path:
    """Weights of a built-in model, without its modal."""
    with quiet():
        import sevenn._const as const
    return Path(getattr(const, CHECKPOINTS[name]))


def read_model(checkpoint: Path, device: str = "cpu") -> Any:
    """The package's own model, as trained, on the device."""
    with quiet():
        from sevenn.checkpoint import SevenNetCheckpoint

        # Without this, TorchScript recompiles for minutes in all whenever the number of atoms or edges changes;
        # measured for 120 atoms: 7 s in each of the first calls against 2 s in every call.
        torch.jit.set_fusion_strategy([("DYNAMIC", 0)])
        with restricted_unpickling():
            return SevenNetCheckpoint(checkpoint).build_model().to(device)


def from_model(model: Any, *, modal: str | None = None, **facts: Any) -> SevenNetPotential:
    """A potential from the package's model, whose weights are frozen by it."""
    model.set_is_batch_data(True)
    model.eval().requires_grad_(False)
    return SevenNetPotential(model, modal=modal, **facts)
