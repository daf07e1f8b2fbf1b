"""Mixed lists of tasks, and checkpoints that outlive the computation until the result is stored."""

from __future__ import annotations

from pathlib import Path

import pytest
from ase.build import bulk
from calculator_potential import CalculatorPotential

from screening.engine.checkpoints import Checkpoint, checkpoint_path
from screening.engine.running.run import run_tasks
from screening.engine.tasks import NebTask, RelaxTask, Task


@pytest.fixture
def tasks() -> list[Task]:
    perfect = bulk("Cu", cubic=True).repeat(2)
    first, last = perfect.copy(), perfect.copy()
    last.positions[1] = perfect.positions[0]
    del first[0], last[0]
    rattled = perfect.copy()
    rattled.rattle(0.05, seed=0)
    band = NebTask(
        recipe={}, initial=first, final=last, n_images=1, fmax=0.5, max_steps=3, initial_energy=0.4, final_energy=0.4
    )
    return [
        RelaxTask(recipe={}, atoms=rattled, fmax=0.05),
        band,
        RelaxTask(recipe={}, atoms=rattled, cell="full", max_steps=1),
    ]


def test_results_keep_the_order_of_the_tasks(emt: CalculatorPotential, tasks: list[Task]) -> None:
    results = run_tasks(tasks, ["a", "b", "c"], emt, None)
    assert [result.key for result in results] == ["a", "b", "c"]
    assert [len(result.images) for result in results] == [0, 3, 0]
    assert results[2].n_steps == 1


def test_checkpoints_stay_until_they_are_deleted(emt: CalculatorPotential, tasks: list[Task], tmp_path: Path) -> None:
    first = run_tasks(tasks, ["a", "b", "c"], emt, tmp_path)
    before = emt.n_calls
    again = run_tasks(tasks, ["a", "b", "c"], emt, tmp_path)
    assert emt.n_calls == before
    assert [result.energy for result in again] == [result.energy for result in first]
    for key in "abc":
        Checkpoint(checkpoint_path(tmp_path, key)).delete()
    assert list(tmp_path.iterdir()) == []
    Checkpoint(checkpoint_path(tmp_path, "never-run")).delete()


def test_batches_respect_the_atom_limit(emt: CalculatorPotential, tasks: list[Task]) -> None:
    run_tasks([tasks[0], tasks[0]], ["a", "b"], emt, None, max_atoms=40)
    assert {size for size, _ in emt.batches} == {1}
