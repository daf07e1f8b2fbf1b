"""Operations on an interface of two slabs: shifting, splitting, joining and pulling apart.

The substrate (array ``region`` 0) lies below the coating (1); c is normal to the contact.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from ase import Atoms

from screening.chemistry.index_lists import INDEX_LISTS, joined, taken

Array = npt.NDArray[Any]

_COATING_INFO = (*INDEX_LISTS, "void_sites", "vacant_li_sites")
"""Entries of `info` that describe the coating: atom indices, and fractional sites."""


def gap_of(atoms: Atoms) -> float:
    """Distance along c between the outermost atoms of the two slabs, A."""
    region, z = atoms.arrays["region"], atoms.positions[:, 2]
    return float(z[region == 1].min() - z[region == 0].max())


def shift(atoms: Atoms, dx: float, dy: float, gap: float | None = None) -> Atoms:
    """Move the coating laterally and set the gap; the vacuum keeps its height.

    Parameters
    ----------
    dx, dy
        Fractions (0..1 covers every inequivalent registry) of ``info["registry_cell"]``, the cell of lateral shifts
        that neither lattice repeats; of the in-plane cell where that is missing.
    gap
        Distance along c between the outermost atoms of the two slabs, A; None keeps it.
    """
    moved = atoms.copy()
    vectors = np.array(atoms.info.get("registry_cell", atoms.cell.array[:2, :2]), dtype=float)
    coating = moved.arrays["region"] == 1
    rise = 0.0 if gap is None else gap - gap_of(atoms)
    positions = moved.positions.copy()
    positions[coating, :2] += dx * vectors[0] + dy * vectors[1]
    positions[coating, 2] += rise
    moved.set_positions(positions, apply_constraint=False)
    _stretch_c(moved, rise)
    _move_voids(moved, atoms, np.append(dx * vectors[0] + dy * vectors[1], rise))
    return moved


def split(atoms: Atoms) -> tuple[Atoms, Atoms]:
    """(substrate, coating), each alone in the interface's cell, with its arrays and constraints."""
    region = atoms.arrays["region"]
    substrate, coating = taken(atoms, region == 0), taken(atoms, region == 1)
    for key in _COATING_INFO:
        substrate.info.pop(key, None)
    return substrate, coating


def combine(substrate: Atoms, coating: Atoms) -> Atoms:
    """Put two slabs that share a cell together, substrate first; the inverse of `split` for ordered interfaces."""
    return joined(substrate, coating)


def pull_apart(atoms: Atoms, distance: float) -> Atoms:
    """Raise the coating by `distance` (A) along c and make the cell that much higher."""
    apart = atoms.copy()
    coating = apart.arrays["region"] == 1
    positions = apart.positions.copy()
    positions[coating, 2] += distance
    apart.set_positions(positions, apply_constraint=False)
    _stretch_c(apart, distance)
    _move_voids(apart, atoms, np.array([0.0, 0.0, distance]))
    return apart


def _move_voids(moved: Atoms, original: Atoms, displacement: Array) -> None:
    """Carry the coating's empty octahedra along with the coating."""
    if original.info.get("void_sites"):
        sites = np.array(original.info["void_sites"]) @ original.cell.array + displacement
        moved.info["void_sites"] = (sites @ np.linalg.inv(moved.cell.array) % 1.0).round(6).tolist()


def _stretch_c(atoms: Atoms, by: float) -> None:
    cell = atoms.cell.array.copy()
    cell[2, 2] += by
    atoms.set_cell(cell, scale_atoms=False)
