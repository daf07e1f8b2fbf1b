"""Hop networks of Li carriers.

Shapes: S sites, N atoms. A *site* is a place of the carrier (a Li lattice site for a vacancy, an empty octahedron for
an interstitial); a *hop* takes the carrier from one site to the periodic image of another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from ase import Atoms
from ase.geometry import get_distances
from ase.neighborlist import primitive_neighbor_list
from numpy.typing import NDArray

from screening.chemistry.index_lists import marks
from screening.errors import CandidateFailed

Kind = Literal["vacancy", "interstitial", "interstitialcy"]
Source = Literal["compensating", "made"]
Image = tuple[int, int, int]
Floats = NDArray[np.float64]

PUSH_CUTOFF = 3.4
"""Longest leg of a concerted hop, A. In LiNbO3 a void has lattice Li at 1.8 and 3.0 A, the next is at 4.1 A."""


@dataclass(frozen=True, kw_only=True)
class Hop:
    """The carrier goes from site `start` to image `image` of site `end`.

    Attributes
    ----------
    vector
        Displacement of the carrier, A.
    dopant_distance
        From the middle of the hop to the nearest dopant, A; None without dopants.
    via, via_vector
        For interstitialcy: the lattice Li that is pushed on, and the way from the start to it, A.
    """

    start: int
    end: int
    image: Image
    vector: tuple[float, float, float]
    kind: Kind
    dopant_distance: float | None = None
    via: int | None = None
    via_vector: tuple[float, float, float] | None = None

    @property
    def distance(self) -> float:
        return float(np.linalg.norm(self.vector))


@dataclass(frozen=True, kw_only=True)
class HopNetwork:
    """Sites and hops of one carrier in one cell.

    Attributes
    ----------
    cell
        The doped bulk cell, the carrier at `home` (or not yet made, `home` None).
    kind
        ``"vacancy"`` or ``"interstitial"`` (whose hops are direct or interstitialcy).
    source
        Whether the carrier comes from the dopant's compensation or was made by taking out a neutral Li.
    sites
        (S, 3) fractional coordinates.
    labels
        (S,) names that do not depend on relaxed coordinates.
    occupants
        (S,) index of the Li at each site of `cell`, -1 where it is empty.
    """

    cell: Atoms
    kind: Literal["vacancy", "interstitial"]
    source: Source
    sites: Floats
    labels: tuple[str, ...]
    occupants: tuple[int, ...]
    home: int | None
    hops: tuple[Hop, ...]


def entries(atoms: Atoms, key: str) -> list[Any]:
    """An `info` entry as a list, empty when it is absent."""
    found = atoms.info.get(key)
    return [] if found is None else list(found)


def carrier_rule(atoms: Atoms) -> tuple[Literal["vacancy", "interstitial"], Source]:
    """Which carrier a cell has, from its compensating defects.

    A cell with interstitials never gets a vacancy: the two would annihilate (Frenkel recombination). Where the
    compensation leaves no carrier, one neutral Li is taken out.
    """
    if marks(atoms, "interstitial_indices"):
        return "interstitial", "compensating"
    if entries(atoms, "vacant_li_sites"):
        return "vacancy", "compensating"
    return "vacancy", "made"


def hop_network(atoms: Atoms, cutoff: float) -> HopNetwork:
    """Build the network of the carrier that `carrier_rule` gives.

    With several compensating defects one is the carrier, the one with the most hops, and the others stay where they
    are and block their sites: the dilute limit.

    Parameters
    ----------
    atoms
        Relaxed cell with ``info`` entries ``vacant_li_sites``, ``void_sites`` (fractional coordinates),
        ``interstitial_indices`` and ``dopant_indices``; all may be absent.
    cutoff
        Longest direct hop, A.

    Raises
    ------
    CandidateFailed
        When the cell has no Li that could move.
    """
    kind, source = carrier_rule(atoms)
    interstitials = marks(atoms, "interstitial_indices")
    scaled = atoms.get_scaled_positions(wrap=False)
    dopants = set(marks(atoms, "dopant_indices"))
    lattice = [i for i, s in enumerate(atoms.symbols) if s == "Li" and i not in dopants and i not in interstitials]
    if not lattice:
        raise CandidateFailed("the cell has no lithium that could move")
    if kind == "vacancy":
        vacant = np.array(entries(atoms, "vacant_li_sites"), dtype=float).reshape(-1, 3)
        fixed, empty = [(f"Li{i}", scaled[i], i) for i in lattice], [(f"V{k}", v, -1) for k, v in enumerate(vacant)]
        homes = [[e] for e in empty] or [[]]
    else:
        voids = np.array(entries(atoms, "void_sites"), dtype=float).reshape(-1, 3)
        fixed = [(f"void{k}", v, -1) for k, v in enumerate(voids)]
        homes = [[(f"Li{i}", scaled[i], i)] for i in interstitials]
    networks = []
    for home in homes:
        labels, sites, occupants = zip(*[*home, *fixed], strict=True)
        points = np.array(sites)
        hops = _direct_hops(atoms, points, cutoff, kind)
        if kind == "interstitial":
            hops += _interstitialcy_hops(atoms, points, lattice)
        networks.append(
            HopNetwork(
                cell=atoms,
                kind=kind,
                source=source,
                sites=points,
                labels=labels,
                occupants=occupants,
                home=0 if home else None,
                hops=tuple(_with_dopant_distance(atoms, points, hop, sorted(dopants)) for hop in hops),
            )
        )
    return max(networks, key=lambda n: (sum(n.home in (h.start, h.end) for h in n.hops), len(n.hops)))


def _pairs(atoms: Atoms, points: Floats, cutoff: float) -> list[tuple[int, int, Image, Floats]]:
    """All (i, j, image of j, vector in A) with a distance below `cutoff`, both directions, in a fixed order."""
    numbers = np.ones(len(points), dtype=int)
    i, j, shift, vector = primitive_neighbor_list(
        "ijSD", atoms.pbc, atoms.cell.array, points, cutoff, numbers=numbers, use_scaled_positions=True
    )
    rows = [
        (int(a), int(b), (int(s[0]), int(s[1]), int(s[2])), v) for a, b, s, v in zip(i, j, shift, vector, strict=True)
    ]
    return sorted(rows, key=lambda row: row[:3])


def _forward(start: int, end: int) -> bool:
    """Each hop is listed once. A hop onto one's own image has equal end points and no band: the cell is too small."""
    return start < end


