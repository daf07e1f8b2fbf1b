"""Which hops are alike: symmetry orbits, classes, and the choice of those that get a band."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from screening.chemistry.index_lists import joined, marks, without
from screening.errors import CandidateFailed
from screening.structures.hops.hops import Floats, Hop, HopNetwork, nearest_distance
from screening.structures.hops.supercells import primitive_cell

SHELL_GAP = 0.35
"""Distances further apart than this (A) belong to different shells."""
DOPANT_BIN = 1.0
"""Width of the bins of the distance to the nearest dopant, A."""
FAR = 6
"""Dopants from this many bins on count as far away."""
MATCH = 0.5
"""Sites and hop vectors closer than this (A) are the same under a symmetry operation."""

HopClass = tuple[str, int, int]
"""(kind, distance shell, dopant-distance bin), the last one -1 without dopants."""


def dopant_bin(distance: float | None) -> int:
    """Bin of a distance (A) to the nearest dopant; -1 without dopants."""
    return -1 if distance is None else min(int(distance / DOPANT_BIN), FAR)


def shells(distances: Sequence[float]) -> list[int]:
    """Shell number of each distance: sorted distances are cut where they are more than `SHELL_GAP` apart."""
    order = np.argsort(distances)
    numbers = np.zeros(len(distances), dtype=int)
    for previous, current in pairwise(order):
        numbers[current] = numbers[previous] + int(distances[current] - distances[previous] > SHELL_GAP)
    return [int(n) for n in numbers]


def hop_classes(network: HopNetwork) -> list[HopClass]:
    """Class of every hop of the network."""
    shell = shells([hop.distance for hop in network.hops])
    return [(hop.kind, s, dopant_bin(hop.dopant_distance)) for hop, s in zip(network.hops, shell, strict=True)]


def site_classes(network: HopNetwork) -> list[int]:
    """Dopant-distance bin of every site."""
    dopants = marks(network.cell, "dopant_indices")
    points = network.sites @ network.cell.cell.array
    return [dopant_bin(nearest_distance(network.cell, p, dopants) if dopants else None) for p in points]


@dataclass(frozen=True)
class Orbits:
    """(S,) orbit of every site and (H,) orbit of every hop, each named by its first member."""

    sites: tuple[int, ...]
    hops: tuple[int, ...]


def symmetry_orbits(network: HopNetwork, symprec: float = 0.1) -> Orbits:
    """Sites and hops that the symmetry of the crystal without its carrier makes equal.

    Operations of the primitive cell count even where the supercell lattice lacks them: the six neighbours of Li in
    LiNbO3 are equal in the crystal, whatever the periodic images of the carrier make of them.

    Parameters
    ----------
    symprec
        Tolerance for the relaxed positions, A.
    """
    site_parent, hop_parent = list(range(len(network.sites))), list(range(len(network.hops)))
    leaving: dict[int, list[tuple[int, Floats]]] = {}
    for k, hop in enumerate(network.hops):
        leaving.setdefault(hop.start, []).append((k, np.array(hop.vector)))
        leaving.setdefault(hop.end, []).append((k, -np.array(hop.vector)))
    for rotation, translation in _operations(_without_carrier(network), symprec):
        mapping = _map_sites(network, rotation, translation)
        if mapping is None:
            continue
        for site, image in enumerate(mapping):
            _union(site_parent, site, int(image))
        for k, hop in enumerate(network.hops):
            vector = rotation @ np.array(hop.vector)
            for other, candidate in leaving.get(int(mapping[hop.start]), []):
                if network.hops[other].kind == hop.kind and np.linalg.norm(candidate - vector) < MATCH:
                    _union(hop_parent, k, other)
    return Orbits(
        tuple(_root(site_parent, s) for s in range(len(site_parent))),
        tuple(_root(hop_parent, k) for k in range(len(hop_parent))),
    )


def _without_carrier(network: HopNetwork) -> Atoms:
    atoms = network.cell.copy()
    if network.home is None:
        return atoms
    if network.kind == "vacancy":
        return joined(atoms, Atoms("Li", positions=[network.sites[network.home] @ atoms.cell.array]))
    return without(atoms, [network.occupants[network.home]])


def _operations(atoms: Atoms, symprec: float) -> list[tuple[Floats, Floats]]:
    """Cartesian (rotation, translation in A) of the crystal's space group, one per operation and primitive cell."""
    import spglib

    crystal: Any = (atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers)
    own = spglib.get_symmetry(crystal, symprec=symprec)
    if own is None:
        return []
    found = _cartesian(own["rotations"], own["translations"], atoms.cell.array)
    pure = [t for r, t in found if np.allclose(r, np.eye(3), atol=1e-6)]
    if len(pure) > 1:
        small = primitive_cell(atoms, symprec=symprec)
        primitive: Any = (small.cell.array, small.get_scaled_positions(), small.numbers)
        more = spglib.get_symmetry(primitive, symprec=symprec)
        if more is not None:
            point = _cartesian(more["rotations"], more["translations"], small.cell.array)
            found = [(r, t + shift) for r, t in point for shift in pure]
    return found


