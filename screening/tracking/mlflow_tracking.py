"""A campaign in MLflow: the parent run is the campaign, a child run each candidate, so the runs table is the ranking.

Tracking never stops a screen: when the store cannot be reached there is one warning and the results stay on disk.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from screening.tracking.data_used import DataUsed, log_data
from screening.tracking.session import (
    experiment_id,
    flatten,
    log_params,
    never_fatal,
    open_client,
    read_state,
    tracking_uri,
    without_password,
    write_state,
)

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient

TABLE = "ranking_table.json"
CAMPAIGN_TAG, CANDIDATE_TAG, PARENT_TAG = "coatscreen.campaign", "coatscreen.candidate", "mlflow.parentRunId"
FILES = ("ranking.csv", "ranking.json", "summary.yaml", "agreement.csv")
TAG_COLUMNS = ("candidate", "formula", "dopants", "site", "compensation", "pareto", "converged")
PARAM_COLUMNS = ("x", "x_requested", "x_bulk", "x_interface", "x_barrier")


class FlatRanking(Protocol):
    """What is tracked: the campaign's ranking."""

    def flat(self) -> list[dict[str, Any]]: ...


def track(
    folder: Path,
    ranking: FlatRanking,
    identity: Mapping[str, Any],
    *,
    name: str | None = None,
    data: DataUsed | None = None,
    status: str = "FINISHED",
) -> bool:
    """Record a finished campaign; called again it updates the same runs and never duplicates them.

    Parameters
    ----------
    folder
        Run folder with ranking.csv, ranking.json and summary.yaml; tracking.json is kept there.
    identity
        What defines the campaign (nested mapping); becomes the parent run's parameters.
    name
        Name of the parent run; that of the folder when None.
    data
        Which DFT data the ranking rests on.
    status
        That of the campaign itself, which stays what it was when a ranking is made again.

    Returns
    -------
    bool
        False when the store could not be used; a warning says so.
    """
    with never_fatal(folder) as outcome:
        session = _open(folder, identity, name or folder.resolve().name)
        rows = ranking.flat()
        children = _children(session)
        for row in rows:
            _log_candidate(session, row, children.get(str(row["candidate"])))
        _log_table(session, rows, folder / "ranking.csv")
        for file in FILES:
            if (folder / file).is_file():
                session.client.log_artifact(session.parent, str(folder / file))
        if data is not None:
            log_data(session.client, session.parent, data)
        session.client.set_terminated(session.parent, status)
        outcome.append(True)
    return bool(outcome)


def track_status(folder: Path, identity: Mapping[str, Any], status: str, *, name: str | None = None) -> bool:
    """Open the campaign's parent run before computing (``"RUNNING"``), or mark it ``"FAILED"`` or ``"KILLED"``.

    A finished one that was opened and broke off before anything was computed anew is marked ``"FINISHED"`` again.
    Parameters and return value are those of `track`.
    """
    with never_fatal(folder) as outcome:
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


def _open(folder: Path, identity: Mapping[str, Any], name: str) -> _Session:
    """Parent run of the campaign in `folder`: the one of an earlier start if the store still has it."""
    uri = tracking_uri()
    state = read_state(folder)
    # the identity is on disk before the run is created, so that a kill in between leaves no orphan
    campaign = str(state.get("campaign") or uuid.uuid4().hex)
    if state.get("campaign") != campaign or state.get("uri") != without_password(uri):
        state = {"campaign": campaign, "uri": without_password(uri)}
        write_state(folder, state)
    client = open_client(uri)
    experiment = experiment_id(client, uri)
    found = client.search_runs([experiment], filter_string=f"tags.`{CAMPAIGN_TAG}` = '{campaign}'", max_results=1)
    if found:
        run = found[0]
        client.update_run(run.info.run_id, status="RUNNING")
    else:
        tags = {CAMPAIGN_TAG: campaign, "mlflow.source.name": "screen", "folder": str(folder)}
        run = client.create_run(experiment, tags=tags, run_name=name)
    write_state(folder, {**state, "experiment": experiment, "run_id": run.info.run_id})
    log_params(client, run, flatten(identity))
    return _Session(client=client, experiment=experiment, parent=run.info.run_id)


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
    # a column that an earlier ranking had (DFT beside the potential) and this one has not is empty too
    for name, value in (dict.fromkeys(known) | _metrics(row)).items():
        if value is None and name in known:
            # a number that no longer holds (a lost rank) must not stay in the runs table
            value = float("nan")
        if value is not None and not _same(known.get(name), value):
            metrics.append(Metric(name, value, now, 0))
    changed = [RunTag(key, value) for key, value in tags.items() if run.data.tags.get(key) != value]
    client.log_batch(run.info.run_id, metrics=metrics, tags=changed)
    log_params(client, run, {name: row[name] for name in PARAM_COLUMNS if row.get(name) is not None})
    client.set_terminated(run.info.run_id, "FINISHED")


def _metrics(row: Mapping[str, Any]) -> dict[str, float | None]:
    """Every numeric column; a column that is empty in this row is there with None."""
    others = {*TAG_COLUMNS, *PARAM_COLUMNS, "flags"}
    return {name: None if value is None else float(value) for name, value in row.items() if name not in others}


def _same(old: float | None, new: float) -> bool:
    return old is not None and (old == new or (old != old and new != new))


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
