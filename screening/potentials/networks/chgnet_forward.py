"""CHGNet's forward pass with its own weights, arranged to do less work for the same numbers.

Three things are done differently from `chgnet.model.CHGNet`, all exact up to rounding:

- The first linear layer of a gated MLP acts on a concatenation [centre, bond, neighbour]; it is split into one product
  per part, taken per atom or undirected bond before they are gathered per edge (each atom has some 80 edges).
- Directed bonds come as (all forward, all backward), so that what belongs to the undirected bond is broadcast.
- Only short bonds change in the bond graph, and the last angle update, which nothing reads, is left out.

Legend: N atoms, U undirected bonds, S short ones, A angles; see `chgnet_graph`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from screening.potentials.networks.chgnet_graph import BatchGraph


@dataclass(frozen=True)
class GraphTensors:
    """The indices of a `BatchGraph` on the device."""

    numbers: Tensor
    centers: Tensor
    neighbors: Tensor
    n_short: int
    first: Tensor
    second: Tensor
    first_bond: Tensor
    second_bond: Tensor
    angle_centers: Tensor

    @classmethod
    def of(cls, graph: BatchGraph, device: str) -> GraphTensors:
        def tensor(array: Any) -> Tensor:
            return torch.as_tensor(array, dtype=torch.int64, device=device)

        i, j = tensor(graph.i), tensor(graph.j)
        first, second, s = tensor(graph.angle_first), tensor(graph.angle_second), max(graph.n_short, 1)
        short_centers = torch.cat([i[: graph.n_short], j[: graph.n_short]])
        return cls(
            numbers=tensor(graph.numbers),
            centers=torch.cat([i, j]),
            neighbors=torch.cat([j, i]),
            n_short=graph.n_short,
            first=first,
            second=second,
            first_bond=first % s,
            second_bond=second % s,
            angle_centers=short_centers[first],
        )


class _Gather(torch.autograd.Function):
    """Rows of a matrix by index; PyTorch's own indexing takes six times as long on a CPU, its gradient twice."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, index: Tensor) -> Tensor:
        ctx.save_for_backward(index)
        ctx.n_rows = len(rows)
        return rows.index_select(0, index)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _sum_rows(gradient, ctx.saved_tensors[0], ctx.n_rows), None


class _Scatter(torch.autograd.Function):
    """Sum of rows by index, the transpose of `_Gather`."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, index: Tensor, n_rows: int) -> Tensor:
        ctx.save_for_backward(index)
        return _sum_rows(rows, index, n_rows)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return gradient.index_select(0, ctx.saved_tensors[0]), None, None


def _sum_rows(rows: Tensor, index: Tensor, n_rows: int) -> Tensor:
    return rows.new_zeros(n_rows, rows.shape[1]).scatter_add_(0, index[:, None].expand_as(rows), rows)


def gather(rows: Tensor, index: Tensor) -> Tensor:
    """``rows[index]``, differentiable once."""
    out: Tensor = _Gather.apply(rows, index)
    return out


def scatter(rows: Tensor, index: Tensor, n_rows: int) -> Tensor:
    """(n_rows, width) sums of the `rows` with equal `index`, differentiable once."""
    out: Tensor = _Scatter.apply(rows, index, n_rows)
    return out


class SplitGatedMLP:
    """A `chgnet` GatedMLP whose first layer is applied part by part.

    Parameters
    ----------
    widths
        Columns of each part of the concatenated input, in the model's order.
    """

    def __init__(self, mlp: Any, widths: tuple[int, ...]) -> None:
        core = [layer for layer in mlp.mlp_core.layers if isinstance(layer, nn.Linear)]
        gate = [layer for layer in mlp.mlp_gate.layers if isinstance(layer, nn.Linear)]
        weight = torch.cat([core[0].weight, gate[0].weight]).detach()
        self.parts = [part.t().contiguous() for part in weight.split(widths, dim=1)]
        self.bias = torch.cat([core[0].bias, gate[0].bias]).detach()
        self.second = (core[1], gate[1]) if len(core) == 2 else None
        self.norms = (mlp.bn1, mlp.bn2)

    def finish(self, hidden: Tensor) -> Tensor:
        """From the first layer's output (..., 2 x width) to the gated output (..., width)."""
        if self.second is None:
            core, gate = hidden.chunk(2, dim=-1)
        else:
            core, gate = functional.silu(hidden).chunk(2, dim=-1)
            core, gate = self.second[0](core), self.second[1](gate)
        return functional.silu(self.norms[0](core)) * torch.sigmoid(self.norms[1](gate))


