"""Where a candidate's defects sit in a cell: drawn with a seed, ranked by point-charge energy.

Shapes: N atoms of the host cell, M empty octahedra (voids), S = N + M sites in that order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers
from ase.geometry import get_distances
from numpy.typing import NDArray

from screening.chemistry.arrangements.draws import Choice, Mask, Voids, draw, draw_near, find_pools, settle
from screening.chemistry.arrangements.ewald import ewald_matrix
from screening.chemistry.candidate import Defects
from screening.chemistry.index_lists import INDEX_LISTS, joined, marks, without

LI_CHARGE = 1
SAME_ENERGY = 0.02
"""eV; draws closer than this are one arrangement if their defect distances agree too. Symmetry holds only to some
1e-3 A in a relaxed host, which moves point-charge energies by about this much."""
SAME_DISTANCE = 0.02
"""A."""
NEAR_WIDTHS = (1, 2, 4)
"""Biased draws put a compensating defect on one of this many free sites nearest to a dopant."""


@dataclass(frozen=True, kw_only=True)
class Ordering:
    """One arrangement of a candidate's defects; `ewald_energy` in eV, `label` says how it was drawn."""

    atoms: Atoms
    ewald_energy: float
    label: str


def decorate(
    atoms: Atoms,
    defects: Defects,
    rng: np.random.Generator,
    *,
    substitutable: Mask = None,
    removable: Mask = None,
    voids: Voids = None,
) -> Atoms:
    """Put the defects on random sites of a cell.

    Parameters
    ----------
    atoms
        Cell with the integer array ``oxidation_state`` (N,). Where it has the array ``region``, only region 1 (the
        coating) is changed.
    substitutable
        (N,) True for atoms that dopants may replace; all by default.
    removable
        (N,) True for Li that may be removed, and for O where any O is True; all by default.
    voids
        (M, 3) fractional coordinates of empty octahedra; ``atoms.info["void_sites"]`` by default.

    Returns
    -------
    Atoms
        A copy. Order: the atoms that stay, in their order, then Li interstitials, which take region and plane of the
        nearest coating atom. Constraints are kept. ``info`` holds ``dopant_indices``, ``antisite_indices``,
        ``interstitial_indices``, ``vacant_li_sites`` and ``void_sites`` (those still free), extending what was there.

    Raises
    ------
    CandidateFailed
        When the cell has too few sites.
    ValueError
        When the oxidation states are missing.
    """
    pools = find_pools(atoms, defects, substitutable, removable, voids)
    return _apply(atoms, defects, draw(defects, pools, rng), pools.voids)


