"""The MLflow user interface."""

from __future__ import annotations

from collections.abc import Callable

HOST, PORT = "127.0.0.1", 5000


def ui(host: str = HOST, port: int = PORT, *, say: Callable[[str], None]) -> int:
    """Serve mlflow.db of this folder, or the store of MLFLOW_TRACKING_URI, until it is stopped; as `screen ui`.

    Parameters
    ----------
    host
        Address to listen on; ``"0.0.0.0"`` for all.
    say
        Told where to look.

    Returns
    -------
    int
        Exit code of the server.

    Raises
    ------
    UserError
        When there is no store, it cannot be opened, or the port is taken.
    """
    from screening.tracking.server import serve

    return serve(host, port, say)
