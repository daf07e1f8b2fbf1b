"""The MLflow store: where it is, how it is opened, and that its troubles never stop anything.

mlflow is imported only when something is tracked (the import takes seconds).
"""

from __future__ import annotations

import json
import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from screening.files import PARSE_ERRORS, read_received, write_text
from screening.process.stopping import not_interrupted
from screening.tracking.troubles import why_unusable, without_password

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient

logger = logging.getLogger(__name__)

DEFAULT_STORE = "mlflow.db"
ARTIFACTS = "mlartifacts"
EXPERIMENT = "coatscreen"
STATE = "tracking.json"
DATABASE_TRIES = 3
_MAX_PARAMS, _MAX_VALUE = 100, 6000

QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # a server that does not answer must cost seconds, not the minutes of MLflow's defaults
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}
"""Environment for MLflow; what the user has set wins."""


def tracking_uri() -> str:
    """``MLFLOW_TRACKING_URI``, or the SQLite file mlflow.db in the current folder."""
    return os.environ.get("MLFLOW_TRACKING_URI", "").strip() or f"sqlite:///{(Path.cwd() / DEFAULT_STORE).as_posix()}"


def sqlite_path(uri: str) -> Path | None:
    """File of a ``sqlite:///`` URI, None for any other store."""
    prefix = "sqlite:///"
    return Path(uri.removeprefix(prefix)) if uri.startswith(prefix) else None


@contextmanager
def never_fatal(folder: Path) -> Iterator[list[bool]]:
    """Run what talks to MLflow; whatever goes wrong is one warning, and the list stays empty.

    Parameters
    ----------
    folder
        Where the results lie all the same, for the warning.
    """
    outcome: list[bool] = []
    try:
        with quietly():
            yield outcome
    except Exception as error:  # every MLflow, SQL, network or disk problem means the same here
        uri = tracking_uri()
        logger.warning(
            "MLflow at %s was not updated: %s; all results are in %s",
            without_password(uri),
            why_unusable(error, uri),
            folder,
        )


@contextmanager
def quietly() -> Iterator[None]:
    """Keep back what MLflow and the libraries below it log and warn about; errors pass."""
    noisy = {name: logging.getLogger(name) for name in ("mlflow", "alembic", "urllib3.connectionpool")}
    levels = {name: log.level for name, log in noisy.items()}
    try:
        for log in noisy.values():
            log.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            # hints about schemas and sources of data sets, which are for authors of training code
            warnings.simplefilter("ignore")
            yield
    finally:
        for name, log in noisy.items():
            log.setLevel(levels[name])


def open_client(uri: str) -> MlflowClient:
    """Client of a store, quiet unless the user's environment says otherwise."""
    for key, value in QUIET.items():
        os.environ.setdefault(key, value)
    with not_interrupted():  # what is imported by half cannot be imported again to say that the run was stopped
        import mlflow.store.db.utils as databases
        from mlflow.tracking import MlflowClient

    # MLflow tries a database that cannot be opened ten times, which takes 100 s; there is no setting for it
    databases.MAX_RETRY_COUNT = min(databases.MAX_RETRY_COUNT, DATABASE_TRIES)

    return MlflowClient(tracking_uri=uri)


def experiment_id(client: MlflowClient, uri: str) -> str:
    """The experiment of all screens (``MLFLOW_EXPERIMENT_NAME``, or coatscreen), made where it does not exist."""
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
    found = client.get_experiment_by_name(name)
    if found is None:
        database = sqlite_path(uri)
        # a server decides where artifacts go; beside a local database they stay together when the folder moves on
        location = None if database is None else (database.resolve().parent / ARTIFACTS).as_uri()
        try:
            return str(client.create_experiment(name, artifact_location=location))
        except Exception:
            # another screen may have made it in the meantime
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    if found.lifecycle_stage != "active":
        client.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


def log_params(client: MlflowClient, run: Run, params: Mapping[str, Any]) -> None:
    """Log what is new. MLflow refuses to change a parameter, so a changed one becomes a tag ``changed.<name>``."""
    from mlflow.entities import Param, RunTag

    texts = {key: str(value)[:_MAX_VALUE] for key, value in params.items()}
    new = [Param(key, text) for key, text in texts.items() if key not in run.data.params]
    for start in range(0, len(new), _MAX_PARAMS):
        client.log_batch(run.info.run_id, params=new[start : start + _MAX_PARAMS])
    changed = {k: t for k, t in texts.items() if run.data.params.get(k, t) != t}
    client.log_batch(run.info.run_id, tags=[RunTag(f"changed.{k}", t) for k, t in changed.items()][:_MAX_PARAMS])


def flatten(mapping: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, keys joined by dots."""
    flat: dict[str, Any] = {}
    for key, value in mapping.items():
        name = f"{prefix}{key}"
        flat |= flatten(value, f"{name}.") if isinstance(value, Mapping) else {name: value}
    return flat


def read_state(folder: Path) -> dict[str, Any]:
    """What an earlier call wrote beside the results; empty when there is nothing to read."""
    try:
        data = json.loads(read_received(folder / STATE))
    except (FileNotFoundError, *PARSE_ERRORS):
        return {}
    return data if isinstance(data, dict) else {}


def write_state(folder: Path, state: Mapping[str, Any]) -> None:
    """Write tracking.json in one step."""
    write_text(folder / STATE, json.dumps(dict(state), indent=2) + "\n")
