import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from screening.cli.ui import server_command, ui_command
from screening.errors import UserError


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
    code = f"from screening.cli.ui import ui_command; ui_command(host='127.0.0.1', port={port})"
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


def test_a_server_needs_no_second_one(monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5999")
    ui_command(port=5000)
    assert "open http://127.0.0.1:5999" in capsys.readouterr().out


def test_artifacts_stay_beside_the_database(tmp_path):
    (tmp_path / "mlflow.db").touch()
    command = server_command(f"sqlite:///{tmp_path / 'mlflow.db'}", "127.0.0.1", 5001)
    assert command[command.index("--default-artifact-root") + 1] == (tmp_path / "mlartifacts").as_uri()
