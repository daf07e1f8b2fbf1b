"""Slabs: atomic planes, thickness, polarity and the terminations of one surface.

An *atomic plane* is the thinnest slice of the slab that repeats with one composition: the slab, its atoms sorted along
the normal, is cut into as many groups of equal composition as possible, with at least 0.25 A between groups. For
LiNbO3(110) that is one O3-(Li,Nb)-O3 sheet per 2.57 A, for LiMO2(110) one mixed sheet per 1.43 A, for LiNbO3(001) one
Nb-O3-Li sheet per 2.31 A. Planes are numbered when the slab is built (array ``plane``), so relaxation never moves an
atom to another plane.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from ase import Atoms

from screening.structures.hops.supercells import primitive_cell
from screening.structures.hops.voids import octahedral_voids

if TYPE_CHECKING:
    from pymatgen.core import Structure
    from pymatgen.core.surface import Slab

Array = npt.NDArray[Any]
Miller = tuple[int, int, int]

VOID_MARKER = "He"  # stands on the empty octahedra while a slab is built; never leaves this package
_PLANE_GAP = 0.25  # A between two atomic planes
_MAX_LAYERS = 40
POLAR_THRESHOLD = 0.01  # e/A^2 of dipole per volume: above it the dipole grows with thickness (Tasker type III)


@dataclass(frozen=True, kw_only=True)
class SlabShape:
    """The slab of a termination that is thick enough: its pymatgen layers, its thickness (A) and its atoms."""

    layers: int
    thickness: float
    n_atoms: int


def to_structure(atoms: Atoms) -> Structure:
    """pymatgen structure with the site property ``oxidation_state``."""
    from pymatgen.core import Structure

    return Structure(
        atoms.cell.array,
        atoms.get_chemical_symbols(),
        atoms.get_scaled_positions(),
        site_properties={"oxidation_state": [int(q) for q in atoms.arrays["oxidation_state"]]},
    )


def primitive_with_miller(conventional: Atoms, miller: Miller) -> tuple[Structure, Miller]:
    """Primitive cell and the indices of the same lattice plane in it.

    Slabs are grown in whole oriented cells; those of a centred conventional cell can be several times too thick.
    """
    primitive = primitive_cell(conventional)
    in_conventional = primitive.cell.array @ np.linalg.inv(conventional.cell.array)
    raw = in_conventional @ np.array(miller, dtype=float) * 6.0
    indices = np.rint(raw).astype(int)
    indices //= max(1, int(np.gcd.reduce(indices)))
    h, k, l = (int(i) for i in indices)  # noqa: E741
    return to_structure(primitive), (h, k, l)


def mark_voids(structure: Structure) -> Structure:
    """The crystal with a marker on every empty octahedron."""
    charges = structure.site_properties["oxidation_state"]
    atoms = Atoms(
        [site.specie.symbol for site in structure],
        scaled_positions=structure.frac_coords,
        cell=structure.lattice.matrix,
        pbc=True,
    )
    atoms.set_array("oxidation_state", np.array(charges, dtype=int))
    marked = structure.copy()
    for site in octahedral_voids(atoms):
        marked.append(VOID_MARKER, site, properties={"oxidation_state": 0})
    return marked


def assign_planes(heights: npt.ArrayLike, symbols: list[str]) -> npt.NDArray[np.int_]:
    """Atomic plane of every atom, 0 at the lowest height (see the module docstring).

    Parameters
    ----------
    heights
        (N,) distance from the contact along the outward normal, A.
    symbols
        (N,) elements, before any decoration.

    Returns
    -------
    (N,) integers.
    """
    z = np.asarray(heights, dtype=float)
    kinds, codes = np.unique(np.array(symbols), return_inverse=True)
    order = np.argsort(z, kind="stable")
    counts = np.bincount(codes, minlength=len(kinds))
    gaps = np.diff(z[order])
    repeat = int(np.gcd.reduce(counts))
    for n_planes in (d for d in range(repeat, 0, -1) if repeat % d == 0):
        size = len(z) // n_planes
        if (gaps[size - 1 :: size][: n_planes - 1] < _PLANE_GAP).any():
            continue
        groups = codes[order].reshape(n_planes, size)
        if all((np.bincount(g, minlength=len(kinds)) * n_planes == counts).all() for g in groups):
            break
    planes = np.empty(len(z), dtype=int)
    planes[order] = np.arange(len(z)) // (len(z) // n_planes)
    return planes


def normal_heights(structure: Structure) -> Array:
    """(N,) positions along the surface normal (a x b), A, increasing with c."""
    a, b, c = structure.lattice.matrix
    normal = np.cross(a, b)
    normal = normal / np.linalg.norm(normal) * np.sign(normal @ c)
    heights: Array = structure.cart_coords @ normal
    return heights


def surface_area(structure: Structure) -> float:
    """|a x b|, A^2."""
    a, b, _ = structure.lattice.matrix
    return float(np.linalg.norm(np.cross(a, b)))


def make_slab(structure: Structure, miller: Miller, shift: float, layers: int) -> Slab:
    """The slab that pymatgen's CoherentInterfaceBuilder would use for this termination."""
    from pymatgen.core.surface import SlabGenerator

    generator = SlabGenerator(
        structure,
        miller,
        min_slab_size=layers,
        min_vacuum_size=3,
        in_unit_planes=True,
        center_slab=True,
        primitive=True,
        reorient_lattice=False,
    )
    return generator.get_slab(shift=shift)


