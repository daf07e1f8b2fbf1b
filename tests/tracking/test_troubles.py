"""MLflow's complaints end as one sentence with a remedy, in `screen ui` and at the end of a run."""

from __future__ import annotations

import shutil
import socket
import sqlite3
from pathlib import Path

import pytest

from screening.errors import UserError
from screening.tracking.mlflow_tracking import track_status
from screening.tracking.server import check_store
from screening.tracking.session import open_client, quietly
from screening.tracking.troubles import why_unusable

OLDER, NEWER = "cfd24bdc0731", "ffffffffffff"


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A store with all of MLflow's tables."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    with quietly():
        open_client(f"sqlite:///{path}").search_experiments(max_results=1)
    return path


def of_schema(made: Path, path: Path, version: str) -> str:
    shutil.copy(made, path)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE alembic_version SET version_num = ?", (version,))
    connection.commit()
    connection.close()
    return f"sqlite:///{path}"


def test_a_store_of_this_version_opens(made):
    check_store(f"sqlite:///{made}")


def test_an_older_schema_is_upgraded_by_a_command_that_is_there_in_full(made, tmp_path):
    uri = of_schema(made, tmp_path / f"{'a' * 150}.db", OLDER)
    with pytest.raises(UserError) as caught:
        check_store(uri)
    assert str(caught.value).endswith(f"run `mlflow db upgrade {uri}`")
    assert "\n" not in str(caught.value)


def test_a_newer_schema_needs_a_newer_mlflow(made, tmp_path):
    with pytest.raises(UserError, match="pip install --upgrade mlflow"):
        check_store(of_schema(made, tmp_path / "x.db", NEWER))


@pytest.mark.parametrize("content", [b"no database, but a text that is long enough to be looked at" * 20])
def test_a_file_that_is_no_database(tmp_path, content):
    (tmp_path / "x.db").write_bytes(content)
    with pytest.raises(UserError, match="it is no SQLite database"):
        check_store(f"sqlite:///{tmp_path / 'x.db'}")


def test_a_password_is_never_printed():
    uri = "postgresql://me:secret@host/db"
    text = why_unusable(RuntimeError(f"cannot use {uri}\n[SQL: SELECT 1]\n(Background on this error at: x)"), uri)
    assert text == "cannot use postgresql://host/db"


def test_a_run_goes_on_and_names_the_whole_remedy(made, tmp_path, monkeypatch, caplog):
    uri = of_schema(made, tmp_path / f"{'a' * 200}.db", OLDER)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert not track_status(tmp_path, {"dopants": "Mg"}, "RUNNING")
    assert [r.getMessage() for r in caplog.records] == [
        f"MLflow at {uri} was not updated: an older MLflow made it: copy it for safety, then run `mlflow db upgrade "
        f"{uri}`; all results are in {tmp_path}"
    ]


def test_a_server_that_does_not_answer(tmp_path, monkeypatch, caplog):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    assert not track_status(tmp_path, {"dopants": "Mg"}, "RUNNING")
    assert "nothing answers there: start that server or check its address" in caplog.text


def test_a_database_that_cannot_be_opened_costs_no_minutes(tmp_path):
    """MLflow waits 0.1 * (2**n - 1) s after its n-th try, of ten."""
    import mlflow.store.db.utils as databases

    with quietly():
        open_client(f"sqlite:///{tmp_path / 'x.db'}")
    assert databases.MAX_RETRY_COUNT == 3
