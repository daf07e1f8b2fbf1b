"""Batched climbing-image NEB against ASE, its refusals, and its restarts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import add_adsorbate, bulk, fcc100
from ase.calculators.emt import EMT
from ase.constraints import FixAtoms
from ase.mep import NEB
from ase.optimize import BFGS
from calculator_potential import CalculatorPotential, Killed

from screening.engine.drive import drive
from screening.engine.paths.neb import Band
from screening.engine.relax import relax_batch
from screening.engine.tasks import NebTask, RelaxTask, Result


def band(initial: Atoms, final: Atoms, *, n_images: int = 5, fmax: float = 0.02, max_steps: int = 60) -> NebTask:
    """Relax both end points and span a band between them."""
    ends = relax_batch(
        [RelaxTask(recipe={}, atoms=atoms, fmax=0.01) for atoms in (initial, final)],
        CalculatorPotential(),
        keys=["initial", "final"],
    )
    return NebTask(
        recipe={},
        initial=ends[0].atoms,
        final=ends[1].atoms,
        initial_energy=ends[0].energy,
        final_energy=ends[1].energy,
        n_images=n_images,
        fmax=fmax,
        max_steps=max_steps,
    )


def adatom_hop(metal: str = "Al", start: int = 0) -> NebTask:
    """An adatom hops between neighbouring hollows of the (100) surface; with start=2 it crosses the cell boundary."""
    first = fcc100(metal, (3, 3, 2), vacuum=6.0, periodic=True)
    add_adsorbate(first, metal, 1.7, "hollow")
    first.set_constraint(FixAtoms(mask=first.get_tags() > 1))
    step = first.cell.array[0] / 3
    last = first.copy()
    first.positions[-1] += start * step
    last.positions[-1] += (start + 1) * step
    first.wrap()
    last.wrap()
    return band(first, last)


def vacancy_hop() -> NebTask:
    """A Cu atom jumps into a neighbouring vacancy: no frozen atoms."""
    perfect = bulk("Cu", cubic=True).repeat(2)
    first = perfect.copy()
    last = perfect.copy()
    last.positions[1] = perfect.positions[0]
    del first[0], last[0]
    return band(first, last, n_images=3)


def run(potential: CalculatorPotential, *tasks: NebTask, folder: Path | None = None) -> list[Result]:
    keys = [f"band{index}" for index in range(len(tasks))]
    files = None if folder is None else [folder / f"{key}.npz" for key in keys]
    return drive(tasks, keys, potential, Band.start, checkpoints=files)


@pytest.fixture(scope="module")
def hop() -> NebTask:
    return adatom_hop()


@pytest.fixture(scope="module")
def jump() -> NebTask:
    return vacancy_hop()


def barrier_of_ase(task: NebTask) -> float:
    images = [task.initial.copy() for _ in range(task.n_images + 1)] + [task.final.copy()]
    for image in images:
        image.calc = EMT()
    neb: Any = NEB(images, k=task.spring, climb=True, method="improvedtangent")
    neb.interpolate("idpp", mic=True)
    assert BFGS(neb, logfile=None).run(fmax=0.01, steps=200)
    return max(image.get_potential_energy() for image in images) - task.initial_energy


@pytest.mark.parametrize("name", ["hop", "jump"])
def test_barrier_equals_ase(emt: CalculatorPotential, request: pytest.FixtureRequest, name: str) -> None:
    task = request.getfixturevalue(name)
    result = run(emt, task)[0]
    assert result.converged
    assert result.fmax <= task.fmax
    assert result.barriers[0] == pytest.approx(barrier_of_ase(task), abs=2e-3)
    assert result.barriers[0] == pytest.approx(result.barriers[1], abs=2e-3)  # equivalent sites
    assert result.n_force_calls == emt.n_calls == sum(size for size, _ in emt.batches)
    assert result.n_steps == len(emt.batches) - 1


def test_result_records_the_path(emt: CalculatorPotential, hop: NebTask) -> None:
    result = run(emt, hop)[0]
    assert len(result.images) == len(result.image_energies) == hop.n_images + 2
    assert result.energy == max(result.image_energies)
    top = int(np.argmax(result.image_energies))
    assert np.array_equal(result.atoms.positions, result.images[top].positions)
    assert emt.evaluate([result.atoms])[0].energy == pytest.approx(result.energy, abs=1e-9)
    assert result.atoms.info["flags"] == []
    assert (result.image_energies[0], result.image_energies[-1]) == (hop.initial_energy, hop.final_energy)


def test_saddle_has_no_force_left(emt: CalculatorPotential, hop: NebTask) -> None:
    """At a climbed image the true force vanishes along the path too."""
    result = run(emt, hop)[0]
    forces = emt.evaluate([result.atoms])[0].forces
    forces[hop.initial.constraints[0].index] = 0.0
    assert np.linalg.norm(forces, axis=1).max() <= hop.fmax + 1e-6


@pytest.mark.parametrize("name", ["hop", "jump"])
def test_the_saddle_has_exactly_one_way_down(request: pytest.FixtureRequest, name: str) -> None:
    """Finite differences of the forces: one negative eigenvalue of the Hessian of the atoms that take part."""
    task = request.getfixturevalue(name)
    potential = CalculatorPotential()
    saddle = run(potential, replace(task, fmax=2e-3))[0].atoms
    moved = np.linalg.norm(saddle.positions - task.initial.positions, axis=1)
    moving = np.flatnonzero(moved > 0.02)
    rows = []
    for atom in moving:
        for axis in range(3):
            pair = []
            for sign in (1, -1):
                shifted = saddle.copy()
                shifted.positions[atom, axis] += sign * 0.01
                pair.append(potential.evaluate([shifted])[0].forces[moving].ravel())
            rows.append((pair[1] - pair[0]) / 0.02)
    hessian = np.array(rows)
    assert (np.linalg.eigvalsh((hessian + hessian.T) / 2) < -0.05).sum() == 1


def test_the_first_climb_takes_few_calls(emt: CalculatorPotential, hop: NebTask) -> None:
    """A band of five images took 30 calls for this hop when all of them moved in every step."""
    assert run(emt, hop)[0].n_force_calls <= 15


@pytest.mark.parametrize("n_images", [1, 2, 3, 6, 7])
def test_any_number_of_images_gives_the_same_barrier(emt: CalculatorPotential, hop: NebTask, n_images: int) -> None:
    result = run(emt, replace(hop, n_images=n_images))[0]
    assert result.converged
    assert len(result.images) == n_images + 2
    assert result.barriers[0] == pytest.approx(run(emt, hop)[0].barriers[0], abs=1e-3)


def test_frozen_atoms_never_move(emt: CalculatorPotential, hop: NebTask) -> None:
    frozen = hop.initial.constraints[0].index
    for image in run(emt, hop)[0].images:
        assert np.allclose(image.positions[frozen], hop.initial.positions[frozen], atol=1e-12)


def test_a_hop_across_the_cell_boundary_is_the_same_hop(emt: CalculatorPotential, hop: NebTask) -> None:
    crossing = adatom_hop(start=2)
    assert np.ptp([crossing.initial.positions[-1, 0], crossing.final.positions[-1, 0]]) > 4.0
    inside, across = run(emt, hop, crossing)
    assert across.barriers[0] == pytest.approx(inside.barriers[0], abs=1e-3)


def test_a_batch_equals_one_by_one(emt: CalculatorPotential, hop: NebTask, jump: NebTask) -> None:
    together = run(emt, hop, jump)
    assert emt.batches[0] == (3 + 3, False)  # the quarters of both first guesses
    for task, result in zip((hop, jump), together, strict=True):
        alone = run(CalculatorPotential(), task)[0]
        assert alone.image_energies == result.image_energies
        assert alone.n_force_calls == result.n_force_calls


def test_translation_between_the_end_points_does_not_matter(emt: CalculatorPotential, jump: NebTask) -> None:
    final = jump.final.copy()
    final.positions += [0.7, -0.4, 2.1]
    final.wrap()
    moved = run(emt, replace(jump, final=final))[0]
    assert moved.barriers[0] == pytest.approx(run(emt, jump)[0].barriers[0], abs=1e-3)


def test_running_out_of_steps_returns_the_best_band(emt: CalculatorPotential, hop: NebTask) -> None:
    result = run(emt, replace(hop, fmax=1e-6, max_steps=2))[0]
    assert (result.converged, result.failure) == (False, None)
    assert np.isfinite(result.image_energies).all()
    assert len(result.images) == hop.n_images + 2
    # a look at the quarters, two steps of a climb that gets nowhere, then the whole band and two steps of it
    assert [size for size, _ in emt.batches] == [3, 1, 1, hop.n_images, hop.n_images, hop.n_images]


def test_without_climbing_the_barrier_is_not_above_the_saddle(emt: CalculatorPotential, hop: NebTask) -> None:
    even = replace(hop, n_images=4)  # no image at the symmetric saddle
    plain, climbed = run(emt, replace(even, climb=False), even)
    assert plain.converged
    assert plain.barriers[0] < climbed.barriers[0] - 1e-3


def test_a_path_through_another_minimum_is_flagged(emt: CalculatorPotential) -> None:
    """Two hops in one band: the middle of the path is the hollow between them."""
    first = fcc100("Al", (5, 2, 2), vacuum=6.0, periodic=True)
    add_adsorbate(first, "Al", 1.7, "hollow")
    first.set_constraint(FixAtoms(mask=first.get_tags() > 1))
    last = first.copy()
    last.positions[-1] += 2 * first.cell.array[0] / 5
    result = run(emt, band(first, last, fmax=0.1))[0]
    assert result.atoms.info["flags"] == ["intermediate_minimum"]


@pytest.mark.parametrize("moment", [1, 4, 6, 8, 9])
def test_killed_at_any_moment_it_continues_on_the_same_trajectory(
    emt: CalculatorPotential, tmp_path: Path, hop: NebTask, jump: NebTask, moment: int
) -> None:
    tasks = [replace(hop, fmax=2e-3), replace(jump, fmax=2e-3)]
    whole = run(CalculatorPotential(), *tasks)
    emt.kill_after = moment
    with pytest.raises(Killed):
        run(emt, *tasks, folder=tmp_path)
    emt.kill_after = None
    for one, resumed in zip(whole, run(emt, *tasks, folder=tmp_path), strict=True):
        assert resumed.image_energies == one.image_energies
        assert resumed.n_force_calls == one.n_force_calls
    extra = emt.n_calls - sum(one.n_force_calls for one in whole)
    assert extra <= 10 * len(tasks)
    before = emt.n_calls
    assert run(emt, *tasks, folder=tmp_path)[0].image_energies == whole[0].image_energies
    assert emt.n_calls == before


def refused(task: NebTask) -> str:
    potential = CalculatorPotential()
    result = run(potential, task)[0]
    assert potential.n_calls == 0
    assert not result.converged
    return str(result.failure)


def test_identical_end_points_are_refused(jump: NebTask) -> None:
    shifted_copy = jump.initial.copy()
    shifted_copy.positions += [0.5, 0.0, 0.0]
    assert "the same structure" in refused(replace(jump, final=shifted_copy))


def test_wrong_order_is_refused(jump: NebTask) -> None:
    order = np.arange(len(jump.final))
    order[[3, 9]] = order[[9, 3]]
    assert "another order" in refused(replace(jump, final=jump.initial[order]))
    reverse = jump.final[np.arange(len(jump.final))[::-1]]
    assert "different order" in refused(replace(jump, final=reverse))
    other = jump.final.copy()
    other.symbols[0] = "Au"
    assert "same elements in the same order" in refused(replace(jump, final=other))


def test_different_cells_are_refused(jump: NebTask) -> None:
    other = jump.final.copy()
    other.set_cell(other.cell.array * 1.01, scale_atoms=True)
    assert "different cells" in refused(replace(jump, final=other))


def test_one_failed_image_fails_its_band_only(emt: CalculatorPotential, hop: NebTask, jump: NebTask) -> None:
    emt.spoil = lambda atoms: "nan" if len(atoms) == len(jump.initial) else None
    good, bad = run(emt, hop, jump)
    assert good.converged
    assert bad.failure == "image 1: some forces are not finite numbers"
    assert bad.images == []


def test_a_checkpoint_of_another_method_is_not_replayed(
    emt: CalculatorPotential, tmp_path: Path, hop: NebTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(emt, hop, folder=tmp_path)[0]
    monkeypatch.setattr("screening.engine.paths.neb.METHOD", 0)
    before = emt.n_calls
    assert run(emt, hop, folder=tmp_path)[0].image_energies == whole.image_energies
    assert emt.n_calls == before + whole.n_force_calls
