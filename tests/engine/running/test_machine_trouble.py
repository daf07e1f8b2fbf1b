"""A full disk is no property of a candidate: the run stops, nothing counts as failed, and the same call goes on."""

import errno
import os
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from calculator_potential import CalculatorPotential

from screening.engine.batch import evaluate_all
from screening.engine.checkpoints import Checkpoint, checkpoint_path
from screening.engine.running.queue import run_flows
from screening.engine.running.run import run_tasks
from screening.engine.running.store import RecordStore
from screening.engine.running.workforce import Workforce
from screening.engine.tasks import RelaxTask, failed_result, require
from screening.process.trouble import StoreUnusable, stops_the_run

POTENTIAL = "ase:ase.calculators.emt:EMT"


def copper(seed: int = 0) -> Atoms:
    atoms = bulk("Cu", cubic=True)
    atoms.rattle(0.1, seed=seed)
    return atoms


def task(seed: int) -> RelaxTask:
    return RelaxTask(recipe={"step": "test", "seed": seed}, atoms=copper(seed), fmax=0.05)


def flow(*seeds: int):
    results = yield [task(seed) for seed in seeds]
    return [require(result, "relaxation").energy for result in results]


def full_for_seed_2(tasks, keys, potential, folder):
    """The disk is full while the file `full` exists, which only the second task meets."""
    for each, key in zip(tasks, keys, strict=True):
        if each.recipe["seed"] == 2 and (folder / "full").exists():
            path = checkpoint_path(folder, key)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    return run_tasks(tasks, keys, potential, folder)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_full_disk_stops_the_run_and_the_same_call_goes_on(tmp_path: Path, workers: int) -> None:
    def run() -> dict:
        return run_flows(
            {"a": flow(1), "b": flow(2), "c": flow(3)},
            store=RecordStore(tmp_path / "store.db"),
            workforce=Workforce(
                potential_name=POTENTIAL,
                device="cpu",
                workers=workers,
                checkpoint_dir=tmp_path,
                self_check=False,
                execute=full_for_seed_2,
            ),
        )

    (tmp_path / "full").touch()
    with pytest.raises(OSError, match="No space left") as caught:
        run()
    assert caught.value.errno == errno.ENOSPC
    assert str(caught.value.filename).endswith(".npz"), "the path is lost on the way from the worker"
    assert all(r.failure is None for r in RecordStore(tmp_path / "store.db").results())

    (tmp_path / "full").unlink()
    outcomes = run()
    assert [outcome.failure for outcome in outcomes.values()] == [None, None, None]
    assert len({round(outcome.value[0], 2) for outcome in outcomes.values()}) == 1


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
def test_a_checkpoint_that_cannot_be_written_names_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    old = Checkpoint(tmp_path / "key.npz")
    old.save({"x": np.ones(3)}, {"n": 1})

    def fail(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match=os.strerror(number)) as caught:
        old.save({"x": np.zeros(3)}, {"n": 2})
    assert (caught.value.errno, caught.value.filename) == (number, str(tmp_path / "key.npz"))
    stored = old.load()
    assert stored is not None
    assert stored[1] == {"n": 1}, "the old checkpoint is still whole"
    assert [path.name for path in tmp_path.iterdir()] == ["key.npz"]


def test_the_engine_lets_it_through_from_a_real_relaxation(
    tmp_path: Path, emt: CalculatorPotential, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
    with pytest.raises(OSError, match="full"):
        run_tasks([task(1)], ["key"], emt, tmp_path)


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "scratch is full"), MemoryError("no memory")])
def test_a_structure_is_not_blamed_for_the_machine(emt: CalculatorPotential, error: Exception) -> None:
    def fail(atoms: Atoms) -> str | None:
        raise error

    emt.spoil = fail
    with pytest.raises(type(error)):
        evaluate_all([copper()], emt, stress=False)


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("database or disk is full", r"disk is full\): free some space"),
        ("disk I/O error", r"disk I/O error\): the disk or the network drive does not work; check it"),
    ],
)
def test_a_store_without_room_stops_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, message: str, said: str
) -> None:
    store = RecordStore(tmp_path / "store.db")

    def fail(*args: object, **options: object) -> int:
        raise sqlite3.OperationalError(message)

    monkeypatch.setattr(store._db, "write", fail)
    with pytest.raises(StoreUnusable, match=said) as caught:
        store.put(failed_result("key", copper(), "exploded"), {})
    assert stops_the_run(caught.value)


@pytest.mark.parametrize(
    ("error", "stops"),
    [
        (PermissionError(errno.EACCES, "denied"), True),
        (OSError(errno.ENOLCK, "no locks"), True),
        (FileNotFoundError(errno.ENOENT, "a program's output"), False),
        (OSError("7 requested and 0 written"), False),
        (ZeroDivisionError("no such force"), False),
    ],
)
def test_what_stops_a_run(error: Exception, stops: bool) -> None:
    assert stops_the_run(error) is stops
