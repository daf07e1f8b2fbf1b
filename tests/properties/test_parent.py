"""The parent interface: which start wins, what is scanned, what the rattled starts leave alone."""

import numpy as np
import pytest

from screening.config import load_settings
from screening.engine.tasks import Flow, Result, Task
from screening.errors import CandidateFailed
from screening.properties.parent import ParentInterface, relax_parent
from screening.structures.crystals import load_crystal
from screening.structures.interface import Parent, find_parents, gap_of

SETTINGS = load_settings("quick", None, {})


@pytest.fixture(scope="module")
def geometry() -> Parent:
    return find_parents(load_crystal("LiNbO3"), load_crystal("NCM811"), "NCM811", SETTINGS.interface, 0)[0]


def started(geometry: Parent, starts: int) -> tuple[Flow, list[Task]]:
    flow = relax_parent(geometry, (0.25, 0.5), 2.2, SETTINGS.adhesion, recipe={"test": 1}, starts=starts)
    return flow, next(flow)


def answer(task: Task, energy: float, *, converged: bool = True, failure: str | None = None) -> Result:
    return Result(
        key=str(energy), atoms=task.atoms, energy=energy, fmax=0.05, converged=converged, n_steps=3, n_force_calls=4,
        wall_s=0.1, failure=failure,
    )  # fmt: skip


def finish(flow: Flow, results: list[Result]) -> ParentInterface:
    with pytest.raises(StopIteration) as end:
        flow.send(results)
    return end.value.value


def test_only_the_free_coating_of_later_starts_is_rattled(geometry: Parent) -> None:
    _, (first, second, third) = started(geometry, 3)
    region = first.atoms.arrays["region"]
    assert gap_of(first.atoms) == pytest.approx(2.2, abs=1e-6)
    for other in (second, third):
        moved = np.linalg.norm(other.atoms.positions - first.atoms.positions, axis=1)
        assert moved[region == 0].max() == 0.0
        # the norm of three normal deviates of 0.2 A is 0.2 * sqrt(8 / pi) A on average
        assert moved[region == 1].mean() == pytest.approx(0.2 * np.sqrt(8 / np.pi), rel=0.15)
    assert np.abs(second.atoms.positions - third.atoms.positions).max() > 0.1
    assert len({str(sorted(t.recipe.items(), key=str)) for t in (first, second, third)}) == 3


def test_the_lowest_converged_start_is_the_parent(geometry: Parent) -> None:
    flow, tasks = started(geometry, 4)
    results = [
        answer(tasks[0], -10.0),
        answer(tasks[1], -12.0),
        answer(tasks[2], -15.0, converged=False),
        answer(tasks[3], float("nan"), failure="atoms closer than 0.5 A"),
    ]
    parent = finish(flow, results)
    assert parent.result.energy == -12.0
    np.testing.assert_array_equal(parent.cut.arrays["parent_index"], np.arange(1, len(parent.cut) + 1))


def test_an_unconverged_start_is_used_when_nothing_better_exists(geometry: Parent) -> None:
    flow, tasks = started(geometry, 2)
    parent = finish(flow, [answer(tasks[0], -10.0, converged=False), answer(tasks[1], -9.0, converged=False)])
    assert parent.result.energy == -10.0
    assert not parent.result.converged


def test_no_start_left_is_said_with_the_reason(geometry: Parent) -> None:
    flow, tasks = started(geometry, 2)
    with pytest.raises(CandidateFailed, match="forces are not numbers"):
        flow.send([answer(t, float("nan"), failure="forces are not numbers") for t in tasks])
