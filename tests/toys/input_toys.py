"""Small structures and jobs for the tests of inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
from ase import Atoms
from ase.constraints import FixAtoms

from screening.structures.crystals.crystals import load_crystal
from screening.validation.jobs import Job


def job(atoms: Atoms, **fields: Any) -> Job:
    return Job(**{"name": "Mg/bulk", "candidate": "Mg", "role": "bulk", "atoms": atoms, **fields})


def slab() -> Atoms:
    """Four layers of an ordered Li(Ni, Co, Mn)O2 and 15 A of vacuum; the lowest layer is fixed."""
    bulk = load_crystal("NCM811").repeat((2, 2, 1))
    metals = [i for i, s in enumerate(bulk.get_chemical_symbols()) if s == "Ni"]
    symbols = bulk.get_chemical_symbols()
    symbols[metals[0]], symbols[metals[5]] = "Co", "Mn"
    atoms = Atoms(symbols, bulk.positions, cell=bulk.cell, pbc=True)
    cell = atoms.cell.array
    cell[2] += [0, 0, 15.0]
    atoms.set_cell(cell)
    z = atoms.positions[:, 2]
    atoms.set_constraint(FixAtoms(mask=z < z.min() + 2.0))
    return atoms


def vacancy_path(n_images: int = 3) -> tuple[Atoms, ...]:
    """Hexagonal LiNbO3 with one Li missing, its neighbour on a straight line to the vacancy; a path to write."""
    bulk = load_crystal("LiNbO3")
    li = [i for i, s in enumerate(bulk.get_chemical_symbols()) if s == "Li"]
    start, target = bulk.positions[li[1]].copy(), bulk.positions[li[0]].copy()
    first = bulk.copy()
    del first[li[0]]
    images = []
    for share in np.linspace(0, 1, n_images + 2):
        image = first.copy()
        image.positions[li[1] - 1] = (1 - share) * start + share * target
        images.append(image)
    return tuple(images)
