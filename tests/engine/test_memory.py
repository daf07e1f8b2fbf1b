"""Batches that grow with measured memory and shrink when it runs out, alone and under the engine's loop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk, fcc111
from ase.constraints import FixAtoms
from calculator_potential import CalculatorPotential

from screening.engine.running.run import run_tasks
from screening.engine.tasks import NebTask, RelaxTask, Result, Task
from screening.potentials.base import Evaluation
from screening.potentials.batching import BatchedPotential
from screening.potentials.memory import GROWTH, SHARE, BatchSize
from screening.potentials.registry import load_potential
from screening.potentials.selfcheck import lithium_niobate


@dataclass
class Card:
    """A device with `total` bytes of which it reports all, while `hidden` ones are somebody else's.

    A pass takes `fixed` bytes and `per_atom` for each of its atoms.
    """

    total: int
    per_atom: int = 100
    fixed: int = 0
    hidden: int = 0
    used: int = 0
    passes: list[int] = field(default_factory=list)
    failed: int = 0

    def start(self) -> None:
        self.used = 0

    def peak(self) -> int:
        return self.used

    def free(self) -> int:
        return self.total

    def take(self, n_atoms: int) -> None:
        self.used = self.fixed + self.per_atom * n_atoms
        if self.used > self.total - self.hidden:
            self.failed += 1
            raise torch.cuda.OutOfMemoryError
        self.passes.append(n_atoms)


class CardPotential(BatchedPotential):
    """EMT that needs memory on a `Card`."""

    def __init__(self, card: Card) -> None:
        super().__init__(name="emt", checkpoint_sha256="0" * 64, device="cpu", corrections="own-hull")
        self.card, self.batch_size = card, BatchSize(card)
        self.elements = frozenset(range(1, 100))
        self.emt = CalculatorPotential()

    def graph(self, structures: Sequence[Atoms]) -> list[Atoms]:
        return list(structures)

    def infer(self, graph: list[Atoms]) -> list[Evaluation]:
        self.card.take(sum(len(atoms) for atoms in graph))
        return self.emt.evaluate(graph, stress=True)

    def unpack(self, structures: object, graph: object, found: list[Evaluation], *, stress: bool) -> list[Evaluation]:
        return [
            Evaluation(energy=one.energy, forces=one.forces, stress=one.stress if stress else None) for one in found
        ]


def copper(n: int, seed: int) -> Atoms:
    atoms = bulk("Cu", cubic=True).repeat((n, 1, 1))
    atoms.rattle(0.05, seed=seed)
    return atoms


def test_the_first_batch_is_one_structure_and_later_ones_grow_into_the_memory() -> None:
    card = Card(total=100_000)
    potential = CardPotential(card)
    potential.evaluate([copper(1, seed) for seed in range(400)])
    limit = SHARE * card.total / card.per_atom
    assert card.passes[:4] == [4, 4 * GROWTH, 4 * GROWTH**2, int(limit) // 4 * 4]
    assert sum(card.passes) == 1600
    assert potential.batch_atoms == int(limit)
    assert card.failed == 0


def test_what_a_pass_needs_at_least_does_not_keep_batches_small() -> None:
    """One small structure seems to take 2600 bytes per atom; a large batch shows that it is 100."""
    card = Card(total=100_000, fixed=10_000)
    potential = CardPotential(card)
    potential.evaluate([copper(1, seed) for seed in range(400)])
    assert card.passes[1] <= SHARE * 100_000 / 2600
    assert potential.batch_atoms > 0.9 * SHARE * 100_000 / (100 + 10_000 / 600)


def test_a_hungrier_structure_of_the_same_size_shrinks_the_batch() -> None:
    card = Card(total=100_000)
    size = BatchSize(card)
    for per_atom in (100, 400, 100):
        card.start()
        card.per_atom = per_atom
        card.take(100)
        size.learn(100)
    assert size.atoms == int(SHARE * 100_000 / 400)


def test_out_of_memory_halves_for_good_and_computes_everything_once() -> None:
    card = Card(total=100_000, hidden=70_000)
    potential = CardPotential(card)
    structures = [copper(1 + seed % 3, seed) for seed in range(200)]
    found = potential.evaluate(structures)
    expected = CalculatorPotential().evaluate(structures)
    assert [one.energy for one in found] == [one.energy for one in expected]
    assert all(np.array_equal(one.forces, other.forces) for one, other in zip(found, expected, strict=True))
    assert potential.emt.n_calls == len(structures)
    assert card.failed == 2, "700 and 350 atoms did not fit, 175 did"
    before = card.failed
    potential.evaluate(structures)
    assert card.failed == before, "what did not fit is not tried again"


def test_a_structure_that_does_not_fit_alone_fails_alone() -> None:
    potential = CardPotential(Card(total=3_000))
    with pytest.raises(torch.cuda.OutOfMemoryError):
        potential.evaluate([copper(10, 0)])
    tasks = [RelaxTask(recipe={}, atoms=copper(n, n), max_steps=20) for n in (1, 10, 2)]
    results = run_tasks(tasks, ["a", "b", "c"], potential, None)
    assert [result.failure is None for result in results] == [True, False, True]
    assert "OutOfMemoryError" in str(results[1].failure)


def emt_tasks() -> list[Task]:
    slab = fcc111("Pt", (2, 2, 4), vacuum=7.0, periodic=True)
    slab.set_constraint(FixAtoms(mask=slab.get_tags() > 2))
    slab.rattle(0.08, seed=3)
    perfect = bulk("Cu", cubic=True).repeat(2)
    first, last = perfect.copy(), perfect.copy()
    last.positions[1] = perfect.positions[0]
    del first[0], last[0]
    energy = CalculatorPotential().evaluate([first])[0].energy
    ends = {"initial": first, "final": last, "initial_energy": energy, "final_energy": energy}
    return [
        RelaxTask(recipe={}, atoms=copper(2, 0), cell="full", fmax=0.01),
        NebTask(recipe={}, **ends, n_images=3, max_steps=20),
        RelaxTask(recipe={}, atoms=slab, fmax=1e-4),
        *(RelaxTask(recipe={}, atoms=copper(1 + seed % 2, seed), fmax=0.01) for seed in range(6)),
    ]


def agree(found: Sequence[Result], expected: Sequence[Result]) -> None:
    for one, other in zip(found, expected, strict=True):
        assert one.failure is None
        assert one.converged == other.converged
        assert one.energy == pytest.approx(other.energy, abs=1e-4)
        assert one.image_energies == pytest.approx(other.image_energies, abs=1e-4)


def test_relaxations_and_bands_survive_running_out_of_memory() -> None:
    tasks = emt_tasks()
    keys = [str(index) for index in range(len(tasks))]
    alone = [run_tasks([task], [key], CalculatorPotential(), None)[0] for task, key in zip(tasks, keys, strict=True)]
    card = Card(total=20_000, hidden=14_000)
    potential = CardPotential(card)
    found = run_tasks(tasks, keys, potential, None)
    agree(found, alone)
    assert card.failed > 0
    calls = sum(result.n_force_calls for result in found)
    assert calls == sum(result.n_force_calls for result in alone) == potential.emt.n_calls
    assert len(card.passes) < 0.7 * calls, "structures did share passes"


def niobate_tasks() -> list[Task]:
    """10 to 20 atoms: full and fixed cells, frozen atoms, a Li that hops into a vacancy."""
    cells = [lithium_niobate(), lithium_niobate().repeat((2, 1, 1)), lithium_niobate()]
    for seed, atoms in enumerate(cells):
        atoms.rattle(0.05, seed=seed)
    cells[2].set_constraint(FixAtoms(indices=[0, 1, 2]))
    double = lithium_niobate().repeat((1, 1, 2))
    start, *others = np.flatnonzero(double.symbols == "Li")
    hole = others[int(np.argmin(double.get_distances(start, others, mic=True)))]
    first, last = double.copy(), double.copy()
    last.positions[start] += double.get_distance(start, hole, mic=True, vector=True)
    del first[hole], last[hole]
    energies = [one.energy for one in load_potential("chgnet", "cpu", self_check=False).evaluate([first, last])]
    ends = {"initial": first, "final": last, "initial_energy": energies[0], "final_energy": energies[1]}
    return [
        RelaxTask(recipe={}, atoms=cells[0], cell="full", fmax=0.02),
        NebTask(recipe={}, **ends, n_images=2, fmax=0.05, max_steps=6),
        RelaxTask(recipe={}, atoms=cells[1], fmax=0.02),
        RelaxTask(recipe={}, atoms=cells[2], fmax=0.02),
    ]


def test_chgnet_in_batches_equals_chgnet_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also after running out of memory in the middle, with systems that enter while others are under way."""
    potential: Any = load_potential("chgnet", "cpu", self_check=False)
    tasks = niobate_tasks()
    keys = [str(index) for index in range(len(tasks))]
    alone = run_tasks(tasks, keys, potential, None)
    assert {result.converged for result in alone} == {True, False}
    infer, passes = potential.infer, []

    def small_card(graph: tuple) -> object:
        passes.append(len(graph[0].numbers))
        if passes[-1] > 45:
            raise torch.cuda.OutOfMemoryError
        return infer(graph)

    monkeypatch.setattr(potential, "infer", small_card)
    monkeypatch.setattr(potential, "batch_atoms", 90)
    agree(run_tasks(tasks, keys, potential, None), alone)
    assert max(passes) > 45, "it ran out of memory"
    assert max(size for size in passes if size <= 45) > 20, "structures did share passes"
