"""How close the atoms of a crystal come, on a scale that holds for every pair of elements."""

from __future__ import annotations

import math

from ase import Atoms
from ase.data import covalent_radii

MIN_DISTANCE_IN_RADII = 0.6
"""Atoms closer than this, in sums of their covalent radii, have collapsed into each other."""


def shortest_distance_in_radii(atoms: Atoms) -> float:
    """Smallest distance within 4 A in units of the pair's sum of covalent radii, periodic images included.

    Infinite when there is none.
    """
    from ase.neighborlist import neighbor_list

    first, second, distances = neighbor_list("ijd", atoms, cutoff=4.0)
    radii = covalent_radii[atoms.numbers]
    return float(min(distances / (radii[first] + radii[second]), default=math.inf))
