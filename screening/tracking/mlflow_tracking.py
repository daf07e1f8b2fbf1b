"""A campaign in MLflow: the parent run is the campaign, a child run each candidate, so the runs table is the ranking.

The only module that imports mlflow, and only when something is tracked (the import takes seconds). Tracking never
stops a screen: when the store cannot be reached there is one warning and the results stay on disk.
"""

from __future__ import annotations

import json
import logging
import os
import uuid
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient

logger = logging.getLogger(__name__)

DEFAULT_STORE = "mlflow.db"
ARTIFACTS = "mlartifacts"
EXPERIMENT = "coatscreen"
STATE = "tracking.json"
TABLE = "ranking_table.json"
CAMPAIGN_TAG, CANDIDATE_TAG, PARENT_TAG = "coatscreen.campaign", "coatscreen.candidate", "mlflow.parentRunId"
FILES = ("ranking.csv", "ranking.json", "summary.yaml")
TAG_COLUMNS = ("candidate", "formula", "dopants", "site", "compensation", "pareto", "converged")
PARAM_COLUMNS = ("x", "x_requested", "x_bulk", "x_interface", "x_barrier")
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


class RankingLike(Protocol):
    """What is tracked: the campaign's ranking."""

    def flat(self) -> list[dict[str, Any]]: ...


def tracking_uri() -> str:
    """``MLFLOW_TRACKING_URI``, or the SQLite file mlflow.db in the current folder."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{(Path.cwd() / DEFAULT_STORE).as_posix()}"


def sqlite_path(uri: str) -> Path | None:
    """File of a ``sqlite:///`` URI, None for any other store."""
    prefix = "sqlite:///"
    return Path(uri.removeprefix(prefix)) if uri.startswith(prefix) else None


def track(folder: Path, ranking: RankingLike, identity: Mapping[str, Any], *, name: str | None = None) -> bool:
    """Record a finished campaign; called again it updates the same runs and never duplicates them.

    Parameters
    ----------
    folder
        Run folder with ranking.csv, ranking.json and summary.yaml; tracking.json is kept there.
    identity
        What defines the campaign (nested mapping); becomes the parent run's parameters.
    name
        Name of the parent run; that of the folder when None.

    Returns
    -------
    bool
        False when the store could not be used; a warning says so.
    """
    with _never_fatal(folder) as outcome:
        session = _open(folder, identity, name or folder.resolve().name)
        rows = ranking.flat()
        children = _children(session)
        for row in rows:
            _log_candidate(session, row, children.get(str(row["candidate"])))
        _log_table(session, rows, folder / "ranking.csv")
        for file in FILES:
            if (folder / file).is_file():
                session.client.log_artifact(session.parent, str(folder / file))
        session.client.set_terminated(session.parent, "FINISHED")
        outcome.append(True)
    return bool(outcome)


def track_status(folder: Path, identity: Mapping[str, Any], status: str, *, name: str | None = None) -> bool:
    """Open the campaign's parent run before computing (``"RUNNING"``) or mark it ``"FAILED"`` or ``"KILLED"``.

    Parameters and return value are those of `track`.
    """
    with _never_fatal(folder) as outcome:
        session = _open(folder, identity, name or folder.resolve().name)
        if status != "RUNNING":
            session.client.set_terminated(session.parent, status)
        outcome.append(True)
    return bool(outcome)


@dataclass(frozen=True, kw_only=True)
class _Session:
    client: MlflowClient
    experiment: str
    parent: str


@contextmanager
def _never_fatal(folder: Path) -> Iterator[list[bool]]:
    outcome: list[bool] = []
    noisy = {name: logging.getLogger(name) for name in ("mlflow", "alembic", "urllib3.connectionpool")}
    levels = {name: log.level for name, log in noisy.items()}
    try:
        for log in noisy.values():
            log.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            # hints about schemas and sources of data sets, which are for authors of training code
            warnings.simplefilter("ignore")
            yield outcome
    except Exception as error:  # every MLflow, SQL, network or disk problem means the same here
        uri = tracking_uri()
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        reason = reason.replace(uri, _without_password(uri))[:200]
        logger.warning(
            "MLflow at %s was not updated (%s); all results are in %s", _without_password(uri), reason, folder
        )
    finally:
        for name, log in noisy.items():
            log.setLevel(levels[name])


def _without_password(uri: str) -> str:
    scheme, found, rest = uri.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}" if found else uri


def _client(uri: str) -> MlflowClient:
    for key, value in QUIET.items():
        os.environ.setdefault(key, value)
    from mlflow.tracking import MlflowClient

    return MlflowClient(tracking_uri=uri)


def _open(folder: Path, identity: Mapping[str, Any], name: str) -> _Session:
    """Parent run of the campaign in `folder`: the one of an earlier start if the store still has it."""
    uri = tracking_uri()
    state = _read_state(folder)
    # the identity is on disk before the run is created, so that a kill in between leaves no orphan
    campaign = str(state.get("campaign") or uuid.uuid4().hex)
    if state.get("campaign") != campaign or state.get("uri") != _without_password(uri):
        state = {"campaign": campaign, "uri": _without_password(uri)}
        _write_state(folder, state)
    client = _client(uri)
    experiment = _experiment(client, uri)
    found = client.search_runs([experiment], filter_string=f"tags.`{CAMPAIGN_TAG}` = '{campaign}'", max_results=1)
    if found:
        run = found[0]
        client.update_run(run.info.run_id, status="RUNNING")
    else:
        tags = {CAMPAIGN_TAG: campaign, "mlflow.source.name": "screen", "folder": str(folder)}
        run = client.create_run(experiment, tags=tags, run_name=name)
    _write_state(folder, {**state, "experiment": experiment, "run_id": run.info.run_id})
    _log_params(client, run, _flatten(identity))
    return _Session(client=client, experiment=experiment, parent=run.info.run_id)


