"""`screen ui`: the MLflow user interface on the store that `screen run` writes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from screening.errors import UserError

# MLflow's own jobs (model serving, gateways) are not needed to look at runs, and cost processes
_SERVER_ENV = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


def ui_command(
    host: Annotated[str, typer.Option("--host", help="Address to listen on; 0.0.0.0 for all.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port to listen on.")] = 5000,
) -> None:
    """Open the MLflow user interface on mlflow.db of this folder, or on MLFLOW_TRACKING_URI. Stop it with Ctrl-C."""
    from screening.tracking.session import tracking_uri

    uri = tracking_uri()
    if uri.startswith(("http://", "https://")):
        typer.echo(f"MLFLOW_TRACKING_URI is a server that is already running; open {uri} in a browser.")
        return
    command = server_command(uri, host, port)
    _check_port(host, port)
    typer.echo(f"MLflow on {uri}: http://{host}:{port} (Ctrl-C stops it)")
    raise typer.Exit(_serve(command))


def server_command(uri: str, host: str, port: int) -> list[str]:
    """Command that serves the store at `uri`.

    Raises
    ------
    UserError
        When the SQLite store does not exist yet.
    """
    from screening.tracking.session import ARTIFACTS, sqlite_path

    database = sqlite_path(uri)
    if database is not None and not database.is_file():
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
        raise UserError(f"cannot listen on {host}:{port} ({error.strerror}); choose another --port") from error


def _serve(command: list[str]) -> int:
    """Run the server until it ends or we are stopped; its worker processes end with it."""
    from screening.tracking.session import QUIET

    environment = {**QUIET, **_SERVER_ENV, **os.environ}
    # a session of its own, because MLflow's worker is a grandchild that a signal to MLflow alone would leave behind
    server = subprocess.Popen(command, env=environment, start_new_session=True)
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        return server.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        signal.signal(signal.SIGTERM, previous)
        _stop(server)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


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