def _direct_hops(atoms: Atoms, points: Floats, cutoff: float, kind: Kind) -> list[Hop]:
    return [
        Hop(start=i, end=j, image=image, vector=_tuple(vector), kind=kind)
        for i, j, image, vector in _pairs(atoms, points, cutoff)
        if _forward(i, j)
    ]


def _interstitialcy_hops(atoms: Atoms, points: Floats, lattice: list[int]) -> list[Hop]:
    """Concerted hops void -> lattice site -> other void; of several ways between two voids the one with the shortest
    longest leg."""
    n = len(points)
    both = np.concatenate([points, atoms.get_scaled_positions(wrap=False)[lattice]])
    legs: dict[int, list[tuple[int, Floats, Image]]] = {}
    for i, j, image, vector in _pairs(atoms, both, PUSH_CUTOFF):
        if i >= n > j:
            legs.setdefault(i, []).append((j, vector, image))
    best: dict[tuple[int, int, Image], tuple[float, Hop]] = {}
    for li, ways in legs.items():
        for start, back, image_a in ways:
            for end, out, image_b in ways:
                if not _forward(start, end):
                    continue
                image = _sub(image_b, image_a)
                longest = max(float(np.linalg.norm(back)), float(np.linalg.norm(out)))
                hop = Hop(
                    start=start,
                    end=end,
                    image=image,
                    vector=_tuple(out - back),
                    kind="interstitialcy",
                    via=lattice[li - n],
                    via_vector=_tuple(-back),
                )
                key = (start, end, image)
                if key not in best or longest < best[key][0] - 1e-6:
                    best[key] = (longest, hop)
    return [best[key][1] for key in sorted(best)]


def _with_dopant_distance(atoms: Atoms, points: Floats, hop: Hop, dopants: list[int]) -> Hop:
    if not dopants:
        return hop
    middle = points[hop.start] @ atoms.cell.array + np.array(hop.vector) / 2
    values = {**hop.__dict__, "dopant_distance": nearest_distance(atoms, middle, dopants)}
    return Hop(**values)


def nearest_distance(atoms: Atoms, point: Floats, indices: list[int]) -> float:
    """Distance (A) from a Cartesian point to the nearest of some atoms, periodic images included."""
    distances = get_distances(point[None, :], atoms.positions[indices], cell=atoms.cell, pbc=atoms.pbc)[1]
    return float(distances.min())


def _tuple(vector: Floats) -> tuple[float, float, float]:
    return float(vector[0]), float(vector[1]), float(vector[2])


def _sub(a: Image, b: Image) -> Image:
    return a[0] - b[0], a[1] - b[1], a[2] - b[2]
