import sqlite3
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.constraints import FixAtoms

from screening.engine.running.records import Record
from screening.engine.running.runlock import run_lock
from screening.engine.running.store import RecordStore
from screening.engine.tasks import Result
from screening.errors import UserError

RECIPE = {"candidate": "Mg_Li-vLi-1of12", "step": "bulk/relax", "parents": ["abc"]}


def decorated() -> Atoms:
    atoms = bulk("NaCl", "rocksalt", a=5.64).repeat((2, 1, 1))
    atoms.rattle(0.1, seed=3)
    atoms.cell[0, 1] = 0.1 / 3
    atoms.set_pbc([True, True, False])
    atoms.set_constraint(FixAtoms([0, 2]))
    atoms.arrays["oxidation_state"] = np.array([1, -1, 1, -1])
    atoms.arrays["plane"] = np.array([0, 1, 0, 1], dtype=np.int32)
    atoms.info = {"vacant_li_sites": [[0.1, 1 / 3, 2 / 7]], "strain": np.array([0.1, 1 / 3]), "note": None, "n": 3}
    return atoms


def make_result(key: str = "123e45", **changes) -> Result:
    fields: dict[str, Any] = {
        "key": key,
        "atoms": decorated(),
        "energy": -1 / 3,
        "fmax": 0.04999,
        "converged": True,
        "n_steps": 12,
        "n_force_calls": 14,
        "wall_s": 0.7,
    }
    return Result(**(fields | changes))


def assert_same_atoms(a: Atoms, b: Atoms) -> None:
    assert set(a.arrays) == set(b.arrays)
    for name, array in a.arrays.items():
        assert np.array_equal(array, b.arrays[name], equal_nan=array.dtype.kind == "f")
        assert array.dtype == b.arrays[name].dtype
    assert np.array_equal(a.cell[:], b.cell[:])
    assert np.array_equal(a.pbc, b.pbc)
    assert a.info.keys() == b.info.keys()
    for name, value in a.info.items():
        assert np.array_equal(value, b.info[name])
    assert [c.todict() for c in a.constraints] == [c.todict() for c in b.constraints]


def test_result_comes_back_bit_for_bit_after_reopening(tmp_path):
    path = tmp_path / "run" / "store.db"
    images = [decorated(), decorated()]
    images[1].positions += 1 / 3
    # The key is hexadecimal and reads as a number, which ase.db alone would refuse.
    result = make_result(images=images, image_energies=[1 / 3, 2 / 3])
    RecordStore(path).put(result, RECIPE)
    store = RecordStore(path)
    back = store.get(result.key)
    assert back is not None
    assert_same_atoms(back.atoms, result.atoms)
    for image, original in zip(back.images, images, strict=True):
        assert_same_atoms(image, original)
    for name in ("energy", "fmax", "converged", "n_steps", "n_force_calls", "wall_s", "failure", "image_energies"):
        assert getattr(back, name) == getattr(result, name)
    assert store.recipe(result.key) == RECIPE
    assert store.get("unknown") is None
    assert store.recipe("unknown") is None


def test_failed_result_with_nans_is_a_finished_result(tmp_path):
    store = RecordStore(tmp_path / "store.db")
    result = make_result(energy=float("nan"), converged=False, failure="NaN forces")
    result.atoms.positions[0] = np.nan
    store.put(result, RECIPE)
    back = store.get(result.key)
    assert back is not None
    assert back.failure == "NaN forces"
    assert np.isnan(back.energy)
    assert_same_atoms(back.atoms, result.atoms)


def test_info_that_cannot_be_stored_does_not_cost_the_result(tmp_path):
    store = RecordStore(tmp_path / "store.db")
    result = make_result()
    result.atoms.info["spacegroup"] = object()
    store.put(result, RECIPE)
    assert store.get(result.key).atoms.info.keys() == decorated().info.keys()


