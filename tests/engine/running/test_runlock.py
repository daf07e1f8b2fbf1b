"""A folder belongs to one run; where a file system has no locks the run goes on, and says so."""

from __future__ import annotations

import errno
import fcntl
import os

import pytest

from screening.engine.running.runlock import FolderInUse, has_locks, run_lock
from screening.engine.running.store import RecordStore

NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)


@pytest.fixture
def no_locks(monkeypatch):
    def make(number: int) -> None:
        def refuse(*_):
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(fcntl, "flock", refuse)
        monkeypatch.setattr(fcntl, "lockf", refuse)

    return make


def test_a_second_run_is_refused_and_told_who_holds_the_folder(tmp_path):
    with run_lock(tmp_path), pytest.raises(FolderInUse, match=str(os.getpid())), run_lock(tmp_path):
        pass


@pytest.mark.parametrize("number", NO_LOCKS)
def test_without_locks_the_run_goes_on_with_a_warning(tmp_path, no_locks, caplog, number):
    no_locks(number)
    with run_lock(tmp_path):
        assert (tmp_path / ".lock").read_text() == str(os.getpid())
    assert len(caplog.records) == 1
    assert "do not start a second run" in caplog.text
    assert str(tmp_path) in caplog.text


def test_any_other_failure_names_the_lock(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(OSError) as caught, run_lock(tmp_path):
        pass
    assert caught.value.filename == str(tmp_path / ".lock")


def test_an_error_within_the_run_is_not_blamed_on_the_lock(tmp_path):
    with pytest.raises(OSError) as caught, run_lock(tmp_path):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.filename is None


def test_locks_are_found_where_there_are_some_and_nothing_is_left(tmp_path):
    assert has_locks(tmp_path / "not-there-yet.db")
    (tmp_path / "there.db").write_text("")
    assert has_locks(tmp_path / "there.db")
    assert [p.name for p in tmp_path.iterdir()] == ["there.db"]


def test_a_store_works_without_locks(tmp_path, no_locks):
    no_locks(errno.ENOLCK)
    store = RecordStore(tmp_path / "store.db")
    assert store._db._connect().execute("PRAGMA database_list").fetchone()[2] == str(tmp_path / "store.db")
    assert store.records() == []
    assert RecordStore(tmp_path / "store.db").records() == []
