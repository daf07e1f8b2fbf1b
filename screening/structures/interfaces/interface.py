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
from ase import Atoms

from screening.config import InterfaceSettings
from screening.errors import UserError
from screening.flags import flag
from screening.structures.crystals.crystals import formula_units
from screening.structures.interfaces.cathode import cathode_composition, decorate_cathode, realisable_counts
from screening.structures.interfaces.matching import (
    LatticeMatch,
    advice,
    lattice_match_of,
    loose_matches,
    von_mises_strain,
)
from screening.structures.interfaces.orientation import START_GAP, oriented, registry_cell
from screening.structures.interfaces.slabs import Miller, SlabShape
from screening.structures.interfaces.surfaces import Surface, choose_terminations, prepare_surfaces
from screening.structures.interfaces.two_slabs import combine, gap_of, pull_apart, shift, split

__all__ = ["Parent", "combine", "find_parents", "gap_of", "pull_apart", "shift", "split"]

if TYPE_CHECKING:
    from pymatgen.analysis.interfaces.coherent_interfaces import CoherentInterfaceBuilder
    from pymatgen.core.interface import Interface

logger = logging.getLogger(__name__)

STANDARD_PLANES, STANDARD_THICKNESS = 4, 8.0  # A; a thinner slab is flagged thin_slab: it has no bulk-like middle


@dataclass(frozen=True, kw_only=True)
class _Contact:
    """Two surfaces that may be put together.

    Attributes
    ----------
    film, substrate
        Coating and cathode; `millers` in that order, in the conventional cells.
    termination
        pymatgen's labels of both surfaces, in that order too.
    """

    builder: CoherentInterfaceBuilder
    film: Surface
    substrate: Surface
    millers: tuple[Miller, Miller]
    termination: tuple[str, str]

    @property
    def atoms_per_cell(self) -> tuple[int, int]:
        """Atoms of both slabs on one surface cell."""
        return self.film_slab.n_atoms, self.substrate_slab.n_atoms

    @property
    def film_slab(self) -> SlabShape:
        return self.film.shapes[self.termination[0]]

    @property
    def substrate_slab(self) -> SlabShape:
        return self.substrate.shapes[self.termination[1]]

    @property
    def polar(self) -> bool:
        return self.film.polar[self.termination[0]] or self.substrate.polar[self.termination[1]]


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
    loose: list[LatticeMatch] = []
    pairs = [(f, s) for f in settings.coating_millers for s in settings.cathode_millers]
    for film_miller, substrate_miller in pairs:
        builder, film, substrate = prepare_surfaces(host_bulk, cathode_bulk, film_miller, substrate_miller, settings)
        terminations = choose_terminations(builder, film, substrate)
        for termination in terminations:
            contact = _Contact(
                builder=builder,
                film=film,
                substrate=substrate,
                millers=(film_miller, substrate_miller),
                termination=termination,
            )
            interface, match = _smallest(contact, settings)
            if interface is None or match is None:
                vectors = (film.vectors, substrate.vectors)
                label = f"{termination[0]}/{termination[1]}"
                caps = (settings.max_strain, settings.max_area)
                loose += loose_matches(*vectors, *caps, label, contact.atoms_per_cell)
                continue
            parents.append(_parent(interface, match, contact, cathode_name, settings, seed))
    if not parents:
        why = advice(loose, settings.max_strain, settings.max_area, settings.max_atoms)
        names = ", ".join(f"{_text(f)}/{_text(s)}" for f, s in pairs)
        raise UserError(f"No coating/{cathode_name} match for {names} within the caps of [interface]: {why}.")
    return sorted(parents, key=lambda p: (len(p.atoms), p.strain))


def _text(miller: Miller) -> str:
    return "(" + " ".join(str(i) for i in miller) + ")"


def _matches(contact: _Contact) -> list[LatticeMatch]:
    """Different matches of the two lattices, fewest atoms first."""
    label = "/".join(_text(miller) for miller in contact.millers)
    found = [lattice_match_of(zsl, label, contact.atoms_per_cell) for zsl in contact.builder.zsl_matches]
    distinct: dict[tuple[float, float, int], LatticeMatch] = {}
    for match in found:
        if match is not None:
            distinct.setdefault((round(match.strain, 5), round(match.area, 2), match.n_atoms), match)
    return sorted(distinct.values(), key=lambda m: (m.n_atoms, m.strain))


def _smallest(contact: _Contact, settings: InterfaceSettings) -> tuple[Interface | None, LatticeMatch | None]:
    """The match with the fewest atoms within the caps that pymatgen can build.

    The film is built with markers on its empty octahedra, so that those which a surface cuts open are known too.
    """
    builder, film = contact.builder, contact.film
    everything, plain = builder.zsl_matches, builder.film_structure
    tries = [(match, structure) for match in _matches(contact) for structure in (film.with_voids, plain)]
    for match, structure in tries:
        within = match.strain <= settings.max_strain and match.area <= settings.max_area
        if not within or match.n_atoms > settings.max_atoms:
            continue
        builder.zsl_matches, builder.film_structure = [match.zsl], structure
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                built: Iterator[Interface] = builder.get_interfaces(
                    contact.termination,
                    gap=START_GAP,
                    vacuum_over_film=settings.vacuum,
                    film_thickness=contact.film_slab.layers,
                    substrate_thickness=contact.substrate_slab.layers,
                )
                return next(built), match
        except (ValueError, np.linalg.LinAlgError) as error:  # singular or incommensurate supercell: try the next
            logger.debug("match %s skipped: %s", match.label, error)
        finally:
            builder.zsl_matches, builder.film_structure = everything, plain
    return None, None


def _parent(
    interface: Interface,
    match: LatticeMatch,
    contact: _Contact,
    cathode_name: str,
    settings: InterfaceSettings,
    seed: int,
) -> Parent:
    atoms = oriented(interface, settings)
    region, plane = atoms.arrays["region"], atoms.arrays["plane"]
    upper, lower = contact.film_slab, contact.substrate_slab
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
    if contact.polar:
        flags.append(flag("polar"))
    atoms.info.update(
        registry_cell=registry_cell(interface, match).tolist(), cathode_realised=realised, cathode_fu=cathode_fu
    )
    a, b = atoms.cell.array[:2]
    return Parent(
        atoms=atoms,
        area=float(np.linalg.norm(np.cross(a, b))),
        strain=match.strain,
        principal_strains=match.principal,
        von_mises_strain=von_mises_strain(match),
        coating_miller=contact.millers[0],
        cathode_miller=contact.millers[1],
        termination=contact.termination,
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
