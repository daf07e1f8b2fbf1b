"""Generalised coordinates of a full-cell relaxation against ASE's filters and against finite differences."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.constraints import FixAtoms, FixedPlane
from ase.filters import FrechetCellFilter, UnitCellFilter

from screening.engine.coordinates import STRESS_TO_FORCE, Coordinates, frozen_mask
from screening.potentials.base import Evaluation


def strained_copper(seed: int = 0) -> Atoms:
    atoms = bulk("Cu", cubic=True).repeat((2, 1, 1))
    rng = np.random.default_rng(seed)
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + 0.03 * rng.standard_normal((3, 3))), scale_atoms=True)
    atoms.rattle(0.1, seed=seed)
    return atoms


def evaluate(atoms: Atoms) -> Evaluation:
    work = atoms.copy()
    work.calc = EMT()
    return Evaluation(energy=work.get_potential_energy(), forces=work.get_forces(), stress=work.get_stress(voigt=False))


def deformed(coordinates: Coordinates, atoms: Atoms, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    strain = 0.03 * rng.standard_normal((3, 3))
    x = coordinates.start(atoms) + 0.05 * rng.standard_normal((len(atoms) + 3, 3))
    x[-3:] = (strain + strain.T) * coordinates.scale
    return x


def test_forces_equal_frechet_filter_away_from_the_start() -> None:
    atoms = strained_copper()
    start = atoms.copy()
    coordinates = Coordinates.of(atoms, full_cell=True)
    x = deformed(coordinates, atoms, seed=5)
    coordinates.place(atoms, x)

    reference = start.copy()
    reference.calc = EMT()
    ase = FrechetCellFilter(reference, exp_cell_factor=coordinates.scale)
    ase_x = x.copy()
    ase_x[-3:] += np.log(ase.cell_factor) * np.eye(3) * coordinates.scale  # ASE takes the logarithm of cell_factor * F
    ase.set_positions(ase_x)

    assert np.allclose(reference.positions, atoms.positions, atol=1e-10)
    assert np.allclose(reference.cell.array, atoms.cell.array, atol=1e-10)
    assert np.allclose(coordinates.forces(x, evaluate(atoms)), ase.get_forces(), atol=1e-8)


@pytest.mark.parametrize("ase_filter", [FrechetCellFilter, UnitCellFilter])
def test_forces_equal_both_ase_filters_at_the_start(ase_filter: type) -> None:
    atoms = strained_copper(seed=1)
    coordinates = Coordinates.of(atoms, full_cell=True)
    forces = coordinates.forces(coordinates.start(atoms), evaluate(atoms))
    reference = atoms.copy()
    reference.calc = EMT()
    keyword = "exp_cell_factor" if ase_filter is FrechetCellFilter else "cell_factor"
    assert np.allclose(forces, ase_filter(reference, **{keyword: coordinates.scale}).get_forces(), atol=1e-8)


def test_forces_are_the_gradient_of_the_energy() -> None:
    atoms = strained_copper(seed=2)
    coordinates = Coordinates.of(atoms, full_cell=True)
    x = deformed(coordinates, atoms, seed=3)
    coordinates.place(atoms, x)
    forces = coordinates.forces(x, evaluate(atoms))
    for row, axis in [(0, 0), (5, 2), (-3, 0), (-2, 1), (-1, 2)]:
        energies = []
        for sign in (1, -1):
            moved = x.copy()
            moved[row, axis] += sign * 1e-4
            coordinates.place(atoms, moved)
            energies.append(evaluate(atoms).energy)
        assert -(energies[0] - energies[1]) / 2e-4 == pytest.approx(forces[row, axis], abs=1e-5)


def test_frozen_atoms_feel_nothing_and_do_not_count() -> None:
    atoms = strained_copper()
    atoms.set_constraint(FixAtoms([0, 3]))
    evaluation = evaluate(atoms)
    huge = evaluation.forces.copy()
    huge[[0, 3]] = 100.0
    loaded = Evaluation(energy=evaluation.energy, forces=huge, stress=evaluation.stress)
    coordinates = Coordinates.of(atoms, full_cell=False)
    assert not coordinates.forces(coordinates.start(atoms), loaded)[[0, 3]].any()
    assert coordinates.fmax(atoms, loaded) < 50.0


def test_stress_counts_as_force() -> None:
    atoms = bulk("Cu", cubic=True)
    stress = np.diag([0.0, 0.0, -0.002])
    evaluation = Evaluation(energy=0.0, forces=np.zeros((4, 3)), stress=stress)
    assert Coordinates.of(atoms, full_cell=True).fmax(atoms, evaluation) == pytest.approx(0.002 * STRESS_TO_FORCE)
    assert Coordinates.of(atoms, full_cell=False).fmax(atoms, evaluation) == 0.0


def test_other_constraints_are_refused() -> None:
    atoms = bulk("Cu", cubic=True)
    atoms.set_constraint(FixedPlane(0, (0, 0, 1)))
    with pytest.raises(ValueError, match="FixedPlane is not supported"):
        frozen_mask(atoms)
