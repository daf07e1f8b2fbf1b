"""The MLflow user interface on the store that screens write."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path

from screening.errors import UserError
from screening.process.stopping import Stopped, stop_signals
from screening.tracking.session import ARTIFACTS, QUIET, open_client, quietly, sqlite_path, tracking_uri
from screening.tracking.troubles import migration, why_unusable, without_password

# MLflow's own jobs (model serving, gateways) are not needed to look at runs, and cost processes
_SERVER_ENV = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


def serve(host: str, port: int, say: Callable[[str], None]) -> int:
    """Serve mlflow.db of this folder, or the store of MLFLOW_TRACKING_URI, until it is stopped.

    Parameters
    ----------
    say
        Told where to look; a store that is a server already needs no other, and the call returns at once.

    Returns
    -------
    int
        Exit code of the server.

    Raises
    ------
    UserError
        When there is no store, it cannot be opened, or the port is taken.
    """
    uri = tracking_uri()
    if uri.startswith(("http://", "https://")):
        _check_server(uri)
        say(f"MLFLOW_TRACKING_URI is a server that is already running; open {uri} in a browser.")
        return 0
    command = server_command(uri, host, port)
    _check_port(host, port)
    check_store(uri)
    say(f"MLflow on {without_password(uri)}: http://{host}:{port} (Ctrl-C stops it)")
    return _serve(command)


def check_store(uri: str) -> None:
    """Open the store once, because the server would say why it cannot in a page of traceback.

    Raises
    ------
    UserError
        Says what is wrong with it and what to do.
    """
    try:
        with quietly():
            open_client(uri).search_experiments(max_results=1)
    except Exception as error:  # whatever MLflow, a driver or the system raises means the same here
        raise UserError(f"MLflow cannot open {without_password(uri)}: {why_unusable(error, uri)}") from error


def _check_server(uri: str) -> None:
    """Whether anything answers at `uri`; what it answers is the browser's business."""
    try:
        # without a password: that it is refused is an answer, too
        with urllib.request.urlopen(f"{without_password(uri).rstrip('/')}/health", timeout=10):
            pass
    except urllib.error.HTTPError:
        return
    except (OSError, ValueError, HTTPException) as error:
        raise UserError(
            f"nothing answers at {without_password(uri)} ({getattr(error, 'reason', error)}); start that MLflow "
            "server, or unset MLFLOW_TRACKING_URI to look at mlflow.db of this folder"
        ) from error


def server_command(uri: str, host: str, port: int) -> list[str]:
    """Command that serves the store at `uri`.

    Raises
    ------
    UserError
        When the SQLite store does not exist yet, or only an older file store does.
    """
    database = sqlite_path(uri)
    if database is not None and not database.is_file():
        old = database.parent / "mlruns"
        if old.is_dir():
            raise UserError(f"there is no {database}, only the files of an older MLflow in {old}: {migration(old)}.")
        raise UserError(
            f"there is no MLflow store at {database} yet; run `screen` in this folder first, go to the folder of an "
            "earlier run, or set MLFLOW_TRACKING_URI"
        )
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", uri]
    if database is not None:
        command += ["--default-artifact-root", (database.resolve().parent / ARTIFACTS).as_uri()]
    elif Path(uri).is_dir():
        command += ["--default-artifact-root", uri]
    return [*command, "--host", host, "--port", str(port), "--workers", "1"]


def _check_port(host: str, port: int) -> None:
    try:
        with socket.create_server((host, port)):
            pass
    except OSError as error:
        # Python puts the address into the system's words once more
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise UserError(f"cannot listen on {host}:{port} ({reason}); choose another --port") from error


def _serve(command: list[str]) -> int:
    """Run the server until it ends or we are stopped; its worker processes end with it."""
    environment = {**QUIET, **_SERVER_ENV, **os.environ}
    # a session of its own, because MLflow's worker is a grandchild that a signal to MLflow alone would leave behind
    server = subprocess.Popen(command, env=environment, start_new_session=True)
    with stop_signals():
        try:
            return server.wait()
        except Stopped:
            return 0  # how a server ends that is meant to be stopped
        finally:
            _stop(server)


def _stop(server: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(server.pid, number)
        except ProcessLookupError:
            return
        try:
            server.wait(timeout=5)
        except subprocess.TimeoutExpired:
            continue
