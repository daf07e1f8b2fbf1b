"""Relaxations and bands in one loop: nothing that a system does depends on its companions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111
from ase.constraints import FixAtoms
from calculator_potential import CalculatorPotential, Killed

from screening.engine.batch import Outcome
from screening.engine.checkpoints import Checkpoint
from screening.engine.drive import drive, expected_atoms
from screening.engine.running.run import run_tasks, start_system
from screening.engine.tasks import NebTask, RelaxTask, Result, Task


def alloy(repeat: tuple[int, int, int], seed: int) -> Atoms:
    atoms = bulk("Cu", cubic=True).repeat(repeat)
    atoms.symbols[1] = "Au"
    atoms.rattle(0.08, seed=seed)
    return atoms


def slab(seed: int) -> Atoms:
    atoms = fcc111("Pt", (2, 2, 4), vacuum=7.0, periodic=True)
    atoms.set_constraint(FixAtoms(mask=atoms.get_tags() > 2))
    atoms.rattle(0.08, seed=seed)
    return atoms


def jump(n_images: int) -> NebTask:
    """A Cu atom jumps into a vacancy; the end points are not relaxed, which a band does not mind."""
    perfect = bulk("Cu", cubic=True).repeat(2)
    first, last = perfect.copy(), perfect.copy()
    last.positions[1] = perfect.positions[0]
    del first[0], last[0]
    recipe = {"images": n_images}
    energy = CalculatorPotential().evaluate([first])[0].energy
    return NebTask(
        recipe=recipe,
        initial=first,
        final=last,
        initial_energy=energy,
        final_energy=energy,
        n_images=n_images,
        max_steps=12,
    )


@pytest.fixture(scope="module")
def mixed() -> list[Task]:
    """4 to 93 atoms per step: fixed and full cells, frozen atoms, bands of one and three images."""
    return [
        RelaxTask(recipe={}, atoms=alloy((2, 2, 1), 0), cell="full", fmax=0.02),
        jump(3),
        RelaxTask(recipe={}, atoms=slab(1), fmax=1e-5),
        RelaxTask(recipe={}, atoms=alloy((1, 1, 1), 2), fmax=0.3),
        jump(1),
        RelaxTask(recipe={}, atoms=slab(3), fmax=1e-9, max_steps=3),
        RelaxTask(recipe={}, atoms=alloy((1, 1, 2), 4), cell="full", fmax=0.02),
    ]


def names(tasks: Sequence[Task]) -> list[str]:
    return [f"task{index}" for index in range(len(tasks))]


def same(found: Sequence[Result], expected: Sequence[Result]) -> None:
    """The same results to the last digit: a calculator that takes one structure after the other adds no noise."""
    for one, other in zip(found, expected, strict=True):
        assert (one.energy, one.converged, one.failure) == (other.energy, other.converged, other.failure)
        assert (one.n_force_calls, one.image_energies) == (other.n_force_calls, other.image_energies)
        assert np.array_equal(one.atoms.positions, other.atoms.positions)
        assert np.array_equal(one.atoms.cell.array, other.atoms.cell.array)


@pytest.fixture(scope="module")
def alone(mixed: list[Task]) -> list[Result]:
    return [
        run_tasks([task], [key], CalculatorPotential(), None)[0] for task, key in zip(mixed, names(mixed), strict=True)
    ]


@pytest.mark.parametrize("max_atoms", [1, 60, 120, None])
def test_any_company_gives_what_each_gives_alone(
    emt: CalculatorPotential, mixed: list[Task], alone: list[Result], max_atoms: int | None
) -> None:
    found = run_tasks(mixed, names(mixed), emt, None, max_atoms=max_atoms)
    assert [result.key for result in found] == names(mixed)
    assert {result.converged for result in found} == {True, False}
    same(found, alone)


def test_relaxations_and_bands_share_their_calls(emt: CalculatorPotential, mixed: list[Task]) -> None:
    run_tasks(mixed, names(mixed), emt, None)
    assert emt.batches[:2] == [(3 + 1 + 1 + 3 + 1, False), (2, True)]  # three quarters of each band
    kinds = [stress for _, stress in emt.batches]
    assert all(kinds[at] != kinds[at + 1] for at in range(4)), "two calls per round while both kinds are under way"


def test_the_order_of_the_tasks_does_not_matter(
    emt: CalculatorPotential, mixed: list[Task], alone: list[Result]
) -> None:
    same(run_tasks(mixed[::-1], names(mixed)[::-1], emt, None, max_atoms=60)[::-1], alone)


class Watched:
    """Starts systems like `run_tasks` and keeps count of those under way."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.finished: list[str] = []

    def start(self, task: Task, key: str, checkpoint: Checkpoint | None) -> Any:
        system = start_system(task, key, checkpoint)
        self.started.append(key)
        result: Callable[[], Result] = system.result

        def watch() -> Result:
            self.finished.append(key)
            return result()

        system.result = watch  # type: ignore[method-assign]
        return system


