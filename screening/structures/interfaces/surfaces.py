"""Both sides of an interface as pymatgen's builder sees them: bulk cells, terminations, slabs thick enough."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from ase import Atoms

from screening.config import InterfaceSettings
from screening.errors import UserError
from screening.structures.interfaces.matching import zsl_generator
from screening.structures.interfaces.slabs import (
    Miller,
    SlabShape,
    distinct_terminations,
    is_polar,
    make_slab,
    mark_voids,
    primitive_with_miller,
    slab_shape,
    surface_area,
)

if TYPE_CHECKING:
    from pymatgen.analysis.interfaces.coherent_interfaces import CoherentInterfaceBuilder
    from pymatgen.core import Structure

Array = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Surface:
    """One side: primitive bulk, and for each termination the slab that is thick enough."""

    structure: Structure
    with_voids: Structure
    shapes: dict[str, SlabShape]
    polar: dict[str, bool]
    vectors: Array


def prepare_surfaces(
    host: Atoms, cathode: Atoms, film_miller: Miller, substrate_miller: Miller, settings: InterfaceSettings
) -> tuple[CoherentInterfaceBuilder, Surface, Surface]:
    """pymatgen's builder and both sides' distinct terminations.

    Raises
    ------
    UserError
        When one cell of a surface is larger than the largest interface; to cut it could take hours.
    """
    from pymatgen.analysis.interfaces.coherent_interfaces import CoherentInterfaceBuilder

    film_bulk, film_index = primitive_with_miller(host, film_miller)
    substrate_bulk, substrate_index = primitive_with_miller(cathode, substrate_miller)
    _check_area("coating", film_miller, film_bulk, film_index, settings)
    _check_area("cathode", substrate_miller, substrate_bulk, substrate_index, settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        areas = [
            surface_area(make_slab(bulk, index, 0.0, 1))
            for bulk, index in ((film_bulk, film_index), (substrate_bulk, substrate_index))
        ]
        builder = CoherentInterfaceBuilder(
            substrate_structure=substrate_bulk,
            film_structure=film_bulk,
            film_miller=film_index,
            substrate_miller=substrate_index,
            zslgen=zsl_generator(settings.max_strain, settings.max_area, max(areas)),
            label_index=True,
            filter_out_sym_slabs=False,
        )
        film_shifts = {labels[0]: shifts[0] for labels, shifts in builder._terminations.items()}
        substrate_shifts = {labels[1]: shifts[1] for labels, shifts in builder._terminations.items()}
        film = _surface(film_bulk, film_index, film_shifts, "bottom", settings)
        substrate = _surface(substrate_bulk, substrate_index, substrate_shifts, "top", settings)
    return builder, film, substrate


def _check_area(side: str, miller: Miller, bulk: Structure, index: Miller, settings: InterfaceSettings) -> None:
    """The cell of a lattice plane has the area V |g|, g its primitive reciprocal vector."""
    lattice = bulk.lattice
    area = lattice.volume * float(np.linalg.norm(np.array(index) @ lattice.reciprocal_lattice_crystallographic.matrix))
    if area > settings.max_area * (1 + settings.max_strain) ** 2:
        raise UserError(
            f"One cell of the {side}'s ({' '.join(map(str, miller))}) surface has {area:.0f} A^2, more than "
            f"interface.max_area = {settings.max_area:g}; raise it, or choose Miller indices of a smaller cell."
        )


def _surface(
    structure: Structure, miller: Miller, shifts: dict[str, float], contact: str, settings: InterfaceSettings
) -> Surface:
    kept = distinct_terminations(structure, miller, shifts, contact=contact)
    slabs = {label: make_slab(structure, miller, shift, 1) for label, shift in kept.items()}
    return Surface(
        structure=structure,
        with_voids=mark_voids(structure),
        shapes={
            label: slab_shape(structure, miller, shift, settings.min_planes, settings.min_thickness)
            for label, shift in kept.items()
        },
        polar={label: is_polar(slab) for label, slab in slabs.items()},
        vectors=next(iter(slabs.values())).lattice.matrix,
    )


def choose_terminations(builder: CoherentInterfaceBuilder, film: Surface, substrate: Surface) -> list[tuple[str, str]]:
    """Pairs of distinct terminations; the polar ones only where there is no other."""
    pairs = [(f, s) for f, s in builder.terminations if f in film.shapes and s in substrate.shapes]
    neutral = [(f, s) for f, s in pairs if not film.polar[f] and not substrate.polar[s]]
    half = [(f, s) for f, s in pairs if not film.polar[f] or not substrate.polar[s]]
    return neutral or half or pairs
