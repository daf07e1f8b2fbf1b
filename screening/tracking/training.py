"""A training in MLflow: one run of the experiment of the campaigns, with errors before and after as metrics."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from screening.tracking.data_used import NONE, VERSION_TAG, log_training_data
from screening.tracking.session import experiment_id, flatten, log_params, never_fatal, open_client, tracking_uri

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient

TRAINING_TAG = "coatscreen.training"
CARD = "card.yaml"
MAX_ARTIFACT_BYTES = 200 * 1024**2
"""Largest model folder that is copied into the store; of a larger one the card is, which names checkpoint and hash."""


def track_training(folder: Path, card: Mapping[str, Any]) -> bool:
    """Record a retrained potential or a softening correction; the same card again updates the same run.

    Every number in the card is a metric under its path (``held_out_errors.after.forces``), all else a parameter.

    Parameters
    ----------
    folder
        The model folder, which becomes an artifact.
    card
        Content of its card.yaml.

    Returns
    -------
    bool
        False when the store could not be used; a warning says so.
    """
    with never_fatal(folder) as outcome:
        uri = tracking_uri()
        client = open_client(uri)
        run = _run_of(client, experiment_id(client, uri), folder, card)
        metrics, params = _numbers_and_texts(card)
        _log_metrics(client, run, metrics)
        log_params(client, run, params)
        if version := data_version(card):
            log_training_data(client, run.info.run_id, source=str(folder), version=version)
        _log_folder(client, run.info.run_id, folder)
        client.set_terminated(run.info.run_id, "FINISHED")
        outcome.append(True)
    return bool(outcome)


def data_version(card: Mapping[str, Any]) -> str:
    """Version of the data in a model's card (``data.version``), empty when it states none."""
    data = card.get("data")
    stated = data.get("version") if isinstance(data, Mapping) else card.get(VERSION_TAG, card.get("data_version"))
    return str(stated or "")


def _run_of(client: MlflowClient, experiment: str, folder: Path, card: Mapping[str, Any]) -> Run:
    """The run of this card; a training that gave another card is another one."""
    identity = hashlib.sha256(json.dumps(card, sort_keys=True, default=str).encode()).hexdigest()[:32]
    found = client.search_runs([experiment], filter_string=f"tags.`{TRAINING_TAG}` = '{identity}'", max_results=1)
    if found:
        return found[0]
    tags = {
        TRAINING_TAG: identity,
        VERSION_TAG: data_version(card) or NONE,
        "kind": str(card.get("kind", "")),
        "base": str(card.get("base", "")),
        "fidelity": str(card.get("fidelity", "")),
        "folder": str(folder),
        "mlflow.source.name": "screen",
    }
    return client.create_run(experiment, tags=tags, run_name=folder.resolve().name)


def _numbers_and_texts(card: Mapping[str, Any]) -> tuple[dict[str, float], dict[str, str]]:
    numbers: dict[str, float] = {}
    texts: dict[str, str] = {}
    for key, value in flatten(card).items():
        name = "".join(c if c.isalnum() or c in "_-. /" else "_" for c in key)
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            numbers[name] = float(value)
        elif isinstance(value, str | bool | int | float):
            texts[name] = str(value)
    return numbers, texts


def _log_metrics(client: MlflowClient, run: Run, metrics: Mapping[str, float]) -> None:
    from mlflow.entities import Metric
    from mlflow.utils.time import get_current_time_millis

    now = get_current_time_millis()
    new = [Metric(name, value, now, 0) for name, value in metrics.items() if run.data.metrics.get(name) != value]
    for start in range(0, len(new), 1000):
        client.log_batch(run.info.run_id, metrics=new[start : start + 1000])


def _log_folder(client: MlflowClient, run_id: str, folder: Path) -> None:
    files = [path for path in folder.rglob("*") if path.is_file()]
    if sum(path.stat().st_size for path in files) <= MAX_ARTIFACT_BYTES:
        client.log_artifacts(run_id, str(folder), artifact_path="model")
    elif (folder / CARD).is_file():
        client.log_artifact(run_id, str(folder / CARD), artifact_path="model")