def _experiment(client: MlflowClient, uri: str) -> str:
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


def _children(session: _Session) -> dict[str, Run]:
    """Child runs by candidate; more than one page for large campaigns."""
    children: dict[str, Run] = {}
    token = None
    while True:
        page = session.client.search_runs(
            [session.experiment], filter_string=f"tags.`{PARENT_TAG}` = '{session.parent}'", page_token=token
        )
        children |= {run.data.tags[CANDIDATE_TAG]: run for run in page if CANDIDATE_TAG in run.data.tags}
        token = page.token
        if not token:
            return children


def _log_candidate(session: _Session, row: Mapping[str, Any], run: Run | None) -> None:
    from mlflow.entities import Metric, RunTag
    from mlflow.utils.time import get_current_time_millis

    client = session.client
    tags = {name: "" if row.get(name) is None else str(row[name]) for name in TAG_COLUMNS}
    tags["flags"] = ";".join(row["flags"])
    if run is None:
        fixed = {PARENT_TAG: session.parent, CANDIDATE_TAG: str(row["candidate"]), "mlflow.source.name": "screen"}
        run = client.create_run(session.experiment, tags=fixed, run_name=str(row["candidate"]))
    known, now = run.data.metrics, get_current_time_millis()
    metrics = []
    for name, value in _metrics(row).items():
        if value is None and name in known:
            # a number that no longer holds (a lost rank) must not stay in the runs table
            value = float("nan")
        if value is not None and not _same(known.get(name), value):
            metrics.append(Metric(name, value, now, 0))
    changed = [RunTag(key, value) for key, value in tags.items() if run.data.tags.get(key) != value]
    client.log_batch(run.info.run_id, metrics=metrics, tags=changed)
    _log_params(client, run, {name: row[name] for name in PARAM_COLUMNS if row.get(name) is not None})
    client.set_terminated(run.info.run_id, "FINISHED")


def _metrics(row: Mapping[str, Any]) -> dict[str, float | None]:
    """Every numeric column; a column that is empty in this row is there with None."""
    others = {*TAG_COLUMNS, *PARAM_COLUMNS, "flags"}
    return {name: None if value is None else float(value) for name, value in row.items() if name not in others}


def _same(old: float | None, new: float) -> bool:
    return old is not None and (old == new or (old != old and new != new))


def _log_params(client: MlflowClient, run: Run, params: Mapping[str, Any]) -> None:
    """Log what is new. MLflow refuses to change a parameter, so a changed one becomes a tag ``changed.<name>``."""
    from mlflow.entities import Param, RunTag

    texts = {key: str(value)[:_MAX_VALUE] for key, value in params.items()}
    new = [Param(key, text) for key, text in texts.items() if key not in run.data.params]
    for start in range(0, len(new), _MAX_PARAMS):
        client.log_batch(run.info.run_id, params=new[start : start + _MAX_PARAMS])
    changed = {k: t for k, t in texts.items() if run.data.params.get(k, t) != t}
    client.log_batch(run.info.run_id, tags=[RunTag(f"changed.{k}", t) for k, t in changed.items()][:_MAX_PARAMS])


def _log_table(session: _Session, rows: Sequence[Mapping[str, Any]], csv: Path) -> None:
    """The ranking as a table in the UI and as a data set of the parent run."""
    import pandas as pd
    from mlflow.data.pandas_dataset import from_pandas
    from mlflow.entities import DatasetInput

    frame = pd.DataFrame([{**row, "flags": ";".join(row["flags"])} for row in rows])
    client, parent = session.client, session.parent
    if "mlflow.loggedArtifacts" in client.get_run(parent).data.tags:
        # a second log_table would append to the first; this overwrites it in the same format
        client.log_text(parent, frame.to_json(orient="split", index=False), TABLE)
    else:
        client.log_table(parent, frame, TABLE)
    numeric = frame.dropna(axis="columns", how="all")
    dataset = from_pandas(numeric, source=str(csv), name="ranking")
    client.log_inputs(parent, datasets=[DatasetInput(dataset._to_mlflow_entity())])


def _flatten(mapping: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in mapping.items():
        name = f"{prefix}{key}"
        flat |= _flatten(value, f"{name}.") if isinstance(value, Mapping) else {name: value}
    return flat


def _read_state(folder: Path) -> dict[str, Any]:
    try:
        data = json.loads((folder / STATE).read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return data if isinstance(data, dict) else {}


def _write_state(folder: Path, state: Mapping[str, Any]) -> None:
    temporary = folder / f".{STATE}.{os.getpid()}"
    temporary.write_text(json.dumps(dict(state), indent=2) + "\n", encoding="utf-8")
    temporary.replace(folder / STATE)
