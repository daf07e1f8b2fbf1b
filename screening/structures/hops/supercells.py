"""Supercells that keep periodic images as far apart as their size allows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from ase import Atoms
from ase.build import make_supercell
from ase.geometry import minkowski_reduce

from screening.chemistry.index_lists import follow, taken
from screening.errors import UserError
from screening.structures.crystals.crystals import formula_units

_ORIGIN = "origin"
_SITE_INFO = ("void_sites", "vacant_li_sites")  # fractional coordinates of another cell
_TIE = 1e-3  # A: lattice vectors closer than this count as equal, so that round-off never decides


def shortest_image_distance(cell: npt.ArrayLike) -> float:
    """Length (A) of the shortest lattice vector: the distance of an atom from its nearest periodic image.

    Parameters
    ----------
    cell
        (3, 3) row vectors, A.
    """
    reduced, _ = minkowski_reduce(np.asarray(cell, dtype=float))
    return float(np.linalg.norm(reduced, axis=1).min())


def primitive_cell(atoms: Atoms, *, symprec: float = 0.02) -> Atoms:
    """Smallest cell with the same periodicity; orientation, positions and per-atom arrays are kept.

    Lists of atom indices in ``info`` follow. Atoms that differ in element or oxidation state are never mapped on each
    other.
    """
    import spglib

    charges = atoms.arrays.get("oxidation_state", np.zeros(len(atoms), dtype=int))
    kinds = atoms.numbers * 100 + charges
    dataset = spglib.get_symmetry_dataset((atoms.cell.array, atoms.get_scaled_positions(), kinds), symprec=symprec)
    if dataset is None:
        return atoms.copy()
    _, first = np.unique(dataset.mapping_to_primitive, return_index=True)
    primitive = taken(atoms, np.sort(first))
    primitive.set_cell(dataset.primitive_lattice, scale_atoms=False)
    primitive.wrap()
    return primitive


def isotropic_supercell(atoms: Atoms, n_fu: int, fu_per_cell: int | None = None) -> Atoms:
    """Supercell of `n_fu` formula units whose periodic images are as far apart as possible.

    Every sublattice of the primitive cell with that index is tried (Hermite normal forms; Hart and Forcade, Phys. Rev.
    B 77, 224115 (2008)); the one with the longest shortest vector wins, ties are broken by the next two vectors and
    then by order, so the choice is deterministic. The cell is Minkowski-reduced and right-handed.

    Parameters
    ----------
    atoms
        Primitive or conventional cell; its per-atom arrays are carried along.
    n_fu
        Formula units of the supercell.
    fu_per_cell
        Formula units of `atoms`; counted from the composition by default.

    Raises
    ------
    UserError
        When `n_fu` is not a multiple of the primitive cell's formula units.
    """
    primitive, index = _primitive_and_index(atoms, n_fu, fu_per_cell)
    matrix = _best_sublattice(primitive.cell.array, round(index))
    numbered = primitive.copy()
    numbered.set_array(_ORIGIN, np.arange(len(primitive)))
    supercell = make_supercell(numbered, matrix, wrap=True)
    origin = supercell.arrays.pop(_ORIGIN)
    supercell.info = {key: value for key, value in atoms.info.items() if key not in _SITE_INFO}
    follow(supercell, primitive, origin)
    return supercell


def check_supercell(atoms: Atoms, n_fu: int) -> None:
    """Refuse a number of formula units that `isotropic_supercell` would refuse, without building anything."""
    _primitive_and_index(atoms, n_fu, None)


def _primitive_and_index(atoms: Atoms, n_fu: int, fu_per_cell: int | None) -> tuple[Atoms, float]:
    total = formula_units(atoms) if fu_per_cell is None else fu_per_cell
    primitive = primitive_cell(atoms)
    fu_primitive = total * len(primitive) / len(atoms)
    index = n_fu / fu_primitive
    if n_fu < 1 or abs(index - round(index)) > 1e-6:
        raise UserError(
            f"A cell of {n_fu} formula units of {atoms.get_chemical_formula(empirical=True)} does not exist; "
            f"choose a multiple of {fu_primitive:g}."
        )
    return primitive, index


def _best_sublattice(cell: npt.NDArray[Any], index: int) -> npt.NDArray[np.int_]:
    """(3, 3) integer matrix of the reduced sublattice with the longest shortest vectors."""
    best: npt.NDArray[np.int_] | None = None
    best_lengths: tuple[float, ...] = ()
    for hermite in _hermite_normal_forms(index):
        reduced, operation = minkowski_reduce(hermite @ cell)
        lengths = tuple(np.sort(np.linalg.norm(reduced, axis=1)))
        if best is None or _longer(lengths, best_lengths):
            best, best_lengths = np.rint(operation @ hermite).astype(int), lengths
    assert best is not None
    return -best if np.linalg.det(best @ cell) < 0 else best


def _longer(lengths: tuple[float, ...], than: tuple[float, ...]) -> bool:
    for new, old in zip(lengths, than, strict=True):
        if abs(new - old) > _TIE:
            return new > old
    return False


def _hermite_normal_forms(index: int) -> Iterator[npt.NDArray[np.int_]]:
    """All 3x3 lower-triangular Hermite normal forms with determinant `index`."""
    for a in (d for d in range(1, index + 1) if index % d == 0):
        rest = index // a
        for c in (d for d in range(1, rest + 1) if rest % d == 0):
            f = rest // c
            for b in range(a):
                for d in range(a):
                    for e in range(c):
                        yield np.array([[a, 0, 0], [b, c, 0], [d, e, f]])
