"""Whether two structures are the same up to the noise of rerunning a calculation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from ase import Atoms
from ase.geometry import find_mic
from numpy.typing import NDArray

# Reruns of one relaxation differ by thousandths of an Angstrom; the smallest rattles worth learning from by more.
MAX_DISPLACEMENT = 0.01  # A
MAX_STRAIN = 0.001


@dataclass(frozen=True)
class Shape:
    """A structure with what tells most others apart quickly."""

    atoms: Atoms

    @cached_property
    def key(self) -> tuple[int, ...]:
        """Number of atoms of each element, by atomic number."""
        return tuple(np.bincount(self.atoms.numbers, minlength=1))

    @cached_property
    def nearest(self) -> NDArray[np.float64]:
        """Sorted distances (N,) from each atom to its nearest other atom, A; independent of atom order and origin."""
        if len(self.atoms) < 2:
            return np.zeros(len(self.atoms))
        distances = self.atoms.get_all_distances(mic=bool(self.atoms.pbc.any()))
        np.fill_diagonal(distances, np.inf)
        return np.sort(distances.min(axis=1))


def same_structure(one: Shape, other: Shape) -> bool:
    """Whether no atom differs by more than `MAX_DISPLACEMENT`, whatever the order of the atoms, origin and cell choice.

    The order that both have is tried first; pymatgen's `StructureMatcher` decides the rest.
    """
    if one.key != other.key or bool(one.atoms.pbc.any()) != bool(other.atoms.pbc.any()):
        return False
    if np.abs(one.nearest - other.nearest).max(initial=0.0) > 2.0 * MAX_DISPLACEMENT:
        return False
    if not one.atoms.pbc.all():
        return _same_in_order(one.atoms, other.atoms)
    if abs(one.atoms.get_volume() / other.atoms.get_volume() - 1.0) > 3.0 * MAX_STRAIN:
        return False
    return _same_in_order(one.atoms, other.atoms) or _same_by_matching(one.atoms, other.atoms)


def _same_in_order(one: Atoms, other: Atoms) -> bool:
    if (one.numbers != other.numbers).any() or not np.allclose(one.cell, other.cell, rtol=MAX_STRAIN, atol=1e-3):
        return False
    if not one.pbc.any():
        shifted = other.positions - other.positions.mean(axis=0) + one.positions.mean(axis=0)
        return bool(np.linalg.norm(shifted - one.positions, axis=1).max() < MAX_DISPLACEMENT)
    difference = (other.get_scaled_positions() - one.get_scaled_positions()) @ one.cell.array
    shift, _ = find_mic(difference, one.cell, pbc=one.pbc)
    return bool(np.linalg.norm(shift, axis=1).max() < MAX_DISPLACEMENT)


def _same_by_matching(one: Atoms, other: Atoms) -> bool:
    from pymatgen.analysis.structure_matcher import StructureMatcher
    from pymatgen.io.ase import AseAtomsAdaptor

    first, second = (AseAtomsAdaptor.get_structure(_bare(atoms)) for atoms in (one, other))
    # pymatgen measures displacements in units of the mean distance between atoms
    tolerance = MAX_DISPLACEMENT / (first.volume / len(first)) ** (1 / 3)
    matcher = StructureMatcher(
        ltol=MAX_STRAIN, stol=tolerance, angle_tol=0.1, primitive_cell=False, scale=False, attempt_supercell=False
    )
    return bool(matcher.fit(first, second))


def _bare(atoms: Atoms) -> Atoms:
    return Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
