"""Look up, among many structures, the few that may be the same as a new one."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from screening.training_data.same_structure import LARGEST_STRAIN, strain_allowed
from screening.training_data.shapes import MAX_STRAIN, Shape, tolerance

QUICK = 64
"""Numbers of a fingerprint that are kept in one array for all structures."""


@dataclass
class _Shelf:
    """S structures of one key: some numbers of their fingerprints (S, Q), volumes, energies, numbers of their cells.

    The arrays have room for more.
    """

    names: list[str]
    picked: NDArray[np.intp]
    quick: NDArray[np.float32]
    volumes: NDArray[np.float64]
    energies: NDArray[np.float64]
    cells: NDArray[np.intp]
    known_cells: dict[bytes, int] = field(default_factory=dict)

    @classmethod
    def like(cls, shape: Shape) -> _Shelf:
        picked = _extremes(shape)
        picked = picked[np.unique(np.linspace(0, len(picked) - 1, min(QUICK, len(picked))).astype(np.intp))]
        return cls([], picked, np.empty((4, len(picked)), np.float32), np.empty(4), np.empty(4), np.empty(4, np.intp))

    def add(self, name: str, shape: Shape, energy: float) -> None:
        n = len(self.names)
        if n == len(self.volumes):
            for part in ("quick", "volumes", "energies", "cells"):
                held = getattr(self, part)
                setattr(self, part, np.concatenate([held, np.empty_like(held)]))
        self.quick[n] = shape.fingerprint[self.picked]
        self.volumes[n], self.energies[n] = shape.volume, energy
        self.cells[n] = self.known_cells.setdefault(shape.cell_bytes, len(self.known_cells))
        self.names.append(name)

    def alike(self, shape: Shape, displacement: float, *, other_energy: tuple[float, float] | None) -> list[str]:
        n = len(self.names)
        near = np.abs(self.volumes[:n] - shape.volume) <= 3.0 * MAX_STRAIN * np.maximum(self.volumes[:n], shape.volume)
        if other_energy is not None:
            near &= np.abs(self.energies[:n] - other_energy[0]) > other_energy[1]
        same_cell = self.cells[:n] == self.known_cells.get(shape.cell_bytes, -1)
        numbers = shape.fingerprint[self.picked]
        found = []
        # between frames of one cell there is no strain to allow for
        for mask, strain in ((near & same_cell, strain_allowed(shape, shape)), (near & ~same_cell, LARGEST_STRAIN)):
            positions = np.flatnonzero(mask)
            fits = np.abs(self.quick[positions] - numbers) <= tolerance(numbers, strain, displacement)
            found.append(positions[fits.all(axis=1)])
        return [self.names[position] for position in np.sort(np.concatenate(found))]


class StructureIndex:
    """Structures by what any two that are the same share: a key, the volume and the fingerprint (see `Shape`).

    What `alike` leaves out is not the same for certain; what it gives has still to be compared. A lookup reads a few
    numbers of every structure with the same key, so that ten thousand take seconds altogether.

    Parameters
    ----------
    displacement
        How far atoms of two structures may be apart that are the same, A.
    """

    def __init__(self, displacement: float) -> None:
        self._displacement = displacement
        self._shelves: dict[Hashable, _Shelf] = {}

    def add(self, key: Hashable, name: str, shape: Shape, energy: float) -> None:
        """Add a structure under a name of the caller's."""
        key = (key, shape.key)
        if key not in self._shelves:
            self._shelves[key] = _Shelf.like(shape)
        self._shelves[key].add(name, shape, energy)

    def alike(self, key: Hashable, shape: Shape, *, other_energy: tuple[float, float] | None = None) -> list[str]:
        """Names of the structures that may be the same as this one, in the order in which they were added.

        Parameters
        ----------
        other_energy
            An energy and a difference: only structures whose energies differ by more from it.
        """
        shelf = self._shelves.get((key, shape.key))
        return [] if shelf is None else shelf.alike(shape, self._displacement, other_energy=other_energy)


def _extremes(shape: Shape) -> NDArray[np.intp]:
    """Where a fingerprint holds the smallest and largest distance of each rank, which differ most among rattles."""
    counts = [count for count in shape.key[:-3] if count]
    places, start = [np.zeros(0, np.intp)], 0
    n_nearest = len(shape.fingerprint) // max(sum(counts), 1)
    for count in counts:
        ranks = start + np.arange(n_nearest)
        places += [ranks, ranks + (count - 1) * n_nearest]
        start += count * n_nearest
    return np.unique(np.concatenate(places))
