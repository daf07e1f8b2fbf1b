"""`screen ui`: the MLflow user interface on the store that `screen run` writes."""

from __future__ import annotations

from typing import Annotated

import typer

from screening.cli.signature import defaults
from screening.door.ui import ui

USUAL = defaults(ui)


def ui_command(
    host: Annotated[str, typer.Option("--host", help="Address to listen on; 0.0.0.0 for all.")] = USUAL.host,
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port to listen on.")] = USUAL.port,
) -> None:
    """Open the MLflow user interface on mlflow.db of this folder, or on MLFLOW_TRACKING_URI. Stop it with Ctrl-C."""
    if code := ui(host, port, say=typer.echo):
        raise typer.Exit(code)
