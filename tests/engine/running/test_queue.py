"""The queue, on copper with EMT: cheap, but every energy is a real relaxation."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.optimize import FIRE

from screening.engine.checkpoints import Checkpoint, checkpoint_path
from screening.engine.running.queue import run_flows
from screening.engine.running.store import RecordStore
from screening.engine.running.workforce import Workforce
from screening.engine.tasks import RelaxTask, Result, require
from screening.errors import CandidateFailed, UserError
from screening.potentials.ase_calculator import as_ase_calculator

POTENTIAL = "ase:ase.calculators.emt:EMT"
WHO = {"workers", "executor", "execute"}
"""Options of `run` that say who computes."""


def copper(seed: int) -> Atoms:
    atoms = bulk("Cu", cubic=True)
    atoms.rattle(0.1, seed=seed)
    return atoms


def task(seed: int, **recipe) -> RelaxTask:
    return RelaxTask(recipe={"step": "test", "seed": seed} | recipe, atoms=copper(seed), fmax=0.01)


def log_of(folder: Path) -> list[str]:
    path = folder / "computed.txt"
    return path.read_text().split() if path.exists() else []


def relax(tasks, keys, potential, folder):
    """Stands in for the engine: relax with ASE; special recipes misbehave."""
    results = []
    for each, key in zip(tasks, keys, strict=True):
        atoms = each.atoms.copy()
        trouble = each.recipe.get("trouble")
        if trouble == "raise":
            raise ZeroDivisionError("no such force")
        if trouble == "die" or (trouble == "die once" and not (folder / "died").exists()):
            (folder / "died").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(each.recipe.get("sleep", 0.0))
        Checkpoint(checkpoint_path(folder, key)).save({"positions": atoms.positions}, {})
        if trouble == "unstorable":
            atoms.arrays["what"] = np.array([object()] * len(atoms))
        atoms.calc = as_ase_calculator(potential)
        FIRE(atoms, logfile=None).run(fmax=each.fmax, steps=200)
        with (folder / "computed.txt").open("a") as file:
            file.write(f"{each.recipe['seed']}\n")
        results.append(
            Result(
                key=key,
                atoms=atoms,
                energy=float("nan") if trouble == "explode" else atoms.get_potential_energy(),
                fmax=0.0,
                converged=trouble is None,
                n_steps=1,
                n_force_calls=2,
                wall_s=0.1,
                failure="exploded" if trouble == "explode" else None,
            )
        )
    return results


def flow(*rounds):
    """Yield one list of tasks after the other and return all energies."""
    energies = []
    for tasks in rounds:
        results = yield list(tasks)
        energies += [require(result, "relaxation").energy for result in results]
    return energies


@pytest.fixture
def run(tmp_path):
    def go(flows, **options):
        store = options.pop("store", None) or RecordStore(tmp_path / "store.db")
        return run_flows(
            flows,
            store=store,
            workforce=Workforce(
                potential_name=POTENTIAL,
                device="cpu",
                checkpoint_dir=tmp_path,
                self_check=False,
                **({"execute": relax} | {name: options.pop(name) for name in list(options) if name in WHO}),
            ),
            **options,
        )

    return go


def test_flows_get_their_results_in_order_and_shared_tasks_are_computed_once(run, tmp_path):
    seen: list[Any] = []
    outcomes = run(
        {"a": flow([task(1), task(2)], [task(3)]), "b": flow([task(2), task(1), task(2)]), "empty": flow([])},
        on_progress=seen.append,
    )
    assert sorted(log_of(tmp_path)) == ["1", "2", "3"]
    a, b = outcomes["a"].value, outcomes["b"].value
    assert b == [a[1], a[0], a[1]]
    assert outcomes["empty"].value == []
    reference = copper(0)
    reference.positions = bulk("Cu", cubic=True).positions
    reference.calc = EMT()
    assert np.allclose(a, reference.get_potential_energy(), atol=1e-3)
    assert list(outcomes) == ["a", "b", "empty"]
    assert all(outcome.failure is None for outcome in outcomes.values())
    assert (seen[-1].tasks_done, seen[-1].tasks_total, seen[-1].flows_done) == (3, 3, 3)
    assert seen[-1].n_force_calls == 6
    assert seen[-1].seconds_left == 0.0
    assert not list(tmp_path.glob("*.npz")), "the checkpoint of a finished task is removed"


def test_stored_results_are_not_computed_again(run, tmp_path):
    first = run({"a": flow([task(1)], [task(2)])})
    seen: list[Any] = []
    second = run({"a": flow([task(1)], [task(2)], [task(3)])}, on_progress=seen.append)
    assert log_of(tmp_path) == ["1", "2", "3"]
    assert second["a"].value[:2] == first["a"].value
    assert seen[-1].tasks_reused == 2


def test_earlier_flows_come_first(run, tmp_path):
    run({"a": flow([task(1)], [task(2)]), "b": flow([task(3)], [task(4)])})
    assert log_of(tmp_path) == ["1", "2", "3", "4"]


def test_one_failure_stops_one_flow(run, tmp_path, caplog):
    def picky():
        yield [task(1)]
        raise CandidateFailed("no site left for Zr")

    def buggy():
        yield []
        raise KeyError("typo")

    done: list[Any] = []
    outcomes = run(
        {
            "crash": flow([task(5, trouble="raise")]),
            "crash too": flow([task(5, trouble="raise")]),
            "explodes": flow([task(6, trouble="explode")]),
            "picky": picky(),
            "buggy": buggy(),
            "unstorable": flow([task(4, trouble="unstorable")]),
            "fine": flow([task(1)]),
        },
        on_done=done.append,
    )
    assert outcomes["crash"].failure == outcomes["crash too"].failure
    assert outcomes["crash"].failure == "relaxation: ZeroDivisionError: no such force"
    assert "Traceback" in caplog.text
    assert "cannot be stored" in outcomes["unstorable"].failure
    assert outcomes["explodes"].failure == "relaxation: exploded"
    assert outcomes["picky"].failure == "no site left for Zr"
    assert "typo" in outcomes["buggy"].failure
    assert len(outcomes["fine"].value) == 1
    assert {outcome.name for outcome in done} == set(outcomes)

    # A failure of the physics is a finished result, a crash is not.
    caplog.clear()
    run({"crash": flow([task(5, trouble="raise")]), "explodes": flow([task(6, trouble="explode")])})
    assert "ZeroDivisionError" in caplog.text
    assert log_of(tmp_path).count("6") == 1
    run({"explodes": flow([task(6, trouble="explode")])}, retry_failed=True)
    assert log_of(tmp_path).count("6") == 2


def test_flows_do_not_share_atoms(run):
    def writes():
        (result,) = yield [task(1)]
        result.atoms.positions += 100.0
        return result.atoms.positions.max()

    def reads():
        (result,) = yield [task(1)]
        return result.atoms.positions.max()

    outcomes = run({"writes": writes(), "reads": reads()})
    assert outcomes["reads"].value < 50 < outcomes["writes"].value


def test_interrupt_stops_at_once_and_closes_the_flows(run, tmp_path):
    closed = []

    def patient():
        try:
            yield [task(1)]
        finally:
            closed.append(True)

    def interrupted(*args):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run({"a": patient()}, execute=interrupted)
    assert closed == [True]


def test_processes_give_the_same_energies_and_survive_a_dying_worker(run, tmp_path):
    rounds = [task(1), task(2)], [task(3)]
    alone = run({"a": flow(*rounds)}, store=RecordStore(tmp_path / "alone.db"))
    outcomes = run(
        {
            "fatal": flow([task(7, trouble="die")]),
            "recovers": flow([task(8, trouble="die once")]),
            "a": flow(*rounds),
            "raises": flow([task(9, trouble="raise")]),
        },
        workers=2,
    )
    assert outcomes["a"].value == pytest.approx(alone["a"].value, abs=1e-9)
    assert len(outcomes["recovers"].value) == 1
    assert "died twice" in outcomes["fatal"].failure
    assert "ZeroDivisionError" in outcomes["raises"].failure


def test_real_engine_is_the_default_and_its_results_resume(run, tmp_path):
    tasks = [task(1), task(2)]
    first = run({"a": flow(tasks)}, execute=None)["a"]
    assert first.failure is None
    perfect = bulk("Cu", cubic=True)
    perfect.calc = EMT()
    assert np.allclose(first.value, perfect.get_potential_energy(), atol=1e-3)
    assert not list(tmp_path.glob("*.npz"))
    second = run({"a": flow(tasks)}, execute=lambda *args: pytest.fail("stored results were computed again"))["a"]
    assert second.value == first.value


def test_unknown_potential_is_refused_before_anything_runs(tmp_path):
    store = RecordStore(tmp_path / "store.db")
    with pytest.raises(UserError, match="nearest valid name is 'chgnet'"):
        run_flows({}, store=store, workforce=Workforce(potential_name="chgnett", checkpoint_dir=tmp_path))


SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, {here!r})
from test_queue import POTENTIAL, flow, relax, task
from screening.engine.running.queue import run_flows
from screening.engine.running.store import RecordStore
from screening.engine.running.workforce import Workforce

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    flows = {{f"f{{i}}": flow([task(10 * i, sleep=0.15)], [task(10 * i + 1, sleep=0.15)]) for i in range(1, 5)}}
    workforce = Workforce(potential_name=POTENTIAL, device="cpu", workers=int(sys.argv[2]), checkpoint_dir=folder,
                          self_check=False, execute=relax)
    outcomes = run_flows(flows, store=RecordStore(folder / "store.db"), workforce=workforce)
    print([outcome.value for outcome in outcomes.values()])
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_killed_run_continues_without_computing_anything_twice(tmp_path, workers):
    script = tmp_path / "campaign.py"
    script.write_text(SCRIPT.format(here=str(Path(__file__).parent)))
    command = [sys.executable, str(script), str(tmp_path), str(workers)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and len(log_of(tmp_path)) < 3:
            time.sleep(0.01)
        process.kill()
    time.sleep(1.0)  # orphaned workers, if there were any, would go on here
    store = RecordStore(tmp_path / "store.db")
    stored = {str(store.recipe(summary.key)["seed"]) for summary in store.results()}
    before = log_of(tmp_path)
    assert 1 <= len(stored) < 8
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    after = log_of(tmp_path)[len(before) :]
    assert not stored & set(after), "a stored result was computed again"
    assert stored | set(after) == {str(10 * i + j) for i in range(1, 5) for j in (0, 1)}
    assert len(after) == len(set(after))
    assert "None" not in finished.stdout