def slab_shape(structure: Structure, miller: Miller, shift: float, min_planes: int, min_thickness: float) -> SlabShape:
    """Fewest layers whose slab has `min_planes` atomic planes and is `min_thickness` (A) thick.

    Thickness is planes times their spacing in the bulk, that is volume of the slab's atoms in the bulk over area.
    """
    volume_per_atom = structure.volume / len(structure)
    for layers in range(1, _MAX_LAYERS + 1):
        slab = make_slab(structure, miller, shift, layers)
        thickness = len(slab) * volume_per_atom / surface_area(slab)
        planes = assign_planes(normal_heights(slab), [s.specie.symbol for s in slab])
        n_planes = int(planes.max()) + 1
        if n_planes >= min_planes and thickness >= min_thickness - 1e-6:
            break
    return SlabShape(layers=layers, thickness=thickness, n_atoms=len(slab))


def is_polar(slab: Structure) -> bool:
    """Whether the formal charges give a dipole along the normal that grows with thickness (Tasker type III)."""
    z = normal_heights(slab)
    charges = np.array(slab.site_properties["oxidation_state"], dtype=float)
    thickness = float(np.ptp(z)) + 1.0
    dipole = float(charges @ (z - z.mean()))
    return abs(dipole) / (surface_area(slab) * thickness) > POLAR_THRESHOLD


def distinct_terminations(
    structure: Structure, miller: Miller, terminations: dict[str, float], *, contact: str
) -> dict[str, float]:
    """Terminations that differ in what they show at the contact.

    Two are one when their plane-by-plane profiles seen from the contact agree and StructureMatcher maps the slabs on
    each other. pymatgen's own filter also merges a slab with its upside-down copy, whose contact side is another.

    Parameters
    ----------
    terminations
        Label to shift, as pymatgen's builder lists them.
    contact
        ``"bottom"`` for the upper slab of the interface, ``"top"`` for the lower one.
    """
    from pymatgen.analysis.structure_matcher import StructureMatcher

    matcher = StructureMatcher(primitive_cell=False, scale=False)
    kept: dict[str, float] = {}
    seen: list[tuple[list[tuple[float, str]], Structure]] = []
    for label, shift in terminations.items():
        slab = make_slab(structure, miller, shift, 1)
        profile = _profile(slab, contact)
        if any(p == profile and matcher.fit(s, slab) for p, s in seen):
            continue
        seen.append((profile, slab))
        kept[label] = shift
    return kept


def _profile(slab: Structure, contact: str) -> list[tuple[float, str]]:
    z = normal_heights(slab)
    depth = z - z.min() if contact == "bottom" else z.max() - z
    return sorted((round(float(d), 1) + 0.0, s.specie.symbol) for d, s in zip(depth, slab, strict=True))
