"""Batched relaxation against ASE, its failures, and its restarts."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111
from ase.calculators.lj import LennardJones
from ase.calculators.morse import MorsePotential
from ase.constraints import FixAtoms
from ase.filters import FrechetCellFilter
from ase.optimize import BFGS
from calculator_potential import CalculatorPotential, Killed

from screening.engine.checkpoints import Checkpoint
from screening.engine.relax import relax_batch
from screening.engine.tasks import RelaxTask, Result


def task(atoms: Atoms, cell: Literal["fixed", "full"] = "fixed", fmax: float = 0.01, max_steps: int = 200) -> RelaxTask:
    return RelaxTask(recipe={}, atoms=atoms, cell=cell, fmax=fmax, max_steps=max_steps)


def relax(potential: CalculatorPotential, *tasks: RelaxTask, folder: Path | None = None) -> list[Result]:
    keys = [f"key{index}" for index in range(len(tasks))]
    files = None if folder is None else [folder / f"{key}.npz" for key in keys]
    return relax_batch(tasks, potential, keys=keys, checkpoints=files)


def alloy(seed: int = 0, strain: float = 0.0) -> Atoms:
    atoms = bulk("Cu", cubic=True).repeat((2, 2, 1))
    atoms.symbols[[1, 6]] = "Au"
    atoms.set_cell(atoms.cell.array * (1 + strain), scale_atoms=True)
    atoms.rattle(0.08, seed=seed)
    return atoms


def slab() -> Atoms:
    atoms = fcc111("Pt", (2, 2, 4), vacuum=7.0, periodic=True)
    atoms.set_constraint(FixAtoms(mask=atoms.get_tags() > 2))
    atoms.rattle(0.08, seed=3)
    return atoms


def minimum(atoms: Atoms, potential: CalculatorPotential, *, full: bool) -> Atoms:
    """Minimum by ASE, with the same calculator."""
    atoms = atoms.copy()
    atoms.calc = potential.factory()
    moved: Any = FrechetCellFilter(atoms) if full else atoms  # ASE's optimisers take filters as well
    BFGS(moved, logfile=None).run(fmax=1e-4, steps=500)
    return atoms


def test_dimer_of_lennard_jones_reaches_its_analytic_minimum() -> None:
    potential = CalculatorPotential(lambda: LennardJones(sigma=2.0, epsilon=0.5, rc=20.0, smooth=False))
    dimer = Atoms("Ar2", positions=[[0, 0, 0], [0.3, 2.5, 0.1]], cell=[60] * 3, pbc=True)
    result = relax(potential, task(dimer, fmax=1e-3))[0]
    assert result.atoms.get_distance(0, 1) == pytest.approx(2 ** (1 / 6) * 2.0, abs=1e-3)
    assert result.energy == pytest.approx(-0.5, abs=1e-3)  # the cutoff at 20 A shifts it by 1e-6


def test_dimer_of_morse_reaches_its_analytic_minimum() -> None:
    potential = CalculatorPotential(lambda: MorsePotential(epsilon=1.0, rho0=6.0, r0=2.4, rcut1=10.0, rcut2=12.0))
    dimer = Atoms("Na2", positions=[[0, 0, 0], [0, 0, 2.9]])
    result = relax(potential, task(dimer, fmax=1e-3))[0]
    assert result.atoms.get_distance(0, 1) == pytest.approx(2.4, abs=1e-3)
    assert result.energy == pytest.approx(-1.0, abs=1e-4)


def test_fixed_cell_reaches_the_minimum_of_ase(emt: CalculatorPotential) -> None:
    result = relax(emt, task(alloy(), fmax=0.005))[0]
    assert result.converged
    assert result.energy == pytest.approx(minimum(alloy(), emt, full=False).get_potential_energy(), abs=1e-3)
    assert np.array_equal(result.atoms.cell.array, alloy().cell.array)


def test_full_cell_reaches_the_minimum_of_ase(emt: CalculatorPotential) -> None:
    start = alloy(strain=0.04)
    reference = minimum(start, emt, full=True)
    result = relax(emt, task(start, "full", fmax=0.005))[0]
    assert result.converged
    assert result.energy == pytest.approx(reference.get_potential_energy(), abs=1e-3)
    assert result.atoms.cell.cellpar() == pytest.approx(reference.cell.cellpar(), rel=2e-3)


def test_energy_and_fmax_are_those_of_the_returned_geometry(emt: CalculatorPotential) -> None:
    for result in relax(emt, task(alloy(strain=0.03), "full"), task(slab()), task(alloy(), max_steps=2)):
        again = emt.evaluate([result.atoms], stress=True)[0]
        assert result.energy == pytest.approx(again.energy, abs=1e-9)
        free = np.ones(len(result.atoms), dtype=bool)
        for constraint in result.atoms.constraints:
            free[constraint.index] = False
        assert result.fmax >= np.linalg.norm(again.forces[free], axis=1).max() - 1e-9


def test_frozen_atoms_never_move(emt: CalculatorPotential) -> None:
    start = slab()
    result = relax(emt, task(start))[0]
    frozen = start.constraints[0].index
    assert result.converged
    assert np.array_equal(result.atoms.positions[frozen], start.positions[frozen])
    assert not np.allclose(result.atoms.positions, start.positions, atol=1e-3)


def test_arrays_info_and_constraints_survive(emt: CalculatorPotential) -> None:
    start = slab()
    start.set_array("plane", np.arange(len(start)))
    start.info["void_sites"] = [[0.1, 0.2, 0.3]]
    atoms = relax(emt, task(start, max_steps=1))[0].atoms
    assert np.array_equal(atoms.arrays["plane"], np.arange(len(start)))
    assert atoms.info["void_sites"] == [[0.1, 0.2, 0.3]]
    assert np.array_equal(atoms.constraints[0].index, start.constraints[0].index)
    assert start.positions is not atoms.positions


def test_a_batch_equals_one_by_one_and_shrinks(emt: CalculatorPotential) -> None:
    tasks = [task(alloy(), "full"), task(alloy(1)), task(slab()), task(alloy(2), fmax=0.1)]
    together = relax(emt, *tasks)
    sizes = [size for size, stress in emt.batches if not stress]
    assert sizes[0] == 3
    assert sizes[-1] < 3
    assert {size for size, stress in emt.batches if stress} == {1}
    assert sum(result.n_force_calls for result in together) == emt.n_calls
    for one, result in zip(tasks, together, strict=True):
        alone = relax(CalculatorPotential(), one)[0]
        assert alone.energy == result.energy
        assert alone.n_force_calls == result.n_force_calls


def test_supercell_relaxes_to_the_same_energy_per_atom(emt: CalculatorPotential) -> None:
    unit = bulk("Cu", cubic=True)
    unit.set_cell(unit.cell.array * 1.03, scale_atoms=True)
    small, large = relax(emt, task(unit, "full"), task(unit.repeat(2), "full"))
    assert large.energy / 8 == pytest.approx(small.energy, abs=1e-4)


def test_zero_steps_is_a_single_point(emt: CalculatorPotential) -> None:
    result = relax(emt, task(alloy(), max_steps=0))[0]
    assert (result.n_force_calls, result.n_steps, result.converged, result.failure) == (1, 0, False, None)
    assert result.energy == emt.evaluate([alloy()])[0].energy


def test_running_out_of_steps_returns_the_lowest_energy(emt: CalculatorPotential) -> None:
    short, longer = (relax(emt, task(alloy(), fmax=1e-6, max_steps=n))[0] for n in (2, 4))
    assert not short.converged
    assert short.failure is None
    assert (short.n_steps, short.n_force_calls) == (2, 3)
    assert longer.energy < short.energy < emt.evaluate([alloy()])[0].energy


@pytest.mark.parametrize(
    ("kind", "reason"),
    [("nan", "not finite numbers"), ("hole", "the energy exploded"), ("raise", "the potential refused")],
)
def test_one_failure_leaves_the_others_alone(emt: CalculatorPotential, kind: str, reason: str) -> None:
    seen = {"n": 0}

    def spoil(atoms: Atoms) -> str | None:
        if len(atoms) == len(slab()) and "Pt" in atoms.symbols:
            seen["n"] += 1
            return kind if seen["n"] > 2 else None
        return None

    emt.spoil = spoil
    good, bad, other = relax(emt, task(alloy()), task(slab()), task(alloy(1), "full"))
    assert reason in str(bad.failure)
    assert not bad.converged
    assert np.isnan(bad.energy)
    assert good.converged
    assert good.failure is None
    assert other.converged


def test_overlapping_atoms_fail_before_the_potential_sees_them(emt: CalculatorPotential) -> None:
    start = alloy()
    start.positions[3] = start.positions[2] + [0.1, 0.2, 0.0]
    result = relax(emt, task(start))[0]
    assert "0.22 A apart" in str(result.failure)
    assert emt.n_calls == 0


def test_a_cell_that_explodes_is_a_failure() -> None:
    """Argon-sized atoms squeezed into a copper cell want 3.6 times its volume."""
    potential = CalculatorPotential(lambda: LennardJones(sigma=3.6, epsilon=0.005, rc=8.0, smooth=True))
    result = relax(potential, task(bulk("Cu", cubic=True), "full"))[0]
    assert "the cell exploded: its volume changed" in str(result.failure)


def test_a_broken_potential_is_not_the_structures_fault(emt: CalculatorPotential) -> None:
    emt.spoil = lambda atoms: "raise"
    with pytest.raises(RuntimeError, match="isolated atom"):
        relax(emt, task(alloy()), task(alloy(1)))


@pytest.mark.parametrize("moment", [1, 5, 10, 14, 18])
def test_killed_at_any_moment_it_continues_on_the_same_trajectory(
    emt: CalculatorPotential, tmp_path: Path, moment: int
) -> None:
    tasks = [task(alloy(strain=0.04), "full", fmax=1e-4), task(slab(), fmax=1e-5)]
    whole = relax(CalculatorPotential(), *tasks)
    emt.kill_after = moment
    with pytest.raises(Killed):
        relax(emt, *tasks, folder=tmp_path)
    emt.kill_after = None
    for one, resumed in zip(whole, relax(emt, *tasks, folder=tmp_path), strict=True):
        assert resumed.energy == one.energy
        assert np.array_equal(resumed.atoms.positions, one.atoms.positions)
        assert np.array_equal(resumed.atoms.cell.array, one.atoms.cell.array)
        assert resumed.n_force_calls == one.n_force_calls
    assert emt.n_calls <= sum(one.n_force_calls for one in whole) + 2 * 5


def test_a_finished_relaxation_is_returned_without_a_call(emt: CalculatorPotential, tmp_path: Path) -> None:
    first = relax(emt, task(alloy(), "full"), folder=tmp_path)[0]
    before = emt.n_calls
    again = relax(emt, task(alloy(), "full"), folder=tmp_path)[0]
    assert emt.n_calls == before
    assert (again.energy, again.n_force_calls, again.wall_s) == (first.energy, first.n_force_calls, first.wall_s)
    assert np.array_equal(again.atoms.positions, first.atoms.positions)


def test_a_foreign_checkpoint_is_ignored(emt: CalculatorPotential, tmp_path: Path) -> None:
    relax(emt, task(slab()), folder=tmp_path)
    result = relax(emt, task(alloy()), folder=tmp_path)[0]
    assert result.converged
    loaded = Checkpoint(tmp_path / "key0.npz").load()
    assert loaded is not None
    assert np.array_equal(loaded[0]["numbers"], alloy().numbers)


def test_a_slab_cannot_relax_its_cell(emt: CalculatorPotential) -> None:
    start = slab()
    start.pbc = (True, True, False)
    assert "periodic in three directions" in str(relax(emt, task(start, "full"))[0].failure)
