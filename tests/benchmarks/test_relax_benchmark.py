"""The relaxation benchmark on a toy potential: what is counted, what a row says, and that it resumes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import peers
import pytest
import relax
import relax_cases
import relax_sides
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.filters import FrechetCellFilter
from ase.optimize import LBFGS

from screening.potentials.ase_calculator import AsePotential


@pytest.fixture
def potential() -> AsePotential:
    return AsePotential(EMT(), name="toy", checkpoint_sha256="0" * 64)


@pytest.fixture
def alloy() -> Atoms:
    atoms = bulk("Cu", cubic=True).repeat((2, 1, 1))
    atoms.symbols[[1, 6]] = "Au"
    atoms.rattle(0.08, seed=0)
    return atoms


def test_ase_pays_one_evaluation_per_geometry_of_a_full_cell(potential: AsePotential, alloy: Atoms) -> None:
    calculator = peers.CountingCalculator(potential, stress=True)
    alloy.calc = calculator
    moved: Any = FrechetCellFilter(alloy)  # ASE's optimisers take filters as well
    optimizer = LBFGS(moved, logfile=None)
    optimizer.run(fmax=0.0, steps=5)
    assert calculator.n_calls == optimizer.nsteps + 1


def test_what_ase_was_given_is_what_the_potential_said(potential: AsePotential, alloy: Atoms) -> None:
    calculator = peers.CountingCalculator(potential, stress=True)
    alloy.calc = calculator
    alloy.get_forces()
    (own,) = potential.evaluate([alloy], stress=True)
    assert own.stress is not None
    found = calculator.evaluation()
    assert found.energy == own.energy
    assert np.array_equal(found.forces, own.forces)
    assert found.stress == pytest.approx(own.stress)


@pytest.mark.parametrize("cell", ["fixed", "full"])
def test_all_sides_stop_at_the_same_minimum_by_the_same_criterion(
    potential: AsePotential, alloy: Atoms, cell: relax_cases.Cell
) -> None:
    runs: dict[str, Any] = {
        side: relax_sides.measure(side, alloy, cell, potential) for side in ("descent", "lbfgs", "fire")
    }
    for run in runs.values():
        assert run["converged"]
        assert run["fmax"] <= relax_sides.FMAX
    row = relax.row_of("toy", {"n_atoms": len(alloy), **runs})
    assert row["energy_difference_meV_atom"] == pytest.approx(0.0, abs=1.0)
    assert row["call_ratio"] == row["force_calls_ase"] / row["force_calls"]
    assert row["force_calls_ase"] == min(row["force_calls_lbfgs"], row["force_calls_fire"])


def test_a_baseline_that_does_not_converge_loses_to_one_that_does(potential: AsePotential, alloy: Atoms) -> None:
    short = relax_sides.relax_ase(LBFGS, alloy, "fixed", potential, max_steps=2)
    assert (short["calls"], short["converged"]) == (3, False)
    other = relax_sides.measure("fire", alloy, "fixed", potential)
    ours = relax_sides.measure("descent", alloy, "fixed", potential)
    row = relax.row_of("toy", {"n_atoms": len(alloy), "descent": ours, "lbfgs": short, "fire": other})
    assert row["force_calls_ase"] == other["calls"]
    assert row["converged_lbfgs"] is False


def test_a_run_that_was_stopped_goes_on_and_again_computes_only_our_side(
    potential: AsePotential, alloy: Atoms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relax, "load_potential", lambda name, device: potential)
    structure, out = tmp_path / "alloy.extxyz", tmp_path / "out.json"
    alloy.write(structure)
    arguments = ["--json", str(out), "--potential", "toy", "--case", str(structure), "--cell", "full"]
    relax.main(arguments)
    first = json.loads(out.read_text())
    del first["runs"]["cold"]["alloy"]["fire"]
    first["runs"]["cold"]["alloy"]["lbfgs"]["wall_s"] = 123.0
    out.write_text(json.dumps(first))
    relax.main([*arguments, "--again"])
    second = json.loads(out.read_text())
    (row,) = second["rows"]
    assert row["wall_s_lbfgs"] == 123.0
    assert row["force_calls_fire"] is not None
    assert second["call_ratio_lbfgs"] == row["force_calls_lbfgs"] / row["force_calls"]
    assert second["machine"]["potential"] == "toy"


def test_a_search_counts_all_its_calls_and_relaxes_the_lowest_on(potential: AsePotential, alloy: Atoms) -> None:
    """Copper and gold with a vacancy: the given start and displaced ones."""
    del alloy[3]
    run = relax_sides.measure("search", alloy, "fixed", potential)
    again = relax_sides.measure("search", alloy, "fixed", potential, seed=1)
    assert len(run["energies_eV"]) == 1 + relax_sides.STARTS
    assert run["converged"]
    assert run["fmax"] <= relax_sides.FMAX
    assert run["energy_eV"] <= min(run["energies_eV"])
    assert run["calls"] > relax_sides.measure("descent", alloy, "fixed", potential)["calls"]
    assert again["energies_eV"][0] == pytest.approx(run["energies_eV"][0])
    assert again["calls"] != run["calls"]


def test_a_row_takes_the_search_as_ours_and_keeps_the_descent_beside_it() -> None:
    def run(calls: int, energy: float) -> dict[str, Any]:
        times = {"wall_s": 2.0, "potential_s": 1.9, "cpu_s": 2.0}
        return {"calls": calls, "energy_eV": energy, "converged": True, "fmax": 0.04, **times}

    runs = {"descent": run(10, -1.0), "search": run(25, -1.3), "lbfgs": run(50, -1.2), "lbfgs_displaced": run(60, -1.1)}
    row = relax.row_of("slab", {"n_atoms": 10, **runs})
    assert (row["call_ratio_lbfgs"], row["call_ratio_lbfgs_descent"]) == (2.0, 5.0)
    assert row["energy_difference_meV_atom"] == pytest.approx(-10.0)
    assert row["energy_difference_descent_meV_atom"] == pytest.approx(20.0)
    assert row["energy_difference_lbfgs_displaced_meV_atom"] == pytest.approx(10.0)


def test_bulk_cells_are_not_searched() -> None:
    assert relax.sides_of(("descent", "search", "lbfgs"), searched=False) == ["descent", "lbfgs"]


def test_a_search_of_a_full_cell_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        relax.main(["--json", str(tmp_path / "out"), "--case", "any", "--cell", "full", "--search"])
    assert "fixed cell" in capsys.readouterr().err


def test_cases_are_doped_and_distinct() -> None:
    assert len({case.name for case in relax_cases.CASES}) == len(relax_cases.CASES) >= 10
    assert {case.kind for case in relax_cases.CASES} == {"interface", "slab", "bulk"}
    assert not any(case.candidate.is_pristine for case in relax_cases.CASES)


def test_a_warm_bulk_start_is_the_cold_one_in_the_cell_of_its_parent(potential: AsePotential) -> None:
    case = next(case for case in relax_cases.CASES if case.cell == "full")
    builder = relax_cases.Builder(potential)

    def swollen(atoms: Atoms, cell: relax_cases.Cell) -> Atoms:
        relaxed = atoms.copy()
        relaxed.set_cell(1.02 * atoms.cell.array, scale_atoms=True)
        return relaxed

    cold, warm = builder.cold(case), builder.warm(case, swollen)
    assert np.array_equal(warm.numbers, cold.numbers)
    assert warm.cell.array == pytest.approx(1.02 * cold.cell.array)
    known = cold.arrays["parent_index"] > 0
    assert warm.positions[known] == pytest.approx(1.02 * cold.positions[known])


def test_table_is_markdown_and_leaves_gaps_empty() -> None:
    rows: list[dict[str, Any]] = [{"a": "x", "b": 1.234}, {"a": "y", "b": None}]
    text = peers.table(rows, {"a": "name", "b": "value"}, {"b": ".1f"})
    assert text.splitlines() == ["| name | value |", "|---|---|", "| x | 1.2 |", "| y |  |"]
