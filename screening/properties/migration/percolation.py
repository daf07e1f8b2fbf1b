"""The barrier for long-range motion on a periodic network of sites and hops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.int64]

TIE = 1e-9
"""Saddles closer than this (eV) count as equal."""


@dataclass(frozen=True, kw_only=True)
class Edge:
    """A hop from site `start` to the image `image` (lattice vectors) of site `end`, both ways, over `saddle` (eV)."""

    start: int
    end: int
    image: tuple[int, int, int]
    saddle: float


@dataclass(frozen=True, kw_only=True)
class Percolation:
    """How a network percolates.

    Attributes
    ----------
    barrier
        `saddle` minus `ground_energy`, eV.
    saddle
        Highest saddle that has to be crossed, eV, on the scale of the site energies.
    critical
        Index of the edge that closes the percolating component.
    ground_site, ground_energy
        Lowest site of that component and its energy, eV.
    sites
        All sites of the component.
    """

    barrier: float
    saddle: float
    critical: int
    ground_site: int
    ground_energy: float
    sites: tuple[int, ...]


@dataclass
class _Component:
    """Connected sites with their periodic offsets and the independent translations that their cycles realise."""

    offsets: dict[int, Vector]
    translations: list[Vector] = field(default_factory=list)

    def add_translation(self, vector: Vector) -> None:
        basis = [*self.translations, vector]
        if np.linalg.matrix_rank(np.array(basis)) == len(basis):
            self.translations = basis


def percolation_barrier(energies: Sequence[float], edges: Sequence[Edge], dimension: int) -> Percolation | None:
    """Minimax barrier of percolation in `dimension` directions.

    Edges are added in the order of their saddles. Every component remembers in which periodic image it reached each of
    its sites (union-find with offsets, here by merging the smaller component into the larger one); an edge inside a
    component closes a cycle whose net lattice translation is either zero or a new way to reach one's own periodic
    image. Once the translations of a component span `dimension` independent directions, the carrier moves without
    bound in them and the last saddle is the highest one that any such path must cross.

    The barrier is counted from the lowest site of the component, even when the best path only passes by it: a carrier
    in equilibrium spends its time there, so that the rate of long-range motion is that of escape from this site over
    the critical saddle. The rank of the translations depends neither on the origin nor on the choice of the cell.

    Parameters
    ----------
    energies
        (n_sites,) energy of the cell with the carrier at each site, eV.
    edges
        Hops; each is listed once and runs both ways.
    dimension
        1, 2 or 3.

    Returns
    -------
    Percolation, or None when the network does not percolate in so many directions.

    Raises
    ------
    ValueError
        For a dimension other than 1, 2, 3, or a saddle below one of its own sites.
    """
    if dimension not in (1, 2, 3):
        raise ValueError(f"dimension must be 1, 2 or 3, not {dimension}")
    for edge in edges:
        if edge.saddle < max(energies[edge.start], energies[edge.end]) - TIE:
            raise ValueError(f"the saddle between sites {edge.start} and {edge.end} lies below one of them")
    home = {site: _Component({site: np.zeros(3, dtype=np.int64)}) for site in range(len(energies))}
    order = sorted(range(len(edges)), key=lambda k: edges[k].saddle)
    critical: int | None = None
    for index in order:
        edge = edges[index]
        if critical is not None and edge.saddle > edges[critical].saddle + TIE:
            break  # ties are still added: they may join a lower site at no higher saddle
        _join(home, edge)
        if critical is None and len(home[edge.start].translations) >= dimension:
            critical = index
    if critical is None:
        return None
    sites = tuple(sorted(home[edges[critical].start].offsets))
    ground = min(sites, key=lambda s: (energies[s], s))
    saddle = edges[critical].saddle
    return Percolation(
        barrier=float(saddle - energies[ground]),
        saddle=float(saddle),
        critical=critical,
        ground_site=ground,
        ground_energy=float(energies[ground]),
        sites=sites,
    )


def _join(home: dict[int, _Component], edge: Edge) -> None:
    """Add one edge: merge two components, or record the translation of the cycle that it closes."""
    image = np.array(edge.image, dtype=np.int64)
    first, second = home[edge.start], home[edge.end]
    shift = first.offsets[edge.start] + image - second.offsets[edge.end]
    if first is second:
        first.add_translation(shift)
        return
    if len(first.offsets) < len(second.offsets):
        first, second, shift = second, first, -shift
    for site, offset in second.offsets.items():
        first.offsets[site] = offset + shift
        home[site] = first
    for vector in second.translations:  # cycles do not depend on where the component is anchored
        first.add_translation(vector)
