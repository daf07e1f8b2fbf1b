import http.server
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import pytest

from screening.cli.commands.ui import ui_command
from screening.errors import UserError
from screening.tracking.server import server_command
from screening.tracking.session import tracking_uri


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def answers(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as reply:
            return reply.read()
    except (urllib.error.URLError, OSError):
        return None


def test_ui_serves_the_store_and_leaves_nothing_behind(tmp_path):
    # an empty SQLite file is a store that MLflow fills with its tables
    (tmp_path / "mlflow.db").touch()
    port = free_port()
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
    environment["PYTHONPATH"] = os.pathsep.join(p for p in sys.path if p)
    code = f"from screening.cli.commands.ui import ui_command; ui_command(host='127.0.0.1', port={port})"
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        reply = None
        while reply is None and process.poll() is None:
            reply = answers(port)
            time.sleep(0.2)
        assert reply == b"OK", process.stdout.read().decode()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as page:
            assert b"<title>MLflow</title>" in page.read()
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)
    # the worker processes are gone with it: the port is free again
    assert answers(port) is None
    with socket.create_server(("127.0.0.1", port), reuse_port=False):
        pass


def test_without_a_store_ui_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(UserError, match="no MLflow store"):
        ui_command(port=free_port())
    assert list(tmp_path.iterdir()) == []


def test_a_taken_port_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "mlflow.db").touch()
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(UserError, match="another --port"):
        ui_command(host="127.0.0.1", port=taken.getsockname()[1])


class SilentHandler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_) -> None:
        pass


@pytest.fixture
def answering():
    """Address of a server that answers, if only that it knows no such page."""
    server = http.server.HTTPServer(("127.0.0.1", 0), SilentHandler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_server_needs_no_second_one(monkeypatch, capsys, answering):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", answering)
    ui_command(port=5000)
    assert f"open {answering}" in capsys.readouterr().out


@pytest.mark.parametrize("address", ["http://127.0.0.1:{port}", "http://user:secret@127.0.0.1:{port}"])
def test_a_server_that_does_not_answer_is_one_sentence(monkeypatch, address):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address.format(port=free_port()))
    with pytest.raises(UserError, match=r"nothing answers at http.*unset MLFLOW_TRACKING_URI") as caught:
        ui_command(port=5000)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("form", ["{folder}", "file:{folder}", "file://{folder}"])
def test_a_file_store_says_how_it_becomes_a_database(tmp_path, monkeypatch, form):
    (tmp_path / "mlruns" / "0").mkdir(parents=True)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", form.format(folder=tmp_path / "mlruns"))
    with pytest.raises(UserError) as caught:
        ui_command(port=free_port())
    remedy = f"mlflow migrate-filestore --source {tmp_path} --target sqlite:///{tmp_path}/mlflow.db"
    assert remedy in str(caught.value)


def test_files_of_an_older_mlflow_are_found(tmp_path, monkeypatch):
    (tmp_path / "mlruns").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(UserError, match=f"mlflow migrate-filestore --source {tmp_path}"):
        ui_command(port=free_port())


def test_artifacts_stay_beside_the_database(tmp_path):
    (tmp_path / "mlflow.db").touch()
    command = server_command(f"sqlite:///{tmp_path / 'mlflow.db'}", "127.0.0.1", 5001)
    assert command[command.index("--default-artifact-root") + 1] == (tmp_path / "mlartifacts").as_uri()


@pytest.mark.parametrize("uri", ["{folder}/none", "file://{folder}/none", "nonsense"])
def test_a_folder_that_is_not_there_is_not_to_be_migrated(tmp_path, monkeypatch, uri):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri.format(folder=tmp_path))
    with pytest.raises(UserError, match=r"no such folder.*set MLFLOW_TRACKING_URI to sqlite:///FILE\.db") as caught:
        ui_command(port=free_port())
    assert "migrate" not in str(caught.value)


def test_remedies_are_quoted_for_a_shell(tmp_path, monkeypatch):
    folder = tmp_path / "my runs"
    (folder / "mlruns" / "0").mkdir(parents=True)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", str(folder / "mlruns"))
    with pytest.raises(UserError, match=f"--source '{folder}' --target 'sqlite:///{folder}/mlflow.db'"):
        ui_command(port=free_port())


def test_blanks_are_no_address(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "  ")
    assert tracking_uri() == f"sqlite:///{tmp_path}/mlflow.db"


def test_a_kind_of_store_that_mlflow_does_not_have_is_one_sentence(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "ftp://host/x")
    with pytest.raises(UserError) as caught:
        ui_command(port=free_port())
    assert str(caught.value).startswith("MLflow cannot open ftp://host/x: MLflow has no such kind of store: set ")
