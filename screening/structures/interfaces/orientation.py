"""From pymatgen's interface to ASE atoms: substrate first, c normal to the contact, planes counted from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from ase import Atoms
from ase.constraints import FixAtoms

from screening.config import InterfaceSettings
from screening.structures.interfaces.matching import LatticeMatch, registry_lattice
from screening.structures.interfaces.slabs import VOID_MARKER, assign_planes

if TYPE_CHECKING:
    from pymatgen.core.interface import Interface

Array = npt.NDArray[Any]

START_GAP = 2.0
"""A; the registry scan sets the real one."""


def _frame(interface: Interface) -> Array:
    """(3, 3) rows x, y, z: x along a, z along the outward normal, right-handed."""
    a, b, c = interface.lattice.matrix
    z = np.cross(a, b)
    z = z / np.linalg.norm(z) * np.sign(z @ c)
    x = a / np.linalg.norm(a)
    return np.array([x, np.cross(z, x), z])


def registry_cell(interface: Interface, match: LatticeMatch) -> Array:
    """Rows of the registry lattice as Cartesian (2, 2) vectors in the frame of the ASE cell, A."""
    vectors = (interface.lattice.matrix @ _frame(interface).T)[:2, :2]
    cell = registry_lattice(match) @ vectors
    result: Array = _gauss_reduce(cell)
    return result


def _gauss_reduce(cell: Array) -> Array:
    a, b = cell
    while True:
        if a @ a > b @ b:
            a, b = b, a
        shift = np.rint(a @ b / (a @ a))
        if shift == 0:
            return np.array([a, b])
        b = b - shift * a


def oriented(interface: Interface, settings: InterfaceSettings) -> Atoms:
    """ASE atoms, substrate first, c normal to the contact, with region, plane, charges and frozen atoms.

    Markers on empty octahedra become ``info["void_sites"]``, fractional.
    """
    frame = _frame(interface)
    cell = interface.lattice.matrix @ frame.T
    positions = interface.cart_coords @ frame.T
    symbols = np.array([site.specie.symbol for site in interface])
    markers = symbols == VOID_MARKER
    region = (np.array(interface.site_properties["interface_label"]) == "film").astype(int)
    charges = np.array(interface.site_properties["oxidation_state"], dtype=int)
    plane = np.zeros(len(symbols), dtype=int)
    for r, outward in ((0, -1.0), (1, 1.0)):
        mine = (region == r) & ~markers
        plane[mine] = assign_planes(outward * positions[mine, 2], symbols[mine].tolist())
    order = np.lexsort((positions[:, 0].round(3), positions[:, 1].round(3), plane, region))
    order = order[~markers[order]]
    a, b = cell[0], cell[1] * np.sign(cell[1, 1])
    z = positions[:, 2]
    z[region == 1] += z[region == 0].max() + START_GAP - z[(region == 1) & ~markers].min()
    height = float(np.ptp(z[~markers])) + settings.vacuum
    z += 1.0 - z[~markers].min()
    atoms = Atoms(
        symbols[order].tolist(),
        positions=positions[order],
        cell=[[a[0], 0, 0], [b[0], b[1], 0], [0, 0, height]],
        pbc=True,
    )
    for name, values in (("oxidation_state", charges), ("region", region), ("plane", plane)):
        atoms.set_array(name, values[order])
    inside = markers & (z > z[order][region[order] == 1].min()) & (z < z.max())
    atoms.info["void_sites"] = (positions[inside] @ np.linalg.inv(atoms.cell.array) % 1.0).round(6).tolist()
    scaled = atoms.get_scaled_positions(wrap=False)
    atoms.set_scaled_positions(np.column_stack([scaled[:, :2] % 1.0, scaled[:, 2]]))
    _freeze(atoms, settings.frozen_fraction)
    return atoms


def _freeze(atoms: Atoms, fraction: float) -> None:
    """Fix the outer share of the substrate's planes."""
    region, plane = atoms.arrays["region"], atoms.arrays["plane"]
    n_planes = int(plane[region == 0].max()) + 1
    frozen = (region == 0) & (plane >= n_planes - int(np.floor(fraction * n_planes + 1e-9)))
    atoms.set_constraint(FixAtoms(mask=frozen) if frozen.any() else None)
