"""What happened at the contact: bonds across it, reaction, Li that crossed, and the distances the paper reports.

Bond: a cation and an anion closer than 1.2 times the sum of their covalent radii (Nb-O 2.8, Ni-O 2.3, Mg-O 2.5, P-S
2.5 A). Framework cations are all but Li.

An interface has *reacted* when bonds were exchanged across the contact, not merely added to it:
- a framework cation lost at least two anions of its own slab (one for P, whose PS4 is covalent) and gained at least as
  many bonds to the other slab as would replace one;
- a framework cation has more bonds to the other slab than to its own, and had not before: it crossed;
- an anion lost its last framework neighbour in its own slab and is bonded to the other slab: it was pulled out.
Cations of one slab that complete their shell with anions of the other are adhesion and not flagged; nor are dopants on
Li sites that turn to the other slab without crossing.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from ase import Atoms
from ase.data import covalent_radii
from ase.neighborlist import neighbor_list

from screening.structures.hops.voids import is_anion

Array = npt.NDArray[Any]

BOND_FACTOR = 1.2
ELONGATED = 2.2  # A: beyond the longer of the two Nb-O bond lengths of bulk LiNbO3 (1.88 and 2.11 A)
CROSSING_MARGIN = 0.3  # A beyond the middle of the contact before a Li counts as transferred
_LI = 3


@dataclass(frozen=True, kw_only=True)
class Bonds:
    """Cation-anion bonds: indices of both ends (B,), lengths (B,) A, and whether they join the two slabs (B,)."""

    cation: npt.NDArray[np.int_]
    anion: npt.NDArray[np.int_]
    length: Array
    across: npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Coordination:
    """(N,) numbers of bonded counter-ions in the atom's own slab and in the other slab.

    For anions only framework cations count; for cations every anion does.
    """

    own: npt.NDArray[np.int_]
    across: npt.NDArray[np.int_]


def bonds(atoms: Atoms, factor: float = BOND_FACTOR) -> Bonds:
    """All cation-anion bonds of an interface, up to `factor` times the sum of covalent radii."""
    radii = factor * covalent_radii[atoms.numbers]
    i, j, d = neighbor_list("ijd", atoms, radii)
    anions = is_anion(atoms)
    keep = ~anions[i] & anions[j]
    i, j, d = i[keep], j[keep], d[keep]
    region = atoms.arrays["region"]
    return Bonds(cation=i, anion=j, length=d, across=region[i] != region[j])


def coordination(atoms: Atoms, factor: float = BOND_FACTOR) -> Coordination:
    """Own-slab and cross-contact coordination of every atom."""
    b = bonds(atoms, factor)
    n = len(atoms)
    framework = atoms.numbers[b.cation] != _LI
    own = np.bincount(b.cation[~b.across], minlength=n) + np.bincount(b.anion[~b.across & framework], minlength=n)
    across = np.bincount(b.cation[b.across], minlength=n) + np.bincount(b.anion[b.across & framework], minlength=n)
    return Coordination(own=own, across=across)


def reacted(
    before: Atoms,
    after: Atoms,
    *,
    own_factor: float = BOND_FACTOR,
    on_li_sites: npt.NDArray[np.bool_] | None = None,
) -> list[str]:
    """Why the contact counts as reacted (see the module docstring); empty when it does not.

    Parameters
    ----------
    before, after
        The interface as it was set up and as it relaxed, atoms in the same order.
    own_factor
        How far, in sums of covalent radii, an atom's bonds to its own slab reach after the relaxation. Less than
        BOND_FACTOR judges more strictly: also what is about to react has reacted.
    on_li_sites
        (N,) dopants on Li sites. Li at the contact turns to the other slab's anions without any reaction, and so does
        what replaces it: only crossing counts.
    """
    old, new = coordination(before), coordination(after)
    if own_factor != BOND_FACTOR:
        new = Coordination(own=coordination(after, own_factor).own, across=new.across)
    anions = is_anion(after)
    framework = ~anions & (after.numbers != _LI)
    tolerated = np.where(after.numbers == 15, 1, 2)
    gained = new.across - old.across
    exchanged = framework & (old.own - new.own >= tolerated) & (gained >= 1)
    if on_li_sites is not None:
        exchanged &= ~on_li_sites
    crossed = framework & (new.across > new.own) & (old.across <= old.own)
    pulled = anions & (old.own > 0) & (new.own == 0) & (new.across > 0)
    reasons = []
    for mask, text in (
        (exchanged, "exchanged own-slab anions for anions of the other slab"),
        (crossed & ~exchanged, "crossed to the other slab"),
        (pulled, "left their slab's cations for the other slab"),
    ):
        counts = Counter(np.array(after.get_chemical_symbols())[mask])
        reasons += [f"{n} {element} {text}" for element, n in sorted(counts.items())]
    return reasons


def _contact_means(atoms: Atoms) -> tuple[float, float]:
    z, plane, region = atoms.positions[:, 2], atoms.arrays["plane"], atoms.arrays["region"]
    firm = (plane == 0) & (atoms.numbers != _LI)
    return float(z[firm & (region == 0)].mean()), float(z[firm & (region == 1)].mean())


def _facing_height(atoms: Atoms) -> float:
    """Height (A) midway between the outermost anions of the two slabs (means of the outer quarter of each plane)."""
    z, region = atoms.positions[:, 2], atoms.arrays["region"]
    first = (atoms.arrays["plane"] == 0) & is_anion(atoms)
    lower, upper = np.sort(z[first & (region == 0)]), np.sort(z[first & (region == 1)])
    n_lower, n_upper = max(1, len(lower) // 4), max(1, len(upper) // 4)
    return float(lower[-n_lower:].mean() + upper[:n_upper].mean()) / 2


def li_transferred(before: Atoms, after: Atoms) -> int:
    """Number of Li (both directions) that passed the middle of the contact while relaxing.

    A Li counts when it was on its own side before and is more than 0.3 A beyond the middle after.
    """
    lithium = after.numbers == _LI
    side = np.where(after.arrays["region"] == 1, 1.0, -1.0)  # own side of the contact
    start = side * (before.positions[:, 2] - _facing_height(before))
    end = side * (after.positions[:, 2] - _facing_height(after))
    return int((lithium & (start > -CROSSING_MARGIN) & (end < -CROSSING_MARGIN)).sum())


def contact_metrics(atoms: Atoms) -> dict[str, float | int | None]:
    """Distances at the contact, all JSON-able.

    Returns
    -------
    dict
        contact_separation_A: between the mean heights of the two contact planes (Li left out).
        n_interfacial_bonds, interfacial_bond_A: framework-anion bonds across the contact and their mean length.
        n_interfacial_li_bonds: Li-anion bonds across the contact.
        host_anion_mean_A, host_anion_std_A, host_anion_elongated: Nb-O (Ta-O) bonds of the coating's contact plane:
        mean, spread, and share longer than 2.2 A.
        cathode_layer_spacing_A: distance of the cathode's metal layers along its c axis next to the contact.
        lithium_slab_A: thickness there of the O-Li-O slab (None where it cannot be told).
    """
    b = bonds(atoms)
    lower, upper = _contact_means(atoms)
    firm = atoms.numbers[b.cation] != _LI
    joining = b.length[b.across & firm]
    region, plane = atoms.arrays["region"], atoms.arrays["plane"]
    host = _host_cations(atoms) & (plane == 0)
    lengths = b.length[host[b.cation]]
    spacing, slab = _layer_spacing(atoms, b, (region == 0) & (plane == 0))
    return {
        "contact_separation_A": upper - lower,
        "n_interfacial_bonds": len(joining),
        "interfacial_bond_A": float(joining.mean()) if len(joining) else None,
        "n_interfacial_li_bonds": int((b.across & ~firm).sum()),
        "host_anion_mean_A": float(lengths.mean()) if len(lengths) else None,
        "host_anion_std_A": float(lengths.std()) if len(lengths) else None,
        "host_anion_elongated": float((lengths > ELONGATED).mean()) if len(lengths) else None,
        "cathode_layer_spacing_A": spacing,
        "lithium_slab_A": slab,
    }


def _host_cations(atoms: Atoms) -> npt.NDArray[np.bool_]:
    """The most frequent framework cation of the coating (Nb in LiNbO3)."""
    mine = (atoms.arrays["region"] == 1) & ~is_anion(atoms) & (atoms.numbers != _LI)
    if not mine.any():
        return mine
    return np.asarray(mine & (atoms.numbers == np.bincount(atoms.numbers[mine]).argmax()))


def _layer_spacing(atoms: Atoms, b: Bonds, near: npt.NDArray[np.bool_]) -> tuple[float | None, float | None]:
    """Mean distance of neighbouring metal layers along the cathode's c axis, and of the O layers around Li, A.

    The layer normal is the direction in which the short metal-metal vectors (a = 2.9 A) do not extend.
    """
    metal = (atoms.arrays["region"] == 0) & (atoms.numbers != _LI) & ~is_anion(atoms)
    if metal.sum() < 4:
        return None, None
    i, d, vectors = neighbor_list("idD", atoms[metal], 6.2)
    short = vectors[d < 3.3]
    if len(short) < 6:
        return None, None
    normal = np.linalg.svd(short, full_matrices=False)[2][-1]
    along = np.abs(vectors @ normal)
    index = np.flatnonzero(metal)
    interlayer = along[near[index[i]] & (along > 3.5) & (along < 6.0)]
    ligands = (metal & near)[b.cation] & ~b.across
    if not len(interlayer) or not ligands.any():
        return None, None
    offsets = atoms.positions[b.anion[ligands]] - atoms.positions[b.cation[ligands]]
    scaled = offsets @ np.linalg.inv(atoms.cell.array)
    offsets = (scaled - np.rint(scaled)) @ atoms.cell.array
    spacing = float(interlayer.mean())
    return spacing, spacing - 2.0 * float(np.abs(offsets @ normal).mean())
