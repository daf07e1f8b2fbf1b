"""L-BFGS and FIRE on functions whose minimum is known."""

from __future__ import annotations

import json

import numpy as np
import pytest

from screening.engine.optimizers import Descent, Fire, Lbfgs, limit_step

RNG = np.random.default_rng(0)
ROOT = RNG.standard_normal((12, 12))
HESSIAN = ROOT @ ROOT.T + 0.5 * np.eye(12)
MINIMUM = RNG.standard_normal((4, 3))


def quadratic(x: np.ndarray) -> tuple[float, np.ndarray]:
    offset = (x - MINIMUM).ravel()
    return float(0.5 * offset @ HESSIAN @ offset), -(HESSIAN @ offset).reshape(4, 3)


def identity(x: np.ndarray):
    return lambda vector: vector / 10.0


def descend(descent: Descent, function, x: np.ndarray, n: int) -> np.ndarray:
    for _ in range(n):
        energy, forces = function(x)
        x = descent.next(x, energy, forces, identity)
    return x


def test_lbfgs_finds_the_minimum_of_a_quadratic() -> None:
    x = descend(Descent(limits=np.full(4, 1.0)), quadratic, np.zeros((4, 3)), 60)
    assert np.allclose(x, MINIMUM, atol=1e-5)


def test_exact_initial_hessian_needs_one_step() -> None:
    inverse = np.linalg.inv(HESSIAN)
    energy, forces = quadratic(np.zeros((4, 3)))
    x = Descent(limits=np.full(4, 10.0)).next(
        np.zeros((4, 3)), energy, forces, lambda x: lambda v: (inverse @ v.ravel()).reshape(v.shape)
    )
    assert np.allclose(x, MINIMUM, atol=1e-9)


def test_two_loop_recursion_equals_dense_bfgs() -> None:
    """Nocedal & Wright eq. 6.17 with the scaled initial matrix gives the same direction."""
    memory = Lbfgs()
    for _ in range(5):
        step = RNG.standard_normal((4, 3))
        memory.learn(step, (HESSIAN @ step.ravel()).reshape(4, 3))
    s, y = memory.steps[-1].ravel(), memory.changes[-1].ravel()
    dense = np.eye(12) * (s @ y) / (y @ y)
    for step, change in zip(memory.steps, memory.changes, strict=True):
        s, y = step.ravel(), change.ravel()
        left = np.eye(12) - np.outer(s, y) / (s @ y)
        dense = left @ dense @ left.T + np.outer(s, s) / (s @ y)
    forces = RNG.standard_normal((4, 3))
    assert np.allclose(memory.direction(forces, lambda v: v).ravel(), dense @ forces.ravel())


def test_negative_curvature_is_not_learnt() -> None:
    memory = Lbfgs()
    step = np.ones((4, 3))
    assert not memory.learn(step, -step)
    assert memory.learn(step, 2 * step)
    assert len(memory.steps) == 1


def test_fire_finds_the_minimum_of_a_quadratic() -> None:
    fire, x = Fire(), np.zeros((4, 3))
    for _ in range(400):
        x = x + limit_step(fire.step(quadratic(x)[1]), np.full(4, 0.2))
    assert np.allclose(x, MINIMUM, atol=1e-3)


def test_no_row_exceeds_its_limit() -> None:
    step = limit_step(np.array([[3.0, 4.0, 0.0], [0.1, 0.0, 0.0]]), np.array([0.5, 0.2]))
    assert np.linalg.norm(step, axis=1) == pytest.approx([0.5, 0.01])


def test_a_rise_in_energy_is_taken_back() -> None:
    """Steps far too long for a stiff wall end beyond it; the next point lies between the last good one and there."""

    def wall(x: np.ndarray) -> tuple[float, np.ndarray]:
        return float(1e4 * x[0, 0] ** 2), -2e4 * x[0, 0] * np.array([[1.0, 0.0, 0.0]])

    descent = Descent(limits=np.full(1, 0.5))
    start = np.array([[0.01, 0.0, 0.0]])
    far = descent.next(start, *wall(start), identity)
    assert wall(far)[0] > wall(start)[0]
    back = descent.next(far, *wall(far), identity)
    assert abs(back[0, 0]) < 0.011


def test_fire_takes_over_when_lbfgs_makes_no_progress() -> None:
    """Forces that turn round a centre have no potential; L-BFGS cannot learn them."""
    descent, x = Descent(limits=np.full(1, 0.1)), np.array([[1.0, 0.0, 0.0]])
    started = []
    for _ in range(2 * Descent.PATIENCE):
        x = descent.next(x, 0.0, np.array([[-x[0, 1], x[0, 0], 0.0]]), identity)
        started.append(descent.fire_left)
    assert max(started) > 0


@pytest.mark.parametrize("fire_left", [0, 30])
def test_packed_state_continues_on_the_same_trajectory(fire_left: int) -> None:
    first = Descent(limits=np.full(4, 0.3), fire_left=fire_left)
    x = descend(first, quadratic, np.zeros((4, 3)), 7)
    arrays, meta = first.pack()
    second = Descent(limits=np.full(4, 0.3))
    second.unpack({name: value.copy() for name, value in arrays.items()}, json.loads(json.dumps(meta)))
    assert np.array_equal(descend(first, quadratic, x, 30), descend(second, quadratic, x, 30))
