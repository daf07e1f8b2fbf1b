"""Start structures that come from the results of earlier jobs instead of from the potential."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from ase import Atoms
from ase.geometry import find_mic

from screening.validation.jobs import Job


def started_from(job: Job, results: Mapping[str, Atoms]) -> Job:
    """The job with its structures taken from finished ones; itself where `results` holds none that it starts from.

    A band keeps the potential's path between its new end points: every image takes its share of their displacements. A
    cell with a vacancy takes the relaxed cell of the bulk, its atoms keep their fractional coordinates.

    Parameters
    ----------
    results
        Final structure of each finished job in `job.after`, by name, in the atom order of that job.

    Raises
    ------
    ValueError
        When an end point has other atoms than the band.
    """
    parents = [results[name] for name in job.after if name in results]
    if len(parents) < len(job.after) or not parents:
        return job
    if job.role == "band":
        return _between(job, parents[0], parents[1])
    if job.role == "vacancy":
        atoms = job.atoms.copy()
        atoms.set_cell(parents[0].cell, scale_atoms=True)
        return replace(job, atoms=atoms)
    return job


def _between(job: Job, first: Atoms, last: Atoms) -> Job:
    shifts = [_displacement(job.images[0], first), _displacement(job.images[-1], last)]
    images = []
    for share, image in zip(np.linspace(0, 1, len(job.images)), job.images, strict=True):
        moved = image.copy()
        moved.positions += (1 - share) * shifts[0] + share * shifts[1]
        images.append(moved)
    return replace(job, images=tuple(images), atoms=images[0].copy())


def _displacement(before: Atoms, after: Atoms) -> np.ndarray:
    """(N, 3) shortest way of every atom, A."""
    if before.get_chemical_symbols() != after.get_chemical_symbols():
        raise ValueError("an end point of a band holds other atoms than the band")
    vectors, _ = find_mic(after.positions - before.positions, before.cell, before.pbc)
    return np.asarray(vectors)
