"""The parent interface: which start wins, what is scanned, what the rattled starts leave alone."""

import numpy as np
import pytest

from screening.config import load_settings
from screening.engine.flows import Flow
from screening.engine.tasks import Result, Task
from screening.errors import CandidateFailed
from screening.properties.adhesion.parent import ParentInterface, relax_parent
from screening.structures.crystals.crystals import load_crystal
from screening.structures.interfaces.interface import Parent, find_parents, gap_of

SETTINGS = load_settings("quick", None, {})


@pytest.fixture(scope="module")
def geometry() -> Parent:
    return find_parents(load_crystal("LiNbO3"), load_crystal("NCM811"), "NCM811", SETTINGS.interface, 0)[0]


def started(
    geometry: Parent, starts: int, *, hops: int = 0, slab_hops: int = 0
) -> tuple[Flow[ParentInterface], list[Task]]:
    interface = SETTINGS.interface.model_copy(update={"parent_starts": starts, "parent_hops": hops})
    adhesion = SETTINGS.adhesion.model_copy(update={"slab_hops": slab_hops, "hop_width": 2})
    flow = relax_parent(geometry, (0.25, 0.5), 2.2, adhesion, recipe={"test": 1}, interface=interface)
    return flow, next(flow)


def answer(task: Task, energy: float, *, converged: bool = True, failure: str | None = None) -> Result:
    return Result(
        key=str(energy), atoms=task.atoms, energy=energy, fmax=0.05, converged=converged, n_steps=3, n_force_calls=4,
        wall_s=0.1, failure=failure,
    )  # fmt: skip


def finish(flow: Flow[ParentInterface], results: list[Result]) -> ParentInterface:
    coatings = flow.send(results)
    with pytest.raises(StopIteration) as end:
        flow.send([answer(task, -5.0 - n) for n, task in enumerate(coatings)])
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


def test_a_soft_move_displaces_the_free_coating_only_and_is_another_computation(geometry: Parent) -> None:
    soft = SETTINGS.adhesion.model_copy(update={"move": "soft", "rattle": 0.3})
    interface = SETTINGS.interface.model_copy(update={"parent_starts": 2})
    flow = relax_parent(geometry, (0.25, 0.5), 2.2, soft, recipe={"test": 1}, interface=interface)
    first, second = next(flow)
    _, (as_before, rattled) = started(geometry, 2)
    moved = second.atoms.positions - first.atoms.positions
    region = first.atoms.arrays["region"]
    assert not moved[region == 0].any()
    assert np.sqrt((moved[region == 1] ** 2).mean()) == pytest.approx(0.3, rel=0.2)
    assert first.recipe == as_before.recipe
    assert second.recipe != rattled.recipe


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


def test_hops_start_from_the_lowest_arrangement_so_far(geometry: Parent) -> None:
    flow, (task,) = started(geometry, 1, hops=3)
    first = flow.send([answer(task, -10.0)])
    assert [t.recipe["parents"] for t in first] == [["-10.0"]] * 2
    region = task.atoms.arrays["region"]
    for hop in first:
        moved = np.linalg.norm(hop.atoms.positions - task.atoms.positions, axis=1)
        assert moved[region == 0].max() == 0.0
        assert moved[region == 1].min() > 0.0
    second = flow.send([answer(first[0], -9.0), answer(first[1], -11.0)])
    assert [t.recipe["parents"] for t in second] == [["-11.0"]] * 2
    # a failed hop, and a lower one that did not converge, change nothing
    failed = answer(second[0], float("nan"), failure="atoms closer than 0.5 A")
    third = flow.send([failed, answer(second[1], -20.0, converged=False)])
    assert [t.recipe["parents"] for t in third] == [["-11.0"]] * 2
    parent = finish(flow, [answer(t, -10.5) for t in third])
    assert parent.result.energy == -11.0
    np.testing.assert_array_equal(parent.relaxed.positions, first[1].atoms.positions)


def test_an_arrangement_that_exchanged_bonds_with_the_cathode_is_no_parent(geometry: Parent) -> None:
    flow, (task,) = started(geometry, 1, hops=1)
    hops = flow.send([answer(task, -10.0)])
    product = hops[0].atoms
    region, z = product.arrays["region"], product.positions[:, 2]
    oxygen = (product.numbers == 8) & (region == 1)
    pulled = int(np.flatnonzero(oxygen)[np.argmin(z[oxygen])])
    metal = (product.numbers == 28) & (region == 0)
    top = int(np.flatnonzero(metal)[np.argmax(z[metal])])
    positions = product.positions.copy()
    positions[pulled] = positions[top] + [0.0, 0.0, 1.9]
    niobium = np.flatnonzero((product.numbers == 41) & (region == 1))
    positions[niobium, 2] += 3.0  # the oxygen stays behind, bonded to the cathode only
    product.set_positions(positions, apply_constraint=False)
    parent = finish(flow, [answer(hops[0], -30.0), answer(hops[1], -10.5)])
    assert parent.result.energy == -10.5


def test_the_lowest_coating_slab_is_kept_for_the_candidates(geometry: Parent) -> None:
    flow, tasks = started(geometry, 2, slab_hops=1)
    coatings = flow.send([answer(task, -10.0) for task in tasks])
    assert [t.recipe["from"] for t in coatings] == ["cut", "half", "rattled 1"]
    hops = flow.send([answer(task, energy) for task, energy in zip(coatings, (-4.0, -5.0, -4.5), strict=True)])
    assert [t.recipe["parents"] for t in hops] == [["-5.0"]] * 2
    with pytest.raises(StopIteration) as end:
        flow.send([answer(hops[0], -6.0), answer(hops[1], -5.5)])
    assert end.value.value.coating.energy == -6.0
