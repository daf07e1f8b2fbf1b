"""A potential for whole screens that take seconds: soft spheres, so that what is built stays about where it was built.

Called as ``ase:toy_calculator:soft_spheres`` with this folder on PYTHONPATH. No number from it means anything.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.neighborlist import neighbor_list
from ase.stress import full_3x3_to_voigt_6_stress

HEIGHT, WIDTH, CUTOFF = 0.4, 1.0, 3.2
"""eV and A of the repulsion ``HEIGHT exp(-(r / WIDTH)^2)``; it is 1e-5 eV at the cutoff."""
PER_ATOM = -7.0
"""eV; every atom of every element has it, so that no composition is favoured."""


ALL_CHANGES = tuple(all_changes)


class SoftSpheres(Calculator):
    """Every pair repels weakly."""

    implemented_properties = ["energy", "free_energy", "forces", "stress"]  # noqa: RUF012 - the name and type are ASE's

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Any = tuple(all_changes),
    ) -> None:
        super().calculate(atoms, properties, system_changes)
        assert atoms is not None
        i, d, vectors = neighbor_list("idD", atoms, CUTOFF)
        energies = HEIGHT * np.exp(-((d / WIDTH) ** 2))
        pull = (-2.0 / WIDTH**2 * energies)[:, None] * vectors  # force on i, away from j
        forces = np.zeros((len(atoms), 3))
        np.add.at(forces, i, pull)
        self.results = {"forces": forces}
        self.results["energy"] = self.results["free_energy"] = PER_ATOM * len(atoms) + 0.5 * float(energies.sum())
        if atoms.cell.rank == 3:
            stress = 0.5 * vectors.T @ pull / atoms.get_volume()
            self.results["stress"] = full_3x3_to_voigt_6_stress(stress)


class ChoosySpheres(SoftSpheres):
    """The same for some elements only."""

    def __init__(self, elements: frozenset[str]) -> None:
        super().__init__()
        self.elements = elements

    def calculate(
        self, atoms: Atoms | None = None, properties: Sequence[str] = ("energy",), system_changes: Any = ALL_CHANGES
    ) -> None:
        assert atoms is not None
        if strange := set(atoms.get_chemical_symbols()) - self.elements:
            raise NotImplementedError(f"no spheres of {', '.join(sorted(strange))}")
        super().calculate(atoms, properties, system_changes)


def soft_spheres() -> SoftSpheres:
    return SoftSpheres()


soft_spheres.corrections = "MP2020-in-model"  # type: ignore[attr-defined]