def ranked_orderings(
    atoms: Atoms,
    defects: Defects,
    *,
    k: int,
    n_draws: int,
    seed: int,
    substitutable: Mask = None,
    removable: Mask = None,
    voids: Voids = None,
) -> list[Ordering]:
    """The `k` arrangements of lowest point-charge energy among seeded draws.

    `n_draws` uniform draws come first; half as many again (at least three) put the compensating defects on free sites
    near the dopants, where the charges attract them, and move them until the energy is lowest for these dopant sites.
    Equivalent draws are merged, so fewer than `k` may come back.

    Parameters are those of `decorate`; the same seed gives the same list.

    Returns
    -------
    list of Ordering
        Ascending in energy; one entry, a copy, when there are no defects.
    """
    pools = find_pools(atoms, defects, substitutable, removable, voids)
    scaled = np.vstack([atoms.get_scaled_positions(wrap=False), pools.voids])
    matrix = ewald_matrix(atoms.cell.array, scaled)
    charges = np.concatenate([atoms.get_array("oxidation_state"), np.zeros(len(pools.voids))]).astype(float)
    if defects.is_empty:
        energy = float(charges @ matrix @ charges)
        return [Ordering(atoms=_apply(atoms, defects, Choice(), pools.voids), ewald_energy=energy, label="pristine")]

    distances = get_distances(scaled @ atoms.cell.array, cell=atoms.cell, pbc=atoms.pbc)[1]
    rng = np.random.default_rng(seed)
    draws = [(f"random-{i}", draw(defects, pools, rng)) for i in range(n_draws)]
    for i in range(max(len(NEAR_WIDTHS), n_draws // 2)):
        width = NEAR_WIDTHS[i % len(NEAR_WIDTHS)]
        near = draw_near(defects, pools, rng, distances, width)
        near = settle(near, pools, site_charges(charges, defects, near, len(atoms)), matrix)
        draws.append((f"near-{i}", near))

    ranked = []
    for number, (label, choice) in enumerate(draws):
        q = site_charges(charges, defects, choice, len(atoms))
        ranked.append((round(float(q @ matrix @ q), 6), number, label, choice))
    kept: list[tuple[float, NDArray[np.float64], str, Choice]] = []
    for energy, _, label, choice in sorted(ranked, key=lambda item: item[:2]):
        if len(kept) == k:
            break
        spectrum = _spectrum(defects, choice, distances, len(atoms))
        if not any(energy - e < SAME_ENERGY and np.allclose(spectrum, s, atol=SAME_DISTANCE) for e, s, _, _ in kept):
            kept.append((energy, spectrum, label, choice))
    return [
        Ordering(atoms=_apply(atoms, defects, choice, pools.voids), ewald_energy=energy, label=label)
        for energy, _, label, choice in kept
    ]


def site_charges(base: NDArray[np.float64], defects: Defects, choice: Choice, n_atoms: int) -> NDArray[np.float64]:
    """Charges (S,) of all sites with the defects in place, e."""
    q = base.copy()
    for s, sites in zip(defects.substitutions, choice.substitutions, strict=True):
        q[list(sites)] = s.charge
    q[[*choice.li_vacancies, *choice.o_vacancies]] = 0.0
    q[[n_atoms + i for i in choice.interstitials]] = LI_CHARGE
    return q


def _spectrum(defects: Defects, choice: Choice, distances: NDArray[np.float64], n_atoms: int) -> NDArray[np.float64]:
    """Sorted defect-defect distances (A), pair type by pair type: equal for arrangements that symmetry relates."""
    groups = [*choice.substitutions, choice.li_vacancies, choice.o_vacancies]
    groups.append(tuple(n_atoms + i for i in choice.interstitials))
    groups = [g for g in groups if g]
    parts = [np.sort(distances[np.ix_(a, b)], axis=None) for i, a in enumerate(groups) for b in groups[i:]]
    return np.concatenate(parts)


def _apply(atoms: Atoms, defects: Defects, choice: Choice, voids: NDArray[np.float64]) -> Atoms:
    """Build the decorated atoms of one choice of sites."""
    new = atoms.copy()
    charges = new.get_array("oxidation_state").astype(int)
    scaled = atoms.get_scaled_positions(wrap=False)
    host_elements = set(np.array(atoms.get_chemical_symbols())[atoms.arrays.get("region", np.ones(len(atoms))) == 1])
    marked = {key: marks(atoms, key) for key in INDEX_LISTS}
    for s, sites in zip(defects.substitutions, choice.substitutions, strict=True):
        new.numbers[list(sites)] = atomic_numbers[s.element]
        charges[list(sites)] = s.charge
        antisite = s.site == "Li" and s.element in host_elements
        marked["antisite_indices" if antisite else "dopant_indices"].extend(sites)
    new.set_array("oxidation_state", charges)
    if choice.interstitials:
        marked["interstitial_indices"].extend(range(len(new), len(new) + len(choice.interstitials)))
        new = _append_li(new, voids[list(choice.interstitials)])
    new.info.update({key: [int(i) for i in indices] for key, indices in marked.items()})
    new = without(new, {*choice.li_vacancies, *choice.o_vacancies})
    vacated = scaled[list(choice.li_vacancies)].tolist()
    new.info["vacant_li_sites"] = [list(site) for site in atoms.info.get("vacant_li_sites", [])] + vacated
    taken = set(choice.interstitials)
    new.info["void_sites"] = [site.tolist() for i, site in enumerate(voids) if i not in taken]
    return new


def _append_li(atoms: Atoms, scaled: NDArray[np.float64]) -> Atoms:
    """Append Li at fractional coordinates (n, 3); region and plane come from the nearest coating atom."""
    n = len(atoms)
    li = Atoms("Li" * len(scaled), positions=scaled @ atoms.cell.array)
    grown = joined(atoms, li)
    grown.arrays["oxidation_state"][n:] = LI_CHARGE
    if "region" in atoms.arrays:
        coating = np.flatnonzero(atoms.get_array("region") == 1)
        distances = get_distances(li.positions, atoms.positions[coating], cell=atoms.cell, pbc=atoms.pbc)[1]
        nearest = coating[np.argmin(distances, axis=1)]
        grown.arrays["region"][n:] = 1
        if "plane" in atoms.arrays:
            grown.arrays["plane"][n:] = atoms.get_array("plane")[nearest]
    return grown