def test_putting_again_replaces(tmp_path):
    store = RecordStore(tmp_path / "store.db")
    store.put(make_result(energy=1.0), RECIPE)
    store.put(make_result(energy=2.0), RECIPE)
    store.put(make_result(key="other"), RECIPE)
    assert store.get("123e45").energy == 2.0
    summaries = RecordStore(tmp_path / "store.db").results()
    assert [(s.key, s.energy, s.step, s.candidate) for s in summaries] == [
        ("123e45", 2.0, "bulk/relax", RECIPE["candidate"]),
        ("other", -1 / 3, "bulk/relax", RECIPE["candidate"]),
    ]
    assert summaries[0].formula == "Na2Cl2"


def record(**changes) -> Record:
    fields: dict[str, Any] = {
        "candidate": "LiNbO3",
        "property": "migration_barrier",
        "value": 1 / 3,
        "unit": "eV",
        "fidelity": "mlip:chgnet",
        "converged": True,
        "potential": "chgnet",
        "checkpoint_sha256": "0" * 64,
        "interval": (0.1, 0.5),
        "flags": ("thin_slab",),
        "details": {"hops": [{"forward": 0.3}]},
    }
    return Record(**(fields | changes))


def test_newest_record_of_a_recipe_wins_and_fidelities_stay_apart(tmp_path):
    path = tmp_path / "store.db"
    store = RecordStore(path)
    store.put_record(record())
    store.put_record(record(fidelity="mlip:sevennet-0", value=None, interval=None))
    store.put_record(record(recipe_hash="b"))
    newest = record(value=0.4)
    store.put_record(newest)
    records = RecordStore(path).records()
    assert len(records) == 3
    assert records[0] == newest
    assert records[1].value is None
    RecordStore(path).put_record(record(value=0.5))
    assert [r.value for r in RecordStore(path).records()] == [0.5, None, 1 / 3]


@pytest.mark.parametrize("damage", ["noise", "truncated", "foreign", "flipped"])
def test_damaged_store_is_refused_and_left_alone(tmp_path, damage):
    path = tmp_path / "store.db"
    store = RecordStore(path)
    for index in range(30):
        store.put(make_result(key=f"k{index}"), RECIPE)
    if damage == "noise":
        path.write_text("this is not a database, it is a text file\n" * 100)
    elif damage == "truncated":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif damage == "foreign":
        path.unlink()
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE music (title TEXT)")
    else:
        with sqlite3.connect(path) as connection:
            connection.execute("UPDATE systems SET data = X'0102030405060708090a0b0c' WHERE id = 1")
    before = path.read_bytes()
    with pytest.raises(UserError, match=r"move it away or put a backup") as error:
        RecordStore(path).get("k0")
    assert "\n" not in str(error.value)
    assert path.read_bytes() == before


def test_changed_coordinates_are_noticed(tmp_path):
    path = tmp_path / "store.db"
    store = RecordStore(path)
    store.put(make_result(), RECIPE)
    row = store._db.get(id=1)
    data = row.data
    data["atoms"]["arrays"]["positions"] = data["atoms"]["arrays"]["positions"] + 1e-9
    store._db.update(1, data=data)
    with pytest.raises(UserError, match="does not match its hash"):
        RecordStore(path).get("123e45")


def test_second_run_on_a_folder_is_refused_and_a_killed_one_leaves_no_lock(tmp_path):
    script = (
        "import os, sys, pathlib; from screening.engine.running.runlock import run_lock\n"
        "with run_lock(pathlib.Path(sys.argv[1])):\n"
        "    print('locked', flush=True)\n"
        "    sys.stdin.readline()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout.readline() == "locked\n"
        with pytest.raises(UserError, match=f"process {holder.pid}"), run_lock(tmp_path):
            pass
        holder.kill()
    with run_lock(tmp_path):
        pass


@pytest.mark.parametrize("scheme", ["file", "sqlite", "http", "a", ""])
def test_an_address_that_is_no_server_is_no_path_either(tmp_path, scheme, monkeypatch):
    """The database library takes it for a path, by which the summary of a received run could name any file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "victim").mkdir()
    with pytest.raises(UserError, match="no database server's address"):
        RecordStore.for_reading(f"{scheme}:///../../../../{tmp_path}/victim/new.db")
    assert not any((tmp_path / "victim").iterdir())
