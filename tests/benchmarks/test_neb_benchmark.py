"""The NEB benchmark on a toy potential: what is counted, what a row says, and that it resumes."""

from __future__ import annotations

import json
from pathlib import Path

import hop_cases
import neb
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.optimize import FIRE, LBFGS

from screening.potentials.ase_calculator import AsePotential


@pytest.fixture
def potential() -> AsePotential:
    return AsePotential(EMT(), name="toy", checkpoint_sha256="0" * 64)


@pytest.fixture
def jump() -> hop_cases.HopCase:
    """A Cu atom jumps into a vacancy; the end points are not relaxed."""
    perfect: Atoms = bulk("Cu", cubic=True).repeat(2)
    first, last = perfect.copy(), perfect.copy()
    last.positions[1] = perfect.positions[0]
    del first[0], last[0]
    return hop_cases.HopCase(name="jump", initial=first, final=last)


def test_all_sides_find_the_same_barrier_and_ours_in_fewer_calls(
    potential: AsePotential, jump: hop_cases.HopCase
) -> None:
    ours, result = neb.run_ours(jump, potential, 3)
    runs = {
        "ours": ours,
        "lbfgs": neb.run_ase(LBFGS, jump, potential, 3),
        "fire": neb.run_ase(FIRE, jump, potential, 3),
    }
    row = neb.row_of("jump", len(jump.initial), runs)
    assert row["converged"]
    assert row["converged_ase"]
    assert row["difference_meV"] < 5
    assert row["force_calls"] < row["force_calls_ase"] == min(row["force_calls_lbfgs"], row["force_calls_fire"])
    assert row["fmax"] <= neb.FMAX
    n_moving, modes = neb.lowest_modes([result.images[0], result.images[-1]], result.atoms, potential)
    assert n_moving >= 1
    assert modes[0] < 0 < modes[1]


def test_every_evaluation_counts(potential: AsePotential, jump: hop_cases.HopCase) -> None:
    calls = 0
    evaluate = potential.evaluate

    def counted(structures: list[Atoms], *, stress: bool = False) -> list:
        nonlocal calls
        calls += len(structures)
        return evaluate(structures, stress=stress)

    potential.evaluate = counted  # type: ignore[method-assign,assignment]
    assert neb.run_ours(jump, potential, 3)[0]["calls"] == calls
    calls = 0
    assert neb.run_ase(FIRE, jump, potential, 3)["calls"] == calls


def test_a_baseline_that_does_not_converge_loses_to_one_that_does() -> None:
    ours = {"calls": 10, "band_calls": 5, "wall_s": 1.0, "barrier_eV": 0.5, "fmax": 0.01, "converged": True}
    runs = {
        "ours": ours,
        "lbfgs": {**ours, "calls": 50, "converged": False, "barrier_eV": 0.9},
        "fire": {**ours, "calls": 80, "barrier_eV": 0.501},
    }
    row = neb.row_of("toy", 10, runs)
    assert (row["force_calls_ase"], row["barrier_ase_eV"]) == (80, 0.501)
    assert neb.medians([row])["call_ratio"] == 8.0
    assert neb.medians([row])["wall_ratio_matcalc"] is None


def test_a_run_on_two_files_goes_on_after_what_it_has(
    potential: AsePotential, jump: hop_cases.HopCase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neb, "load_potential", lambda name, device: potential)
    files = [tmp_path / "first.extxyz", tmp_path / "last.extxyz"]
    jump.initial.write(files[0])
    jump.final.write(files[1])
    out = tmp_path / "out.json"
    arguments = ["--json", str(out), "--potential", "toy", "--images", "1", "--no-matcalc", "--case", *map(str, files)]
    neb.main(arguments)
    first = json.loads(out.read_text())
    (case,) = first["runs"]
    first["runs"][case]["fire"]["wall_s"] = 123.0
    del first["runs"][case]["lbfgs"]
    out.write_text(json.dumps(first))
    neb.main(arguments)
    second = json.loads(out.read_text())
    assert second["runs"][case]["fire"]["wall_s"] == 123.0
    assert second["rows"][0]["force_calls_lbfgs"] is not None
    assert second["call_ratio"] == second["rows"][0]["force_calls_ase"] / second["rows"][0]["force_calls"]


def test_the_list_has_what_was_asked_for() -> None:
    names = [label for label, _, _ in hop_cases._PICKS]
    assert len(set(names)) == len(names) >= 12
    for part in ("LiTaO3", "Li3NbO4", "LiCoO2", "near Mg", "far from Zr", "second neighbour", "cell boundary"):
        assert any(part in name for name in names)
