"""The model Hessian: exact derivative of its own spring energy, and the invariants it must have."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from screening.engine import springs
from screening.engine.springs import model_hessian, model_solver, soft_displacement


@pytest.fixture
def salt() -> Atoms:
    atoms = bulk("MgO", "rocksalt", a=4.21, cubic=True)
    atoms.rattle(0.1, seed=0)
    return atoms


def test_only_the_floor_resists_a_translation(salt: Atoms) -> None:
    hessian = model_hessian(salt, None)
    shift = np.tile([0.3, -0.2, 0.1], len(salt))
    assert np.allclose(hessian @ shift, springs.FLOOR * shift)


def test_symmetric_and_positive_definite_with_the_cell(salt: Atoms) -> None:
    hessian = model_hessian(salt, 4.0)
    assert np.allclose(hessian, hessian.T)
    assert np.linalg.eigvalsh(hessian).min() > 0.99 * springs.FLOOR


def test_cell_rows_describe_an_affine_strain(salt: Atoms) -> None:
    """A strain at fixed x moves every atom by U r: the energy of a supercell's strain is extensive."""
    scale = 3.0
    strain = np.array([[0.1, 0.02, 0.0], [0.02, -0.05, 0.03], [0.0, 0.03, 0.2]])

    def energy(atoms: Atoms) -> float:
        vector = np.zeros((len(atoms) + 3, 3))
        vector[-3:] = scale * strain
        hessian = model_hessian(atoms, scale) - springs.FLOOR * np.eye(vector.size)
        return float(vector.ravel() @ hessian @ vector.ravel())

    assert energy(salt.repeat((2, 1, 1))) == pytest.approx(2 * energy(salt), rel=1e-10)


def test_a_strain_undone_by_the_atoms_of_a_molecule_costs_nothing() -> None:
    """In a box with no bond across its boundary, displacements of -U r cancel the strain U (checks the coupling)."""
    molecule = Atoms("CO2", positions=[[5, 5, 5], [6.1, 5.2, 5], [3.9, 5.3, 5.4]], cell=[20] * 3, pbc=True)
    strain = np.array([[0.1, 0.02, 0.0], [0.02, -0.05, 0.03], [0.0, 0.03, 0.2]])
    scale = 2.0
    vector = np.vstack([-molecule.positions @ strain.T, scale * strain]).ravel()
    hessian = model_hessian(molecule, scale) - springs.FLOOR * np.eye(vector.size)
    assert vector @ hessian @ vector == pytest.approx(0.0, abs=1e-9)
    without = vector.copy()
    without[-9:] = 0.0
    assert without @ hessian @ without > 0.1


def test_solver_inverts_the_hessian_of_the_free_rows(salt: Atoms) -> None:
    free = np.ones(len(salt), dtype=bool)
    free[2] = False
    forces = np.random.default_rng(0).standard_normal((len(salt), 3))
    step = model_solver(salt, free, None)(forces)
    assert not step[2].any()
    back = (model_hessian(salt, None) @ step.ravel()).reshape(-1, 3)
    assert np.allclose(back[free], forces[free])


def test_soft_displacements_have_the_covariance_of_the_inverse_hessian(salt: Atoms) -> None:
    free = np.ones(len(salt), dtype=bool)
    free[[0, 5]] = False
    rng = np.random.default_rng(0)
    draws = np.array([soft_displacement(salt, 0.3, rng, free) for _ in range(3000)])
    assert not draws[:, ~free].any()
    assert np.sqrt((draws[:, free] ** 2).mean()) == pytest.approx(0.3, rel=0.01)
    rows = np.repeat(free, 3)
    inverse = np.linalg.inv(model_hessian(salt, None)[np.ix_(rows, rows)])
    expected = 0.3**2 * inverse / np.diag(inverse).mean()
    found = np.cov(draws.reshape(len(draws), -1)[:, rows].T)
    assert np.linalg.norm(found - expected) < 0.15 * np.linalg.norm(expected)


def test_a_soft_displacement_spares_bonds_that_an_independent_one_stretches() -> None:
    """Two atoms bound to each other and to nothing else move together."""
    pair = Atoms("O2", positions=[[5, 5, 5], [6.2, 5, 5]], cell=[12] * 3, pbc=True)
    rng = np.random.default_rng(0)
    lengths = []
    for _ in range(500):
        moved = pair.positions + soft_displacement(pair, 0.3, rng, np.array([True, True]))
        lengths.append(moved[1, 0] - moved[0, 0])
    assert np.std(lengths) < 0.5 * 0.3 * np.sqrt(2)


def test_no_displacement_where_none_is_asked_for_or_nothing_is_free(salt: Atoms) -> None:
    rng = np.random.default_rng(0)
    assert not soft_displacement(salt, 0.0, rng, np.ones(len(salt), dtype=bool)).any()
    assert not soft_displacement(salt, 0.3, rng, np.zeros(len(salt), dtype=bool)).any()