def _cartesian(rotations: NDArray[np.int32], translations: Floats, cell: Floats) -> list[tuple[Floats, Floats]]:
    """Operations on fractional column vectors, as operations on Cartesian ones (rows of `cell` are the vectors)."""
    inverse = np.linalg.inv(cell.T)
    return [(cell.T @ r @ inverse, t @ cell) for r, t in zip(rotations, translations, strict=True)]


def _map_sites(network: HopNetwork, rotation: Floats, translation: Floats) -> NDArray[np.int64] | None:
    """(S,) site that each site goes to, or None when one goes to no site.

    Under a rotation that the supercell lattice lacks two sites may go to one; they are equal by a pure translation.
    """
    cell = network.cell.cell.array
    target = (network.sites @ cell @ rotation.T + translation) @ np.linalg.inv(cell)
    delta = target[:, None, :] - network.sites[None, :, :]
    distance = np.linalg.norm((delta - np.rint(delta)) @ cell, axis=2)
    return None if distance.min(axis=1).max() > MATCH else np.asarray(distance.argmin(axis=1))


def _root(parent: list[int], item: int) -> int:
    while parent[item] != item:
        item = parent[item]
    return item


def _union(parent: list[int], a: int, b: int) -> None:
    first, second = sorted((_root(parent, a), _root(parent, b)))
    parent[second] = first


def plan_hops(
    network: HopNetwork, orbits: Orbits, *, network_wide: bool, min_hops: int, max_hops: int
) -> list[list[int]]:
    """Choose the hops that get a band.

    Parameters
    ----------
    network_wide
        True: one hop per symmetry orbit, the classes taking turns, up to `max_hops`. False: `min_hops` hops of
        classes as different as there are, nearest to a dopant first, then farthest from it, the kinds of hop (direct,
        interstitialcy) taking turns.
    min_hops, max_hops
        Where there are fewer orbits than `min_hops` (the pristine crystal has one), further members of an orbit in
        other directions are added; their difference shows what the finite cell does.

    Returns
    -------
    One list per band: the hop to try first, then the others of its class in case its end points collapse.

    Raises
    ------
    CandidateFailed
        When the network has no hops.
    """
    if not network.hops:
        raise CandidateFailed(
            "no free site but the carrier's own image lies within migration.max_hop_distance: every site of this cell "
            "is taken, or the distance is too small; raise it in --config or leave the candidate out"
        )
    classes = hop_classes(network)
    count = min(max_hops if network_wide else min_hops, len(network.hops))
    known = set() if network.home is None else {network.home}
    plan: list[list[int]] = []
    seen: set[int] = set()
    queue = _rounds(classes, orbits) if network_wide else _extremes(classes, min_hops)
    for hop_class in queue:
        if len(plan) >= count:
            break
        members = [k for k in range(len(classes)) if classes[k] == hop_class and orbits.hops[k] not in seen]
        if members:
            _take(network, members, known, plan)
            seen.add(orbits.hops[plan[-1][0]])
    while len(plan) < min(min_hops, count):
        taken = [slot[0] for slot in plan]
        members = [k for k in range(len(classes)) if k not in taken]
        members = [k for k in members if not _parallel(network.hops[k], [network.hops[t] for t in taken])] or members
        _take(network, members, known, plan)
    return plan


def _rounds(classes: list[HopClass], orbits: Orbits) -> list[HopClass]:
    """Every class as often as it has orbits, one turn after the other."""
    members = {c: len({orbits.hops[k] for k, other in enumerate(classes) if other == c}) for c in sorted(set(classes))}
    return [c for turn in range(max(members.values(), default=0)) for c in sorted(members) if members[c] > turn]


def _extremes(classes: list[HopClass], count: int) -> list[HopClass]:
    """Classes nearest to and farthest from a dopant in turn, shortest shell first, the kinds of hop taking turns."""
    kinds = sorted({c[0] for c in classes}, reverse=True)  # vacancy alone, or interstitialcy before interstitial
    rows = {kind: sorted({c for c in classes if c[0] == kind}, key=lambda c: (c[2], c[1])) for kind in kinds}
    chosen: list[HopClass] = []
    for turn in range(max(count, 1) * 2):
        row = [c for c in rows[kinds[turn % len(kinds)]] if c not in chosen]
        if not row:
            continue
        shortest = [c for c in row if c[1] == min(r[1] for r in row)]
        chosen.append(shortest[0] if turn % 2 == 0 else shortest[-1])
    return chosen


def _take(network: HopNetwork, members: list[int], known: set[int], plan: list[list[int]]) -> None:
    """Append a slot, hops that need the fewest new end points first."""

    def new_sites(k: int) -> int:
        return len({network.hops[k].start, network.hops[k].end} - known)

    ordered = sorted(members, key=lambda k: (new_sites(k), k))
    plan.append(ordered)
    known |= {network.hops[ordered[0]].start, network.hops[ordered[0]].end}


def _parallel(hop: Hop, others: list[Hop]) -> bool:
    vector = np.array(hop.vector) / hop.distance
    return any(abs(float(vector @ np.array(o.vector)) / o.distance) > 0.9 for o in others)
