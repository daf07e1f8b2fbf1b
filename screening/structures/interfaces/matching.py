"""Lattice matches of two surfaces, and what would have to give when there is none.

Zur and McGill, J. Appl. Phys. 55, 378 (1984), doi:10.1063/1.333084, as implemented in pymatgen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from pymatgen.analysis.interfaces.zsl import ZSLGenerator, ZSLMatch

Array = npt.NDArray[Any]

LOOSE_STRAIN = 0.15  # how far the search for a strain cap that would pass goes
LOOSE_AREA_FACTOR = 1.75  # ... and for an area cap


@dataclass(frozen=True, kw_only=True)
class LatticeMatch:
    """One coincidence cell.

    Attributes
    ----------
    strain
        Largest absolute principal in-plane strain of the coating (the cathode keeps its cell).
    principal
        Both principal strains, positive when the coating is stretched.
    film_matrix, substrate_matrix
        (2, 2) integer multiples of the two surface cells.
    area
        A^2, of the substrate's cell.
    n_atoms
        Of the interface at the required thickness.
    """

    zsl: ZSLMatch
    label: str
    strain: float
    principal: tuple[float, float]
    film_matrix: tuple[tuple[int, int], tuple[int, int]]
    substrate_matrix: tuple[tuple[int, int], tuple[int, int]]
    area: float
    n_atoms: int


def zsl_generator(max_strain: float, max_area: float, cell_area: float) -> ZSLGenerator:
    """A generator whose length, angle and area tolerances let every match below the caps through.

    Parameters
    ----------
    cell_area
        Area of the larger of the two surface cells, A^2.
    """
    from pymatgen.analysis.interfaces.zsl import ZSLGenerator

    return ZSLGenerator(
        max_area=max_area * (1 + max_strain) + cell_area,  # its own cap leaves out the last multiple
        max_length_tol=1.1 * max_strain,
        max_angle_tol=1.6 * max_strain,
        max_area_ratio_tol=4 * max_strain,
        bidirectional=True,
    )


def lattice_match_of(zsl: ZSLMatch, label: str, atoms_per_cell: tuple[int, int]) -> LatticeMatch | None:
    """Strain, area and atom count of one match; None when its supercell matrices are singular.

    Parameters
    ----------
    atoms_per_cell
        Atoms of the film's and of the substrate's slab in their own surface cells.
    """
    film_matrix = _integer(zsl.film_vectors, zsl.film_sl_vectors)
    substrate_matrix = _integer(zsl.substrate_vectors, zsl.substrate_sl_vectors)
    n_film = round(abs(np.linalg.det(film_matrix)))
    n_substrate = round(abs(np.linalg.det(substrate_matrix)))
    if not n_film or not n_substrate:
        return None
    principal = principal_strains(np.array(zsl.film_sl_vectors), np.array(zsl.substrate_sl_vectors))
    a, b = np.array(zsl.substrate_sl_vectors)
    return LatticeMatch(
        zsl=zsl,
        label=label,
        strain=max(abs(p) for p in principal),
        principal=principal,
        film_matrix=_as_tuple(film_matrix),
        substrate_matrix=_as_tuple(substrate_matrix),
        area=float(np.linalg.norm(np.cross(a, b))),
        n_atoms=n_film * atoms_per_cell[0] + n_substrate * atoms_per_cell[1],
    )


def von_mises_strain(match: LatticeMatch) -> float:
    """Von Mises equivalent of the coating's Green-Lagrange strain, as pymatgen's interfaces report it."""
    from pymatgen.analysis.elasticity.strain import Deformation

    return float(Deformation(match.zsl.match_transformation).green_lagrange_strain.von_mises_strain)


def loose_matches(
    film_vectors: Array,
    substrate_vectors: Array,
    max_strain: float,
    max_area: float,
    label: str,
    atoms: tuple[int, int],
) -> list[LatticeMatch]:
    """Matches that break the strain cap or the area cap, for `advice`."""
    a, b = (float(np.linalg.norm(np.cross(*v[:2]))) for v in (film_vectors, substrate_vectors))
    searches = [(max(LOOSE_STRAIN, 2 * max_strain), max_area), (max_strain, LOOSE_AREA_FACTOR * max_area)]
    found = [
        lattice_match_of(zsl, label, atoms)
        for strain, area in searches
        for zsl in zsl_generator(strain, area, max(a, b))(film_vectors[:2], substrate_vectors[:2])
    ]
    return [m for m in found if m is not None]


def principal_strains(film: Array, substrate: Array) -> tuple[float, float]:
    """Principal in-plane strains that turn the film's cell into the substrate's.

    Parameters
    ----------
    film, substrate
        (2, 3) in-plane vectors, A.
    """
    metric_film, metric_substrate = film @ film.T, substrate @ substrate.T
    stretches = np.sqrt(np.linalg.eigvals(np.linalg.solve(metric_film, metric_substrate)).real)
    low, high = sorted(float(s) - 1.0 for s in stretches)
    return low, high


def registry_lattice(match: LatticeMatch) -> Array:
    """(2, 2) rows: the smallest cell of inequivalent lateral shifts, in fractions of the interface's in-plane cell.

    A shift by a lattice vector of either side changes nothing, so shifts are distinct only within the cell of the
    lattice that both together generate.
    """
    film, substrate = np.array(match.film_matrix), np.array(match.substrate_matrix)
    scale = round(abs(np.linalg.det(film)) * abs(np.linalg.det(substrate)))
    rows = np.vstack([np.linalg.inv(film), np.linalg.inv(substrate)]) * scale
    return _row_basis(np.rint(rows).astype(int)) / scale


def _row_basis(rows: npt.NDArray[np.int_]) -> Array:
    """Basis of the lattice generated by integer rows in two dimensions (Euclid's algorithm by columns)."""
    rows = rows.copy()
    for column in range(2):
        while np.count_nonzero(rows[column:, column]) > 1:
            values = np.abs(rows[column:, column]).astype(float)
            values[values == 0] = np.inf
            pivot = column + int(np.argmin(values))
            rows[[column, pivot]] = rows[[pivot, column]]
            factors = rows[column + 1 :, column] // rows[column, column]
            rows[column + 1 :] -= factors[:, None] * rows[column]
        pivot = column + int(np.argmax(np.abs(rows[column:, column])))
        rows[[column, pivot]] = rows[[pivot, column]]
    return rows[:2].astype(float)


def advice(matches: Sequence[LatticeMatch], max_strain: float, max_area: float, max_atoms: int) -> str:
    """Which cap stops every match, and the value that would pass with the other two caps kept."""
    caps = {"max_strain": max_strain, "max_area": max_area, "max_atoms": float(max_atoms)}
    values = [{"max_strain": m.strain, "max_area": m.area, "max_atoms": float(m.n_atoms)} for m in matches]
    form = {"max_strain": "{:.3f}", "max_area": "{:.0f} A^2", "max_atoms": "{:.0f}"}
    step = {"max_strain": 1e-3, "max_area": 1.0, "max_atoms": 1.0}
    options = []
    for cap, limit in caps.items():
        others = [c for c in caps if c != cap]
        passing = [v[cap] for v in values if all(v[o] <= caps[o] for o in others)]
        if passing:
            needed = np.ceil(min(passing) / step[cap]) * step[cap]
            options.append(f"{cap} = {form[cap].format(limit)} stops it ({form[cap].format(needed)} would pass)")
    if options:
        return " and ".join(options)
    if not values:
        return f"even max_strain = {LOOSE_STRAIN} gives none; choose other Miller indices or a larger max_area"
    best = min(values, key=lambda v: sum(max(0.0, v[c] / caps[c] - 1.0) for c in caps))
    broken = [c for c in caps if best[c] > caps[c]]
    needs = ", ".join(f"{c} = {form[c].format(np.ceil(best[c] / step[c]) * step[c])}" for c in broken)
    return f"{' and '.join(broken)} stop it together ({needs} would pass)"


def _integer(vectors: Sequence[Sequence[float]], multiples: Sequence[Sequence[float]]) -> npt.NDArray[np.int_]:
    return np.rint(np.array(multiples) @ np.linalg.pinv(np.array(vectors))).astype(int)


def _as_tuple(matrix: npt.NDArray[np.int_]) -> tuple[tuple[int, int], tuple[int, int]]:
    (a, b), (c, d) = matrix.tolist()
    return (a, b), (c, d)