class CHGNetForward:
    """Site energies of a batch from its bond vectors."""

    def __init__(self, model: Any) -> None:
        if not model.mlp_first or any(layer.mlp_out.layers[-1].bias is not None for layer in model.bond_conv_layers):
            raise ValueError("this CHGNet model is of another architecture than 0.3.0")
        self.model = model
        width = model.atom_embedding.embedding.weight.shape[1]
        self.atom_mlps = [SplitGatedMLP(layer.twoBody_atom, (width,) * 3) for layer in model.atom_conv_layers]
        self.bond_mlps = [SplitGatedMLP(layer.twoBody_bond, (width,) * 4) for layer in model.bond_conv_layers]
        self.angle_mlps = [SplitGatedMLP(layer.twoBody_bond, (width,) * 4) for layer in model.angle_layers]

    def __call__(self, graph: GraphTensors, vectors: Tensor) -> Tensor:
        """(N,) site energies without the reference energies of the elements, eV, from (U, 3) bond `vectors`, A."""
        model = self.model
        lengths = torch.linalg.vector_norm(vectors, dim=1)
        basis = model.bond_basis_expansion.rbf_expansion_ag(lengths)
        atoms = model.atom_embedding(graph.numbers - 1)
        bonds = model.bond_embedding(basis)
        bond_weights = model.bond_weights_ag(basis)
        short, rest = bonds[: graph.n_short], bonds[graph.n_short :]
        angular = self._angular(graph, vectors, lengths) if len(graph.first) else None
        for index in range(len(self.bond_mlps)):
            atoms = self._atom_conv(index, graph, atoms, short, rest, bond_weights)
            if angular is None:
                continue
            angles, weights = angular
            short = self._bond_conv(index, graph, atoms, short, angles, weights)
            if index < len(self.bond_mlps) - 1:
                angles = angles + self._angle_parts(self.angle_mlps[index], graph, atoms, short, angles)
                angular = angles, weights
        atoms = self._atom_conv(len(self.bond_mlps), graph, atoms, short, rest, bond_weights)
        energies: Tensor = model.mlp(model.readout_norm(atoms)).view(-1)
        return energies

    def _angular(self, graph: GraphTensors, vectors: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Angle features (A, width), and the product of both bonds' smooth weights (A, width)."""
        model, s = self.model, graph.n_short
        units = vectors[:s] / lengths[:s, None]
        directed = torch.cat([units, -units])
        basis = model.angle_basis_expansion(gather(directed, graph.first), gather(directed, graph.second))
        weights = model.bond_weights_bg(model.bond_basis_expansion.rbf_expansion_bg(lengths[:s]))
        return model.angle_embedding(basis), gather(weights, graph.first_bond) * gather(weights, graph.second_bond)

    def _atom_conv(
        self, index: int, graph: GraphTensors, atoms: Tensor, short: Tensor, rest: Tensor, bond_weights: Tensor
    ) -> Tensor:
        mlp = self.atom_mlps[index]
        center, bond, neighbor = mlp.parts
        per_atom = torch.addmm(mlp.bias, atoms, center)
        hidden = gather(per_atom, graph.centers) + gather(atoms @ neighbor, graph.neighbors)
        per_bond = torch.cat([short, rest]) @ bond
        messages = mlp.finish(hidden.view(2, *per_bond.shape) + per_bond) * bond_weights
        total = scatter(messages.view(-1, atoms.shape[1]), graph.centers, len(atoms))
        return self.model.atom_conv_layers[index].mlp_out(total) + atoms

    def _bond_conv(
        self, index: int, graph: GraphTensors, atoms: Tensor, short: Tensor, angles: Tensor, weights: Tensor
    ) -> Tensor:
        update = self._angle_parts(self.bond_mlps[index], graph, atoms, short, angles) * weights
        total = scatter(update, graph.first_bond, len(short))
        return self.model.bond_conv_layers[index].mlp_out(total) + short

    @staticmethod
    def _angle_parts(mlp: SplitGatedMLP, graph: GraphTensors, atoms: Tensor, short: Tensor, angles: Tensor) -> Tensor:
        first, second, angle, center = mlp.parts
        hidden = torch.addmm(mlp.bias, angles, angle)
        hidden = hidden + gather(short @ first, graph.first_bond) + gather(short @ second, graph.second_bond)
        return mlp.finish(hidden + gather(atoms @ center, graph.angle_centers))
