"""The first guess of a band."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from screening.engine.paths.idpp import interpolate, shortest_distance, unwrapped_displacement


def crowded() -> tuple[Atoms, Atoms]:
    """An atom passes straight through another one."""
    initial = Atoms("LiO2", positions=[[3.0, 4, 4], [5, 4, 4.05], [4, 8, 4]], cell=[12, 12, 12], pbc=True)
    final = initial.copy()
    final.positions[0, 0] = 7.0
    return initial, final


def test_idpp_goes_round_an_atom_in_the_way() -> None:
    initial, final = crowded()
    displacement = unwrapped_displacement(initial, final, remove_drift=False)
    free = np.array([True, False, False])
    positions, kind = interpolate(initial, displacement, 3, free)
    linear = initial.positions + np.linspace(0, 1, 5)[:, None, None] * displacement
    assert kind == "idpp"
    assert shortest_distance(initial, linear) < 0.1
    assert shortest_distance(initial, positions) > 1.0
    assert np.array_equal(positions[:, 1:], linear[:, 1:])


def test_end_points_are_kept() -> None:
    initial, final = crowded()
    positions, _ = interpolate(initial, final.positions - initial.positions, 4, np.ones(3, dtype=bool))
    assert positions.shape == (6, 3, 3)
    assert np.array_equal(positions[0], initial.positions)
    assert np.allclose(positions[-1], final.positions)


def test_displacement_follows_the_minimum_image_in_a_skewed_cell() -> None:
    initial = bulk("Cu").repeat((3, 3, 3))
    final = initial.copy()
    true = np.zeros((len(initial), 3))
    true[4] = [0.9, -1.1, 0.4]
    final.positions += true
    final.wrap()
    final.positions += np.array([2, -1, 1]) @ initial.cell.array
    assert np.allclose(unwrapped_displacement(initial, final, remove_drift=False), true)


def test_rigid_drift_is_removed() -> None:
    initial = bulk("Cu", cubic=True).repeat(2)
    final = initial.copy()
    final.positions[0, 0] += 1.5
    final.positions += [1.2, 0.1, -0.7]
    displacement = unwrapped_displacement(initial, final, remove_drift=True)
    assert displacement.mean(axis=0) == pytest.approx(0.0, abs=1e-12)
    assert np.ptp(displacement[1:], axis=0) == pytest.approx(0.0, abs=1e-12)
    assert displacement[0, 0] - displacement[1, 0] == pytest.approx(1.5)
