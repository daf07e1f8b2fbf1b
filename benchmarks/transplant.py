"""Carry the relaxation of an interface or a slab over to one with more planes of the same crystals.

Reconstruction lives in the planes at the contact and at the free surface; the planes between them follow.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from ase import Atoms

from screening.errors import CandidateFailed

Array = npt.NDArray[np.float64]

_SAME_SITE = 0.05  # A


def transplant(cut: Atoms, relaxed: Atoms, target: Atoms) -> Atoms:
    """`target` with the displacements that took `cut` to `relaxed`.

    The planes on the contact side of either slab (the nearer half of `cut`'s) and those on the vacuum side of the
    coating are matched to the planes of `target` by a translation; planes without a counterpart are moved rigidly, by
    the mean displacement interpolated between their neighbours. Frozen atoms stay.

    Parameters
    ----------
    cut, relaxed
        Interface, or one slab of it, as cut from bulk and as relaxed, same atoms in the same order (arrays ``region``,
        ``plane``, ``oxidation_state``).
    target
        The same of the same crystals, in-plane cell, registry and gap, with at least as many planes.

    Raises
    ------
    CandidateFailed
        When the planes at the contact or the surface of the two interfaces are not the same.
    """
    moved = target.copy()
    step = np.zeros((len(target), 3))
    for region in np.unique(target.arrays["region"]).tolist():
        step += _steps(cut, relaxed, target, region)
    moved.set_positions(target.positions + step, apply_constraint=True)
    return moved


def _steps(cut: Atoms, relaxed: Atoms, target: Atoms, region: int) -> Array:
    """(N, 3) displacements of the atoms of one slab of the target, A; zero for the other slab."""
    last, target_last = _last_plane(cut, region), _last_plane(target, region)
    near = {p: p for p in range((last + 2) // 2)}
    # the far side of the substrate is frozen
    far = {target_last - (last - p): p for p in range((last + 2) // 2, last + 1)} if region == 1 else {}
    displacement = relaxed.positions - cut.positions
    step = np.zeros((len(target), 3))
    known: dict[int, Array] = {}
    for plane, source in {**near, **far}.items():
        here, there = _members(target, region, plane), _members(cut, region, source)
        step[here] = displacement[there[_counterparts(target, here, cut, there)]]
        known[plane] = step[here].mean(axis=0)
    planes = sorted(known)
    for plane in set(range(target_last + 1)) - set(known):
        mean = [np.interp(plane, planes, [known[p][axis] for p in planes]) for axis in range(3)]
        step[_members(target, region, plane)] = mean if region == 1 else 0.0
    return step


def _last_plane(atoms: Atoms, region: int) -> int:
    return int(atoms.arrays["plane"][atoms.arrays["region"] == region].max())


def _members(atoms: Atoms, region: int, plane: int) -> npt.NDArray[np.int_]:
    return np.flatnonzero((atoms.arrays["region"] == region) & (atoms.arrays["plane"] == plane))


def _counterparts(
    target: Atoms, here: npt.NDArray[np.int_], cut: Atoms, there: npt.NDArray[np.int_]
) -> npt.NDArray[np.int_]:
    """For every atom of a plane of the target the atom of the cut plane that a translation puts on it.

    Atoms correspond when their formal charges agree: Ni, Co and Mn of the cathode are spread differently in each slab.
    """
    charges, own = target.arrays["oxidation_state"][here], cut.arrays["oxidation_state"][there]
    if sorted(charges) == sorted(own):
        rare = min(set(charges.tolist()), key=lambda q: int((charges == q).sum()))
        anchor = target.positions[here[charges == rare][0]]
        for candidate in there[own == rare]:
            distances = _distances(target, here, cut.positions[there] + anchor - cut.positions[candidate])
            distances[charges[:, None] != own[None]] = np.inf
            nearest = distances.argmin(axis=1)
            if distances.min(axis=1).max() < _SAME_SITE and len(set(nearest.tolist())) == len(here):
                return nearest
    raise CandidateFailed("the planes of the thin and the thick slab differ, so that no relaxation can be carried over")


def _distances(target: Atoms, here: npt.NDArray[np.int_], positions: Array) -> Array:
    """(n, m) distances in A between atoms of the target and positions, periodic in the plane."""
    cell = target.cell.array
    scaled = (target.positions[here][:, None] - positions[None]) @ np.linalg.inv(cell)
    scaled[..., :2] -= np.rint(scaled[..., :2])
    found: Array = np.linalg.norm(scaled @ cell, axis=-1)
    return found
