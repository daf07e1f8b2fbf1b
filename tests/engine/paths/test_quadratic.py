"""The quadratic model: what it learns of a known Hessian, and where its steps go."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from screening.engine.paths.quadratic import QuadraticModel

Array = NDArray[np.float64]


def hessian(size: int, seed: int, n_negative: int = 1) -> tuple[Array, Array]:
    """A symmetric matrix with `n_negative` negative eigenvalues, and the eigenvector of the lowest."""
    rng = np.random.default_rng(seed)
    vectors = np.linalg.qr(rng.normal(size=(size, size)))[0]
    values = np.concatenate([-rng.uniform(0.3, 1.0, n_negative), rng.uniform(0.5, 2.0, size - n_negative)])
    values[0] -= 1.0
    return vectors @ np.diag(values) @ vectors.T, vectors[:, 0]


def dense(model: QuadraticModel, size: int) -> Array:
    return np.eye(size) + model.basis @ (model.inner - np.eye(len(model.inner))) @ model.basis.T


@given(st.integers(0, 50))
def test_it_reproduces_the_last_pair(seed: int) -> None:
    """The secant condition B s = y holds for whatever was learned last."""
    true, _ = hessian(6, seed)
    rng = np.random.default_rng(seed)
    model = QuadraticModel.sphere(6)
    for _ in range(3):
        step = rng.normal(size=6)
        model.learn(step, true @ step)
        assert dense(model, 6) @ step == pytest.approx(true @ step, abs=1e-8)


def test_it_learns_a_whole_hessian_and_its_index() -> None:
    true, _ = hessian(5, 3)
    model = QuadraticModel.sphere(5)
    for _ in range(8):
        for step in np.eye(5):
            model.learn(step, true @ step)
    assert model.n_negative() == 1
    assert dense(model, 5) == pytest.approx(true, abs=1e-2)


@pytest.mark.parametrize("seed", range(4))
def test_steps_end_on_the_saddle_of_a_quadratic_surface(seed: int) -> None:
    true, lowest = hessian(7, seed)
    place = np.random.default_rng(seed).normal(size=7)  # of the saddle
    x = np.zeros(7)
    model = QuadraticModel.sphere(7)
    model.set_curvature(lowest, -0.5)
    gradient = true @ (x - place)
    for _ in range(40):
        step = model.saddle_step(gradient, lowest)
        x = x + step
        after = true @ (x - place)
        model.learn(step, after - gradient)
        gradient = after
    assert x == pytest.approx(place, abs=1e-6)
    assert abs(model.way_up(lowest) @ lowest) > 0.9


def test_without_a_negative_mode_it_walks_up_the_path() -> None:
    model = QuadraticModel.sphere(3)
    along = np.array([1.0, 0.0, 0.0])
    step = model.saddle_step(np.array([0.2, 0.1, -0.3]), along)
    assert step[0] > 0  # uphill along the path
    assert step[1] < 0 < step[2]  # downhill across it
    assert np.array_equal(model.way_up(along), along)


def test_set_curvature_sets_only_that() -> None:
    model = QuadraticModel.sphere(4)
    direction = np.array([0.6, 0.8, 0.0, 0.0])
    model.set_curvature(direction, -0.5)
    matrix = dense(model, 4)
    assert direction @ matrix @ direction == pytest.approx(-0.5)
    assert np.linalg.eigvalsh(matrix) == pytest.approx([-0.5, 1.0, 1.0, 1.0])
