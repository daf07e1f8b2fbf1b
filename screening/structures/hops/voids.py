"""Empty octahedra of an anion lattice: where an interstitial cation can sit."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from ase import Atoms
from ase.data import chemical_symbols
from scipy.spatial import Voronoi, cKDTree

ANIONS = frozenset({"O", "S", "F", "Cl", "Br", "I", "Se", "N"})

Array = npt.NDArray[Any]


def is_anion(atoms: Atoms) -> npt.NDArray[np.bool_]:
    """(N,) mask of the anions, by oxidation state where the atoms carry one and by element otherwise."""
    if "oxidation_state" in atoms.arrays:
        return np.asarray(atoms.arrays["oxidation_state"] < 0)
    return np.array([chemical_symbols[z] in ANIONS for z in atoms.numbers])


def octahedral_voids(
    atoms: Atoms,
    *,
    min_distance: float = 1.75,
    max_distance: float = 3.0,
    mean_distance: float = 2.75,
    clearance: float = 1.45,
    exclude: npt.ArrayLike | None = None,
) -> Array:
    """Centres of the empty anion octahedra.

    Start points are the Voronoi vertices of the anion lattice; each moves to the centroid of its six nearest anions
    until it stays. A void has six anions within `max_distance` on three roughly straight axes and no cation inside.
    LiNbO3 has one per formula unit, on the three-fold axis between Nb and the next Li (the empty third of the
    octahedra). An octahedron that a Li vacancy left empty is one too: give such sites as `exclude`.

    Parameters
    ----------
    atoms
        Periodic cell, with or without vacuum (octahedra cut open by a surface do not count).
    min_distance, max_distance, mean_distance
        Smallest, largest and mean centre-anion distance, A (a tetrahedral hole has anions at about 1.5 and 3 A).
    clearance
        Smallest distance to a cation, A. Filled octahedra hold theirs within about 0.8 A of the centre, and the cation
        beyond a shared face is 1.8 A away.
    exclude
        (K, 3) fractional coordinates; voids within 1.2 A of one are left out.

    Returns
    -------
    (M, 3) fractional coordinates, sorted by c, b, a, wrapped into the cell.
    """
    anions = is_anion(atoms)
    cell = atoms.cell.array
    if anions.sum() < 4:
        return np.zeros((0, 3))
    fractional = atoms.get_scaled_positions(wrap=True)
    cloud = _with_images(fractional[anions], cell, reach=max_distance + 3.5)
    tree = cKDTree(cloud)
    points = _start_points(cloud, cell, max_distance)
    centres, neighbours, distances = _settle(points, cloud, tree)
    keep = (distances.min(axis=1) > min_distance) & (distances.max(axis=1) < max_distance)
    keep &= distances.mean(axis=1) < mean_distance
    keep &= _is_octahedron(centres, cloud, neighbours)
    if (~anions).any() and keep.any():
        cations = cKDTree(_with_images(fractional[~anions], cell, reach=clearance + 1.0))
        keep &= cations.query(centres)[0] > clearance
    found = _unique(centres[keep], cell)
    if exclude is not None and len(np.atleast_2d(exclude)) and len(found):
        taken = np.asarray(exclude, dtype=float).reshape(-1, 3)
        if len(taken):
            blocked = cKDTree(_with_images(taken % 1.0, cell, reach=2.5))
            found = found[blocked.query(found @ cell)[0] > 1.2]
    return found


def _with_images(fractional: Array, cell: Array, reach: float) -> Array:
    """Cartesian positions of the points of one cell and of their images within `reach` (A) of it."""
    heights = np.abs(np.linalg.det(cell)) / np.linalg.norm(np.cross(cell[[1, 2, 0]], cell[[2, 0, 1]]), axis=1)
    n = np.ceil(reach / heights).astype(int)
    shifts = np.array(np.meshgrid(*[np.arange(-k, k + 1) for k in n], indexing="ij")).reshape(3, -1).T
    images = (fractional[None, :, :] + shifts[:, None, :]).reshape(-1, 3)
    margin = reach / heights
    near = ((images > -margin) & (images < 1.0 + margin)).all(axis=1)
    return images[near] @ cell


def _start_points(cloud: Array, cell: Array, max_distance: float) -> Array:
    """Voronoi vertices inside the cell and close enough to the anions to be a coordination polyhedron."""
    vertices = Voronoi(cloud).vertices
    fractional = vertices @ np.linalg.inv(cell)
    inside = ((fractional > -0.02) & (fractional < 1.02)).all(axis=1)
    vertices = vertices[inside]
    return vertices[cKDTree(cloud).query(vertices)[0] < max_distance]


def _settle(points: Array, cloud: Array, tree: cKDTree) -> tuple[Array, Array, Array]:
    """Move each point to the centroid of its six nearest anions until the six stay the same."""
    distances, neighbours = tree.query(points, k=6)
    for _ in range(20):
        points = cloud[neighbours].mean(axis=1)
        distances, new = tree.query(points, k=6)
        if np.array_equal(np.sort(new, axis=1), np.sort(neighbours, axis=1)):
            break
        neighbours = new
    return points, neighbours, distances


def _is_octahedron(centres: Array, cloud: Array, neighbours: Array, min_angle: float = 135.0) -> npt.NDArray[np.bool_]:
    """Each of the six anions has a partner on the other side, seen from the centre under more than `min_angle`."""
    vectors = cloud[neighbours] - centres[:, None, :]
    vectors = vectors / np.linalg.norm(vectors, axis=2, keepdims=True)
    cosines = np.einsum("pix,pjx->pij", vectors, vectors)
    result: npt.NDArray[np.bool_] = (cosines.min(axis=2) < np.cos(np.radians(min_angle))).all(axis=1)
    return result


def _unique(centres: Array, cell: Array, distance: float = 0.7) -> Array:
    """One fractional coordinate per cluster of centres closer than `distance` (A), periodic images included."""
    if not len(centres):
        return np.zeros((0, 3))
    fractional = (centres @ np.linalg.inv(cell)) % 1.0
    fractional[np.isclose(fractional, 1.0, atol=1e-6)] = 0.0
    order = np.lexsort(np.round(fractional, 4).T)
    kept: list[Array] = []
    for point in fractional[order]:
        delta = np.array(kept).reshape(-1, 3) - point
        delta -= np.rint(delta)
        if not len(kept) or np.linalg.norm(delta @ cell, axis=1).min() > distance:
            kept.append(point)
    return np.array(kept)
