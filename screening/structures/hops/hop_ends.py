"""End points of the hops of a network: where the atoms start, whether they stayed, one atom order for a band."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.geometry import find_mic
from numpy.typing import NDArray

from screening.chemistry.index_lists import without
from screening.structures.hops.hops import Floats, Hop, HopNetwork, nearest_distance

COLLAPSED = 1.2
"""An end point collapsed when an atom moved further than this while relaxing, A; the next octahedron is 1.8 A away."""
FILLED = 1.2
"""A vacancy is filled when a Li is this close to its site, A."""
SAME = 0.5
"""Two end points are one when the hopping atom covers less than this share of the hop."""


def endpoint(network: HopNetwork, site: int) -> Atoms:
    """Start geometry of the end point with the carrier at `site`.

    A compensating vacancy is moved by putting the Li of `site` into the home vacancy, so that no atom is removed; a
    made vacancy removes it; an interstitial is moved to the void. Everything else stays where the bulk has it.
    """
    atoms = network.cell.copy()
    if site == network.home:
        return atoms
    if network.home is None:
        made = without(atoms, [network.occupants[site]])
        made.info["vacant_li_sites"] = [network.sites[site].tolist()]
        return made
    here = network.sites[network.home] @ atoms.cell.array
    if network.kind == "vacancy":
        atoms.positions[network.occupants[site]] = here
    else:
        atoms.positions[network.occupants[network.home]] = network.sites[site] @ atoms.cell.array
    return atoms


def collapse_reason(network: HopNetwork, site: int, relaxed: Atoms) -> str | None:
    """Say why a relaxed end point no longer is the carrier at `site`, or None when it is."""
    start = endpoint(network, site)
    moved, _ = find_mic(relaxed.positions - start.positions, start.cell, start.pbc)
    moved = moved - moved.mean(axis=0)
    lengths = np.linalg.norm(moved, axis=1)
    worst = int(lengths.argmax())
    if lengths[worst] > COLLAPSED:
        atom = f"{relaxed.symbols[worst]}{worst}"
        return f"{atom} moved by {lengths[worst]:.2f} A with the carrier at {network.labels[site]}"
    if network.kind == "vacancy":
        point = network.sites[site] @ relaxed.cell.array
        lithium = [i for i, symbol in enumerate(relaxed.symbols) if symbol == "Li"]
        if lithium and nearest_distance(relaxed, point, lithium) < FILLED:
            return f"the vacancy at {network.labels[site]} was filled"
    return None


def band_ends(network: HopNetwork, hop: Hop, initial: Atoms, final: Atoms) -> tuple[Atoms, Atoms]:
    """Bring two relaxed end points into one atom order, the final positions unwrapped along the hop.

    Relaxed end points are shared between hops, so which of the equal Li atoms sits where differs between them; here
    the atoms of `final` are permuted such that only the hopping atoms (and what relaxes around them) move.

    Returns
    -------
    initial, final
        Copies; `final` has `initial`'s atom order and continuous coordinates.
    """
    moving = _moving_atoms(network, hop)
    target = final.positions[_order_of(network, hop, len(initial))]
    change, _ = find_mic(target - initial.positions, initial.cell, initial.pbc)
    for index, expected in moving.items():
        rest, _ = find_mic((target[index] - initial.positions[index] - expected)[None, :], initial.cell, initial.pbc)
        change[index] = expected + rest[0]
    end = initial.copy()
    end.positions = initial.positions + change
    return initial.copy(), end


def _moving_atoms(network: HopNetwork, hop: Hop) -> dict[int, Floats]:
    """Atoms (in the order of the initial end point) that hop, with their expected displacement (A)."""
    vector = np.array(hop.vector)
    if hop.kind == "interstitial":
        return {_interstitial(network): vector}
    if hop.kind == "interstitialcy":
        assert hop.via is not None
        leg = np.array(hop.via_vector)
        return {_interstitial(network): leg, hop.via: vector - leg}
    start, end = network.occupants[hop.start], network.occupants[hop.end]
    if network.home is None:
        return {end - (end > start): -vector}
    return {start if hop.end == network.home else end: -vector}


def _order_of(network: HopNetwork, hop: Hop, n_atoms: int) -> NDArray[np.int64]:
    """(N,) indices into the final end point that put its atoms into the order of the initial one."""
    order = np.arange(n_atoms)
    if hop.kind == "interstitial":
        return order
    if hop.kind == "interstitialcy":
        first, second = _interstitial(network), int(hop.via or 0)
        order[[first, second]] = second, first
        return order
    start, end = network.occupants[hop.start], network.occupants[hop.end]
    if network.home is None:  # each end point lacks its own atom
        full = np.delete(np.arange(n_atoms + 1), start)
        full[full == end] = start
        return full - (full > end)
    if network.home not in (hop.start, hop.end):
        order[[start, end]] = end, start
    return order


def _interstitial(network: HopNetwork) -> int:
    assert network.home is not None
    return network.occupants[network.home]


def same_end(network: HopNetwork, hop: Hop, initial: Atoms, final: Atoms) -> str | None:
    """Say why two relaxed end points (from `band_ends`) are no hop, or None when they are.

    The hopping atom must still have a way to go, and no other atom may go as far as a hop.
    """
    moving = _moving_atoms(network, hop)
    lengths = np.linalg.norm(final.positions - initial.positions, axis=1)
    for index, expected in moving.items():
        if lengths[index] < SAME * np.linalg.norm(expected):
            return f"the end points fell together (the hopping Li moves by only {lengths[index]:.2f} A)"
    others = np.delete(lengths, list(moving))
    if len(others) and others.max() > 2 * COLLAPSED:
        return f"another atom moves by {others.max():.2f} A"
    return None