def test_systems_enter_in_order_when_there_is_room(emt: CalculatorPotential, mixed: list[Task]) -> None:
    watched = Watched()
    rounds: list[tuple[set[str], set[str]]] = []
    evaluate = emt.evaluate

    def spy(structures: Sequence[Atoms], *, stress: bool = False) -> object:
        rounds.append((set(watched.started), set(watched.finished)))
        return evaluate(structures, stress=stress)

    emt.evaluate = spy  # type: ignore[method-assign,assignment]
    drive(mixed, names(mixed), emt, watched.start, max_atoms=150)
    assert watched.started == names(mixed)
    first = rounds[0][0]
    assert first < set(names(mixed))
    assert any(started > first and not finished >= first for started, finished in rounds), "somebody enters mid-flight"
    assert watched.finished != names(mixed), "a quick system does not wait for a slow one"


def test_atoms_in_flight_stay_within_the_limit(mixed: list[Task]) -> None:
    in_flight: list[int] = []

    class Counting(CalculatorPotential):
        def evaluate(self, structures: Sequence[Atoms], *, stress: bool = False) -> list:
            in_flight.append(sum(len(atoms) for atoms in structures))
            return super().evaluate(structures, stress=stress)

    small = [task for task in mixed if expected_atoms(task) <= 40]
    run_tasks(small, names(small), Counting(), None, max_atoms=40)
    assert max(in_flight) <= 40


def test_the_potential_says_how_much_may_be_in_flight(emt: CalculatorPotential, mixed: list[Task]) -> None:
    """A batch that grows lets more systems in, one that is 1 keeps a single system under way."""
    emt.batch_atoms = 1
    run_tasks(mixed[2:4], ["a", "b"], emt, None)
    assert {size for size, _ in emt.batches} == {1}
    evaluate, emt.batches = emt.evaluate, []

    def grow(structures: Sequence[Atoms], *, stress: bool = False) -> object:
        emt.batch_atoms = 1000
        return evaluate(structures, stress=stress)

    emt.evaluate = grow  # type: ignore[method-assign,assignment]
    run_tasks(mixed[2:4], ["a", "b"], emt, None)
    assert [size for size, _ in emt.batches[:2]] == [1, 2]


@pytest.mark.parametrize("moment", [1, 7, 14, 22])
def test_killed_and_started_again_it_ends_the_same(
    emt: CalculatorPotential, mixed: list[Task], alone: list[Result], tmp_path: Path, moment: int
) -> None:
    emt.kill_after = moment
    with pytest.raises(Killed):
        run_tasks(mixed, names(mixed), emt, tmp_path, max_atoms=120)
    emt.kill_after = None
    same(run_tasks(mixed, names(mixed), emt, tmp_path, max_atoms=120), alone)
    assert emt.n_calls <= sum(result.n_force_calls for result in alone) + 10 * len(mixed)
    before = emt.n_calls
    same(run_tasks(mixed, names(mixed), emt, tmp_path), alone)
    assert emt.n_calls == before


def test_a_refused_task_and_a_failed_one_leave_the_others_alone(
    emt: CalculatorPotential, mixed: list[Task], alone: list[Result]
) -> None:
    sheet = slab(0)
    sheet.pbc = (True, True, False)
    broken = alloy((1, 1, 1), 0)
    broken.positions[1] = broken.positions[0] + 0.1
    tasks = [RelaxTask(recipe={}, atoms=sheet, cell="full"), mixed[0], RelaxTask(recipe={}, atoms=broken), mixed[1]]
    found = run_tasks(tasks, ["sheet", "task0", "broken", "task1"], emt, None, max_atoms=60)
    assert "periodic in three directions" in str(found[0].failure)
    assert "A apart" in str(found[2].failure)
    same([found[1], found[3]], alone[:2])


class Greedy:
    """A system that asks for 1, 2, 3, 1, 2, 3, ... structures and notes what it is told."""

    def __init__(self, task: Task, key: str, checkpoint: Checkpoint | None) -> None:
        self.task, self.key, self.done, self.needs_stress = task, key, False, False
        self.energies: list[float] = []
        self.round = 0

    def pending(self) -> list[Atoms]:
        return [alloy((1, 1, 1), seed) for seed in range(1 + self.round % 3)]

    def advance(self, outcomes: Sequence[Outcome]) -> None:
        self.energies += [outcome.evaluation.energy for outcome in outcomes if outcome.evaluation is not None]
        self.round += 1
        self.done = self.round == 6

    def save_due(self) -> bool:
        return False

    def save(self) -> None: ...

    def result(self) -> Result:
        result = run_tasks([self.task], [self.key], CalculatorPotential(), None)[0]
        result.image_energies = self.energies
        return result


def test_a_system_may_ask_for_more_or_less_from_step_to_step(emt: CalculatorPotential) -> None:
    task = RelaxTask(recipe={}, atoms=alloy((1, 1, 1), 0), max_steps=0)
    found = drive([task, task], ["a", "b"], emt, Greedy)
    one, two, three = (result.energy for result in emt.evaluate([alloy((1, 1, 1), seed) for seed in range(3)]))
    for result in found:
        assert result.image_energies == [one, one, two, one, two, three] * 2
    assert [size for size, _ in emt.batches[:3]] == [2, 4, 6]


def test_a_system_that_asks_for_nothing_is_an_error(emt: CalculatorPotential) -> None:
    class Silent(Greedy):
        def pending(self) -> list[Atoms]:
            return []

    task = RelaxTask(recipe={}, atoms=alloy((1, 1, 1), 0))
    with pytest.raises(RuntimeError, match="asks for nothing"):
        drive([task], ["a"], emt, Silent)
