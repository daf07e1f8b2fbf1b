"""Orderings of two elements on a parent lattice, for crystals that are a known lattice filled in a known ratio."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from screening.errors import UserError

MAX_ORDERINGS = 20_000
MAX_PER_LEVEL = 48
"""Orderings of one Ewald energy that are looked at for the stated space group."""
_ENERGY_TOLERANCE = 1e-5  # eV; orderings closer than this in Ewald energy are taken as equivalent


def orderings(parent: Any, entry: dict[str, Any], name: str, space_group: int) -> list[Any]:
    """Orderings of two species on the sites ``M`` of the parent's supercell, lowest Ewald energy first.

    Those with the stated space group come alone if there are any; `keep` of them are returned.
    """
    from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

    cell = parent.copy()
    cell.make_supercell(entry["supercell"])
    (fill,) = entry["fill"].values()
    (minor, n_minor), (major, n_major) = sorted(fill.items(), key=lambda item: item[1])
    metal = [i for i, site in enumerate(cell) if site.specie.symbol == "X"]
    chosen_size = len(metal) * n_minor // (n_minor + n_major)
    if math.comb(len(metal), chosen_size) > MAX_ORDERINGS:
        raise UserError(f"phase {name}: more than {MAX_ORDERINGS} orderings; use a smaller supercell")
    charges = {symbol: float(entry["charges"][symbol]) for symbol in fill}
    pairs = _ewald_pairs(cell, metal, (charges[minor] * n_minor + charges[major] * n_major) / (n_minor + n_major))
    ranked: list[tuple[float, tuple[int, ...]]] = []
    for subset in itertools.combinations(range(len(metal)), chosen_size):
        q = np.full(len(cell), 1.0)
        q[metal] = charges[major]
        q[[metal[i] for i in subset]] = charges[minor]
        ranked.append((float(q @ pairs @ q), subset))
    keep = int(entry.get("keep", 3))
    matching: list[Any] = []
    others: list[Any] = []
    for group in _levels(ranked):
        fitting, first = None, None
        for subset in group[:MAX_PER_LEVEL]:
            structure = cell.copy()
            for position, index in enumerate(metal):
                structure[index] = minor if position in subset else major
            first = first or structure
            if SpacegroupAnalyzer(structure, symprec=0.01).get_space_group_number() == space_group:
                fitting = structure
                break
        if fitting is not None:
            matching.append(fitting)
        else:
            others.append(first)
        if len(matching) == keep:
            break
    return matching or others[:keep]


def _levels(ranked: Sequence[tuple[float, tuple[int, ...]]]) -> Iterable[list[tuple[int, ...]]]:
    """Orderings of one Ewald energy each, lowest first, in an order that round-off does not change.

    Equal energies do not mean equal crystals: enantiomorphs, and others by chance, share theirs.
    """
    group: list[tuple[int, ...]] = []
    last = -np.inf
    for energy, subset in sorted(ranked):
        if energy - last > _ENERGY_TOLERANCE and group:
            yield sorted(group)
            group = []
        group.append(subset)
        last = energy
    if group:
        yield sorted(group)


def _ewald_pairs(cell: Any, metal: Sequence[int], mean_charge: float) -> NDArray[np.float64]:
    """Matrix P with which q @ P @ q is the Ewald energy (eV), q = 1 on anions and the charge (e) on metal sites.

    The sum is done once, with the mean charge on every metal site, where the cell is neutral.
    """
    from pymatgen.analysis.ewald import EwaldSummation

    charged = cell.copy()
    charged.replace_species({"X": "Nb"})  # any real element: Ewald sums only know charges and positions
    anion = -mean_charge * len(metal) / (len(cell) - len(metal))
    charged.add_oxidation_state_by_site([mean_charge if i in set(metal) else anion for i in range(len(cell))])
    matrix = np.array(EwaldSummation(charged).total_energy_matrix)
    scale = np.where(np.isin(np.arange(len(cell)), metal), 1 / mean_charge, 1.0)
    return matrix * np.outer(scale, scale)
