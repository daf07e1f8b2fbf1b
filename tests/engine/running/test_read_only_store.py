"""A run's records are read where nothing can be written, not even the journal of a killed run undone."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from screening.engine.running import store as module
from screening.engine.running.records import Record
from screening.engine.running.store import RecordStore
from screening.errors import UserError
from screening.process.trouble import StoreUnusable


def record(value: float) -> Record:
    return Record(
        candidate="LiNbO3", property="e_above_hull", value=value, unit="eV/atom", fidelity="mlip:chgnet",
        converged=True, potential="chgnet", checkpoint_sha256="0" * 64, details={},
    )  # fmt: skip


@pytest.fixture
def path(tmp_path) -> Path:
    RecordStore(tmp_path / "store.db").put_record(record(0.1))
    return tmp_path / "store.db"


@pytest.fixture
def read_only(path, monkeypatch):
    """What SQLite says in a read-only folder where a killed run left a journal."""
    original = RecordStore._check_file

    def check(self: RecordStore, opened: Path) -> None:
        if opened == path:
            with self._guard():
                raise sqlite3.OperationalError("attempt to write a readonly database")
        original(self, opened)

    monkeypatch.setattr(RecordStore, "_check_file", check)


@pytest.mark.usefixtures("read_only")
def test_records_come_from_a_copy_that_is_gone_with_the_store(path, monkeypatch, tmp_path):
    monkeypatch.setattr(module.tempfile, "tempdir", str(tmp_path))
    store = RecordStore.for_reading(path)
    assert [r.value for r in store.records()] == [0.1]
    assert store.location == str(path)
    del store
    assert [p.name for p in tmp_path.iterdir() if p.is_dir() and p.name.startswith("coatscreen-")] == [
        p.name for p in tmp_path.glob("coatscreen-cache")
    ]


def test_an_unfinished_write_of_a_killed_run_is_undone_in_the_copy(path, tmp_path, monkeypatch):
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("PRAGMA cache_size = 1")
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("UPDATE systems SET username = 'half'")
    writer.execute("CREATE TABLE filler AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 50000) "
                   "SELECT i FROM n")  # fmt: skip
    killed = tmp_path / "killed"
    killed.mkdir()
    for suffix in ("", "-journal"):
        shutil.copyfile(f"{path}{suffix}", killed / f"store.db{suffix}")
    writer.rollback()
    assert (killed / "store.db-journal").stat().st_size > 0
    original = RecordStore._check_file

    def check(self: RecordStore, opened: Path) -> None:
        if opened.parent == killed:
            raise StoreUnusable("the store cannot be used (unable to open database file)")
        original(self, opened)

    monkeypatch.setattr(RecordStore, "_check_file", check)
    store = RecordStore.for_reading(killed / "store.db")
    assert [r.value for r in store.records()] == [0.1]
    assert (killed / "store.db-journal").stat().st_size > 0


@pytest.mark.parametrize(("complaint", "remedy"), [
    ("attempt to write a readonly database", "give a run folder that can be written"),
    ("database or disk is full", "free some space"),
    ("database is locked", "another process uses it"),
    ("disk I/O error", "check it, its quota and its file locks"),
    ("unable to open database file", "its folder exists"),
])  # fmt: skip
def test_each_complaint_of_the_database_has_a_remedy(path, complaint, remedy):
    def complain() -> None:
        with RecordStore(path)._guard(reading=False):
            raise sqlite3.OperationalError(complaint)

    with pytest.raises(UserError, match=remedy) as caught:
        complain()
    assert str(path) in str(caught.value)
