"""Coherent coating/cathode interfaces: candidates for the parent.

Geometry: the cathode (region 0) lies below, the coating (region 1) above, c is normal to the contact, vacuum is above
the coating. Atoms of the substrate come first. `plane` counts atomic planes from the contact on either side.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from ase import Atoms
from ase.constraints import FixAtoms

from screening.config import InterfaceSettings
from screening.errors import UserError
from screening.flags import flag
from screening.structures.crystals.crystals import formula_units
from screening.structures.interfaces.cathode import cathode_composition, decorate_cathode, realisable_counts
from screening.structures.interfaces.matching import (
    Match,
    advice,
    describe,
    loose_matches,
    registry_lattice,
    von_mises_strain,
)
from screening.structures.interfaces.slabs import VOID_MARKER, Miller, assign_planes
from screening.structures.interfaces.surfaces import Surface, choose_terminations, prepare_surfaces
from screening.structures.interfaces.two_slabs import combine, gap_of, pull_apart, shift, split

__all__ = ["Parent", "combine", "find_parents", "gap_of", "pull_apart", "shift", "split"]

if TYPE_CHECKING:
    from pymatgen.analysis.interfaces.coherent_interfaces import CoherentInterfaceBuilder
    from pymatgen.core.interface import Interface

logger = logging.getLogger(__name__)
Array = npt.NDArray[Any]

STANDARD_PLANES, STANDARD_THICKNESS = 4, 8.0  # below these a slab is flagged thin_slab (design section 2)
_START_GAP = 2.0  # A; the registry scan sets the real one


@dataclass(frozen=True, kw_only=True)
class Parent:
    """One candidate for the parent interface.

    Attributes
    ----------
    atoms
        Interface with arrays ``oxidation_state``, ``region``, ``plane`` and FixAtoms on the outer substrate planes.
    area
        A^2.
    strain, principal_strains, von_mises_strain
        Of the coating: largest absolute and both principal in-plane strains, and von Mises (Green-Lagrange).
    coating_miller, cathode_miller
        In the conventional cells.
    termination
        pymatgen's labels of the coating's and the cathode's surface.
    coating_planes, cathode_planes
        Atomic planes (see `slabs`); `coating_thickness`, `cathode_thickness` in A.
    coating_fu, cathode_fu
        Formula units.
    cathode_realised
        For example ``"Ni22Co3Mn3"``; `cathode_matches_bulk` when these are the nominal shares.
    flags
        thin_slab, polar.
    """

    atoms: Atoms
    area: float
    strain: float
    principal_strains: tuple[float, float]
    von_mises_strain: float
    coating_miller: Miller
    cathode_miller: Miller
    termination: tuple[str, str]
    coating_planes: int
    cathode_planes: int
    coating_thickness: float
    cathode_thickness: float
    coating_fu: int
    cathode_fu: int
    cathode_realised: str
    cathode_matches_bulk: bool
    flags: tuple[str, ...]

    def facts(self) -> dict[str, Any]:
        """Everything but the atoms, JSON-able, for records."""
        facts = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "atoms"}
        facts["n_atoms"] = len(self.atoms)
        return {k: list(v) if isinstance(v, tuple) else v for k, v in facts.items()}


def find_parents(
    host_bulk: Atoms, cathode_bulk: Atoms, cathode_name: str, settings: InterfaceSettings, seed: int
) -> list[Parent]:
    """All terminations of every Miller pair, each in its smallest match within the caps.

    Parameters
    ----------
    host_bulk
        Relaxed conventional cell of the coating's host; it takes the strain.
    cathode_bulk
        Relaxed R-3m conventional cell of LiMO2 with one element on the M sites; the interface keeps its lattice.
    cathode_name
        Whose composition the M sites are decorated with.

    Returns
    -------
    list of Parent
        Fewest atoms first. Polar terminations (all slabs have the bulk's composition, but a dipole can remain) only
        where a Miller pair has no non-polar one.

    Raises
    ------
    UserError
        When nothing fits; says which cap stops it and which value would pass.
    """
    parents: list[Parent] = []
    loose: list[Match] = []
    pairs = [(f, s) for f in settings.coating_millers for s in settings.cathode_millers]
    for film_miller, substrate_miller in pairs:
        builder, film, substrate = prepare_surfaces(host_bulk, cathode_bulk, film_miller, substrate_miller, settings)
        terminations = choose_terminations(builder, film, substrate)
        for termination in terminations:
            atoms_per_cell = (film.shapes[termination[0]].n_atoms, substrate.shapes[termination[1]].n_atoms)
            matches = _matches(builder, f"{_text(film_miller)}/{_text(substrate_miller)}", atoms_per_cell)
            interface, match = _smallest(builder, termination, film, substrate, matches, settings)
            if interface is None or match is None:
                vectors = (film.vectors, substrate.vectors)
                label = f"{termination[0]}/{termination[1]}"
                loose += loose_matches(*vectors, settings.max_strain, settings.max_area, label, atoms_per_cell)
                continue
            parents.append(
                _parent(
                    interface,
                    match,
                    termination,
                    film,
                    substrate,
                    (film_miller, substrate_miller),
                    cathode_name,
                    settings,
                    seed,
                )
            )
    if not parents:
        why = advice(loose, settings.max_strain, settings.max_area, settings.max_atoms)
        names = ", ".join(f"{_text(f)}/{_text(s)}" for f, s in pairs)
        raise UserError(f"No coating/{cathode_name} match for {names} within the caps of [interface]: {why}.")
    return sorted(parents, key=lambda p: (len(p.atoms), p.strain))


def _text(miller: Miller) -> str:
    return "(" + " ".join(str(i) for i in miller) + ")"


def _matches(builder: CoherentInterfaceBuilder, label: str, atoms_per_cell: tuple[int, int]) -> list[Match]:
    found = [describe(zsl, label, atoms_per_cell) for zsl in builder.zsl_matches]
    distinct: dict[tuple[float, float, int], Match] = {}
    for match in found:
        if match is not None:
            distinct.setdefault((round(match.strain, 5), round(match.area, 2), match.n_atoms), match)
    return sorted(distinct.values(), key=lambda m: (m.n_atoms, m.strain))


def _smallest(
    builder: CoherentInterfaceBuilder,
    termination: tuple[str, str],
    film: Surface,
    substrate: Surface,
    matches: list[Match],
    settings: InterfaceSettings,
) -> tuple[Interface | None, Match | None]:
    """The match with the fewest atoms within the caps that pymatgen can build.

    The film is built with markers on its empty octahedra, so that those which a surface cuts open are known too.
    """
    everything, plain = builder.zsl_matches, builder.film_structure
    tries = [(match, structure) for match in matches for structure in (film.with_voids, plain)]
    for match, structure in tries:
        within = match.strain <= settings.max_strain and match.area <= settings.max_area
        if not within or match.n_atoms > settings.max_atoms:
            continue
        builder.zsl_matches, builder.film_structure = [match.zsl], structure
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                built: Iterator[Interface] = builder.get_interfaces(
                    termination,
                    gap=_START_GAP,
                    vacuum_over_film=settings.vacuum,
                    film_thickness=film.shapes[termination[0]].layers,
                    substrate_thickness=substrate.shapes[termination[1]].layers,
                )
                return next(built), match
        except (ValueError, np.linalg.LinAlgError) as error:  # singular or incommensurate supercell: try the next
            logger.debug("match %s skipped: %s", match.label, error)
        finally:
            builder.zsl_matches, builder.film_structure = everything, plain
    return None, None


def _parent(
    interface: Interface,
    match: Match,
    termination: tuple[str, str],
    film: Surface,
    substrate: Surface,
    millers: tuple[Miller, Miller],
    cathode_name: str,
    settings: InterfaceSettings,
    seed: int,
) -> Parent:
    atoms = _oriented(interface, settings)
    region, plane = atoms.arrays["region"], atoms.arrays["plane"]
    upper, lower = film.shapes[termination[0]], substrate.shapes[termination[1]]
    cathode_fu = formula_units(atoms[region == 0])
    composition = cathode_composition(cathode_name)
    sites = np.flatnonzero((region == 0) & (atoms.arrays["oxidation_state"] == 3))
    realised = decorate_cathode(atoms, composition, seed, sites=sites)
    counts = realisable_counts(composition, len(sites))
    coating_planes, cathode_planes = (int(plane[region == r].max()) + 1 for r in (1, 0))
    flags = []
    thin = min(coating_planes, cathode_planes) < STANDARD_PLANES
    if thin or min(upper.thickness, lower.thickness) < STANDARD_THICKNESS:
        flags.append(flag("thin_slab"))
    if film.polar[termination[0]] or substrate.polar[termination[1]]:
        flags.append(flag("polar"))
    atoms.info.update(
        registry_cell=_registry_cell(interface, match).tolist(), cathode_realised=realised, cathode_fu=cathode_fu
    )
    a, b = atoms.cell.array[:2]
    return Parent(
        atoms=atoms,
        area=float(np.linalg.norm(np.cross(a, b))),
        strain=match.strain,
        principal_strains=match.principal,
        von_mises_strain=von_mises_strain(match),
        coating_miller=millers[0],
        cathode_miller=millers[1],
        termination=termination,
        coating_planes=coating_planes,
        cathode_planes=cathode_planes,
        coating_thickness=upper.thickness,
        cathode_thickness=lower.thickness,
        coating_fu=formula_units(atoms[region == 1]),
        cathode_fu=cathode_fu,
        cathode_realised=realised,
        cathode_matches_bulk=all(abs(counts[el] / len(sites) - share) < 1e-6 for el, share in composition.items()),
        flags=tuple(flags),
    )


def _frame(interface: Interface) -> Array:
    """(3, 3) rows x, y, z: x along a, z along the outward normal, right-handed."""
    a, b, c = interface.lattice.matrix
    z = np.cross(a, b)
    z = z / np.linalg.norm(z) * np.sign(z @ c)
    x = a / np.linalg.norm(a)
    return np.array([x, np.cross(z, x), z])


def _registry_cell(interface: Interface, match: Match) -> Array:
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


def _oriented(interface: Interface, settings: InterfaceSettings) -> Atoms:
    """ASE atoms, substrate first, c normal to the contact, with region, plane, charges and frozen atoms."""
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
    z[region == 1] += z[region == 0].max() + _START_GAP - z[(region == 1) & ~markers].min()
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
