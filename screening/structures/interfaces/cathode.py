"""Cathode cells: transition metals spread over the M sites, and nested delithiation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from ase import Atoms
from ase.data import atomic_numbers

from screening.chemistry.crystal_facts import crystal_facts
from screening.chemistry.index_lists import taken
from screening.errors import UserError
from screening.structures.crystals.crystals import load_crystal
from screening.structures.hops.supercells import isotropic_supercell

Array = npt.NDArray[Any]

_BULK_SIZES = range(8, 25)  # formula units tried for a bulk cell


def cathode_composition(name: str) -> dict[str, float]:
    """Shares of the transition metals, for example ``{"Ni": 0.8, "Co": 0.1, "Mn": 0.1}``.

    Raises
    ------
    UserError
        When the crystal is not a cathode.
    """
    facts = crystal_facts(name)
    if facts["role"] != "cathode":
        raise UserError(f"{name} is not a cathode; choose one whose entry in datasets/crystals has role: cathode.")
    return dict(facts["composition"])


def realisable_counts(composition: Mapping[str, float], n_sites: int) -> dict[str, int]:
    """Whole atoms nearest to the composition (largest remainders), ties to the more abundant element."""
    shares = {el: share / sum(composition.values()) * n_sites for el, share in composition.items()}
    counts = {el: int(share + 1e-9) for el, share in shares.items()}
    by_remainder = sorted(shares, key=lambda el: (-(shares[el] - counts[el]), -shares[el], el))
    for el in by_remainder[: n_sites - sum(counts.values())]:
        counts[el] += 1
    return counts


def decorate_cathode(atoms: Atoms, composition: Mapping[str, float], seed: int, *, sites: Array | None = None) -> str:
    """Put the transition metals on the M sites, in place, minority atoms as far from each other as possible.

    A seeded pair-exchange descent lowers sum 1/r^4 over pairs of minority atoms (equal elements count three times).
    Where the atoms carry ``plane``, pairs in one plane cost so much that first of all every plane gets its share.

    Parameters
    ----------
    sites
        Indices of the M sites; by default every atom with oxidation state 3.

    Returns
    -------
    str
        What was realised, for example ``"Ni11Co2Mn1"``.
    """
    if sites is None:
        sites = np.flatnonzero(atoms.arrays["oxidation_state"] == 3)
    counts = realisable_counts(composition, len(sites))
    majority = max(counts, key=lambda el: counts[el])
    kinds = np.array([el for el, n in counts.items() for _ in range(n)])
    rng = np.random.default_rng([seed, len(sites)])
    rng.shuffle(kinds)
    distances = atoms[sites].get_all_distances(mic=True)
    np.fill_diagonal(distances, np.inf)
    repulsion = distances**-4.0
    if "plane" in atoms.arrays:
        plane = atoms.arrays["plane"][sites]
        repulsion = repulsion + 100 * repulsion.max() * (plane[:, None] == plane[None, :])
        np.fill_diagonal(repulsion, 0.0)
    kinds = _spread(kinds, majority, repulsion)
    atoms.numbers[sites] = [atomic_numbers[el] for el in kinds]
    return "".join(f"{el}{n}" for el, n in counts.items() if n)


def _spread(kinds: Array, majority: str, repulsion: Array) -> Array:
    """Exchange atoms while that lowers the repulsion of the minority atoms."""

    def energy(k: Array) -> float:
        minority = (k != majority).astype(float)
        same = (k[:, None] == k[None, :]) & (k[:, None] != majority)
        return float(minority @ repulsion @ minority + 2.0 * (same * repulsion).sum())

    current = energy(kinds)
    improved = True
    while improved:
        improved = False
        for i in np.flatnonzero(kinds != majority):
            for j in np.flatnonzero(kinds != kinds[i]):
                kinds[i], kinds[j] = kinds[j], kinds[i]
                trial = energy(kinds)
                if trial < current - 1e-12:
                    current, improved = trial, True
                    break
                kinds[i], kinds[j] = kinds[j], kinds[i]
            if improved:
                break
    return kinds


def cathode_bulk(name: str, seed: int = 0) -> Atoms:
    """Decorated bulk supercell whose relaxation gives the cathode's lattice.

    The size is the smallest from 8 formula units up that realises the composition exactly (10 for NCM811).

    Returns
    -------
    Atoms
        With ``oxidation_state`` and ``info["cathode_realised"]``.
    """
    composition = cathode_composition(name)

    def error(n: int) -> float:
        counts = realisable_counts(composition, n)
        return round(sum(abs(counts[el] / n - share) for el, share in composition.items()), 9)

    n_fu = min(_BULK_SIZES, key=lambda n: (error(n), n))
    atoms = isotropic_supercell(load_crystal(name), n_fu)
    atoms.info["cathode_realised"] = decorate_cathode(atoms, composition, seed)
    return atoms


def layered_cell(name: str, relaxed: Atoms, seed: int = 0) -> Atoms:
    """Conventional R-3m cell with the mean lattice and oxygen height of a relaxed `cathode_bulk(name, seed)`.

    Parameters
    ----------
    relaxed
        The relaxed supercell, atoms in their original order.

    Returns
    -------
    Atoms
        12 atoms, one element on the M sites, as `load_crystal` gives it but with relaxed a, c and oxygen height.
    """
    start, crystal = cathode_bulk(name, seed), load_crystal(name)
    deformation = np.linalg.solve(start.cell.array, relaxed.cell.array)
    a1, a2, _ = crystal.cell.array @ deformation
    a = float(np.mean([np.linalg.norm(v) for v in (a1, a2, a1 + a2)]))
    c = abs(float(np.linalg.det(crystal.cell.array @ deformation))) / (a * a * np.sqrt(3.0) / 2.0)
    shift = relaxed.get_scaled_positions(wrap=False) - start.get_scaled_positions(wrap=False)
    dz = ((shift - np.rint(shift)) @ relaxed.cell.array) @ _unit(np.cross(a1, a2))
    c0 = crystal.cell.lengths()[2]
    third = (start.positions[:, 2] / (c0 / 3)) % 1.0  # M planes at 0, Li planes at 1/2 of c/3
    oxygen = start.symbols == "O"
    metal = start.arrays["oxidation_state"] == 3
    sign = np.where(third < 0.5, 1.0, -1.0)
    ideal = float(np.mean(np.minimum(third, 1 - third)[oxygen])) * c / 3
    height = ideal + float(np.mean((dz - dz[metal].mean())[oxygen] * sign[oxygen]))
    result = crystal.copy()
    result.set_cell([a, a, c, 90, 90, 120], scale_atoms=True)
    up = ((crystal.positions[:, 2] / (c0 / 3)) % 1.0) < 0.5
    planes = np.rint(crystal.positions[:, 2] / (c0 / 3)) * c / 3
    z = result.positions[:, 2].copy()
    is_o = result.symbols == "O"
    z[is_o] = (planes + np.where(up, height, -height))[is_o]
    result.positions[:, 2] = z
    result.wrap()
    return result


def _unit(vector: Array) -> Array:
    result: Array = vector / np.linalg.norm(vector)
    return result


def delithiate(atoms: Atoms, y: float, *, order: int = 0, seed: int = 0) -> Atoms:
    """Take Li out of the cathode until y Li per formula unit are left.

    The removal order is one fixed sequence of the substrate's Li atoms, drawn from (seed, order) and the atomic
    planes alone: it does not depend on the coating, on positions or on y. A lower y therefore removes a superset of
    what a higher one removes, and an interface and its lone substrate slab lose the same atoms. Planes take turns so
    that each holds y of its Li as nearly as whole atoms allow, the contact plane first of all.

    Parameters
    ----------
    atoms
        Interface (array ``region``) or lone substrate.
    y
        Li per formula unit, 0..1.
    order
        Which of the independent vacancy orders.

    Returns
    -------
    Atoms
        A copy; ``info["y_realised"]`` and ``info["y_contact"]`` say what the substrate and its contact plane hold.

    Raises
    ------
    UserError
        When y is outside 0..1.
    """
    if not 0.0 <= y <= 1.0:
        raise UserError(f"State of charge y = {y:g} is outside 0..1; give Li per cathode formula unit.")
    region = atoms.arrays.get("region", np.zeros(len(atoms), dtype=int))
    lithium = np.flatnonzero((atoms.numbers == 3) & (region == 0))
    planes = atoms.arrays.get("plane", np.zeros(len(atoms), dtype=int))[lithium]
    sequence = _removal_sequence(planes, order, seed)
    n_removed = int(np.floor((1.0 - y) * len(lithium) + 0.5))
    gone = np.zeros(len(lithium), dtype=bool)
    gone[sequence[:n_removed]] = True
    keep = np.ones(len(atoms), dtype=bool)
    keep[lithium[gone]] = False
    result = taken(atoms, keep)
    contact = planes == 0
    result.info["y_realised"] = float(1.0 - n_removed / max(1, len(lithium)))
    result.info["y_contact"] = float(1.0 - gone[contact].sum() / max(1, contact.sum()))
    return result


def _removal_sequence(planes: npt.NDArray[np.int_], order: int, seed: int) -> npt.NDArray[np.int_]:
    """All Li, in the order in which they leave: planes in proportion, random within a plane."""
    total = len(planes)
    queues = {
        int(p): list(np.random.default_rng([seed, order, int(p)]).permutation(np.flatnonzero(planes == p)))
        for p in np.unique(planes)
    }
    sizes = {p: len(q) for p, q in queues.items()}
    sequence: list[int] = []
    for step in range(1, total + 1):
        due = {p: step * sizes[p] / total - (sizes[p] - len(q)) for p, q in queues.items() if q}
        others = {p: d for p, d in due.items() if p != 0}
        if 0 in due and (due[0] >= 0.5 - 1e-9 or not others):
            plane = 0
        else:
            plane = max(others, key=lambda p: (round(others[p], 9), -p))
        sequence.append(int(queues[plane].pop(0)))
    return np.array(sequence, dtype=int)
