"""Site and saddle energies of a whole hop network from the hops that were computed.

A barrier depends on the direction of the hop and on the environments at both ends; its kinetically resolved part
E_KRA = E_saddle - (E_i + E_j) / 2 depends on neither direction nor, much, on the far environment (Van der Ven et al.,
Phys. Rev. B 64, 184307 (2001), doi:10.1103/PhysRevB.64.184307). Hops without a band take the mean E_KRA of the hops
that are alike, and sites that were not relaxed the mean energy of the sites that are alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from screening.properties.migration.percolation import Edge
from screening.structures.hops.hop_classes import HopClass, Orbits

Bound = Literal["mean", "low", "high"]


@dataclass(frozen=True, kw_only=True)
class NetworkEnergies:
    """Energies of the network, eV.

    Attributes
    ----------
    sites
        (S,) energy with the carrier at each site.
    edges, hops
        The hops that have a saddle, and their numbers in the network.
    assigned
        How many of those saddles are those of a band, follow by symmetry, or were taken from the class.
    left_out
        Hops of a kind and length of which no band succeeded; leaving them out can only raise the barrier.
    """

    sites: list[float]
    edges: list[Edge]
    hops: list[int]
    assigned: dict[str, int]
    left_out: int


def network_energies(
    *,
    ends: Sequence[tuple[int, int, tuple[int, int, int]]],
    classes: Sequence[HopClass],
    site_classes: Sequence[int],
    orbits: Orbits,
    site_energies: Mapping[int, float],
    saddles: Mapping[int, float],
    bound: Bound = "mean",
) -> NetworkEnergies:
    """Give every site and hop its energy.

    Members of one symmetry orbit share the mean of what was computed of it: what differs between them comes from the
    periodic images of the finite cell. The others take the mean over the computed members of the nearest class (same
    kind and shell, nearest dopant-distance bin).

    Parameters
    ----------
    ends
        (H,) start, end and image of every hop.
    site_energies, saddles
        Computed energies (eV) by site and by hop number; `saddles` must not be empty.
    bound
        ``"low"`` and ``"high"`` replace every mean over an orbit by its extreme, and every mean over a class by the
        extreme over all computed hops of the same kind and shell, wherever the dopant: the envelope of what the hops
        that were not computed could be, judged by those that were.

    Raises
    ------
    ValueError
        When nothing was computed.
    """
    if not saddles or not site_energies:
        raise ValueError("a network needs at least one computed hop")
    sites, _ = _spread(
        {s: site_energies[s] for s in site_energies},
        keys=[("site", 0, c) for c in site_classes],
        orbits=orbits.sites,
        bound=bound,
    )
    energies = [e for e in sites if e is not None]
    kra = {k: e - (site_energies[ends[k][0]] + site_energies[ends[k][1]]) / 2 for k, e in saddles.items()}
    resolved, how = _spread(kra, keys=list(classes), orbits=orbits.hops, bound=bound)
    edges, hops = [], []
    for k, ((start, end, image), activation) in enumerate(zip(ends, resolved, strict=True)):
        if activation is None:
            continue
        # a resolved activation below half the difference of the site energies means a hop without a saddle of its own
        saddle = max(activation + (energies[start] + energies[end]) / 2, energies[start], energies[end])
        edges.append(Edge(start=start, end=end, image=image, saddle=saddle))
        hops.append(k)
    assigned = {word: how.count(word) for word in ("computed", "symmetry", "class")}
    return NetworkEnergies(sites=energies, edges=edges, hops=hops, assigned=assigned, left_out=how.count("none"))


def _spread(
    computed: Mapping[int, float], *, keys: Sequence[HopClass], orbits: Sequence[int], bound: Bound
) -> tuple[list[float | None], list[str]]:
    """(n,) value of every item and where it comes from: computed, symmetry, class or none."""
    values: list[float | None] = []
    origin: list[str] = []
    for item, key in enumerate(keys):
        orbit = [value for k, value in computed.items() if orbits[k] == orbits[item]]
        if item in computed:
            values.append(_reduced(orbit, bound))
            origin.append("computed")
        elif orbit:
            values.append(_reduced(orbit, bound))
            origin.append("symmetry")
        else:
            alike = {k: v for k, v in computed.items() if keys[k][:2] == key[:2]}
            pool = _nearest(alike, keys, key[2]) if bound == "mean" else list(alike.values())
            values.append(_reduced(pool, bound) if alike else None)
            origin.append("class" if alike else "none")
    return values, origin


def _reduced(values: Sequence[float], bound: Bound) -> float:
    if bound == "mean":
        return sum(values) / len(values)
    return min(values) if bound == "low" else max(values)


def _nearest(alike: Mapping[int, float], keys: Sequence[HopClass], wanted: int) -> list[float]:
    """Values of the computed items whose dopant-distance bin is nearest to the wanted one (ties count together)."""
    gap = min((abs(keys[k][2] - wanted) for k in alike), default=0)
    return [v for k, v in alike.items() if abs(keys[k][2] - wanted) == gap]
