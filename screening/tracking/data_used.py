"""Which DFT data a ranking or a training rests on, in MLflow: a version to compare, and the data set it stands for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

VERSION_TAG, FIDELITY_TAG = "dft_data_version", "fidelity"
RECORDS, TRAINING_DATA = "dft-records", "dft-data"
NONE = "none"
"""Version of no data: a ranking without DFT says so."""


@dataclass(frozen=True, kw_only=True)
class DataUsed:
    """DFT behind a ranking.

    Attributes
    ----------
    fidelity
        Of the ranked values, for example ``mlip:chgnet + dft:vasp-pbe+u:kim2026``.
    records_version, records
        Short hash of the DFT records that the run holds, and one row for each; empty when there are none.
    records_source
        The store they are in.
    models
        Model folder to the version of the data it was trained or fitted on.
    """

    fidelity: str
    records_version: str = ""
    records: Sequence[Mapping[str, Any]] = ()
    records_source: str = ""
    models: Mapping[str, str] = field(default_factory=dict)

    @property
    def version(self) -> str:
        """All versions in one text; ``none`` without DFT."""
        versions = [v for v in (self.records_version, *self.models.values()) if v]
        return ",".join(dict.fromkeys(versions)) or NONE


def log_data(client: MlflowClient, run_id: str, data: DataUsed) -> None:
    """Tags with fidelity and version, and the data sets as inputs of a run; the same data are one input."""
    from mlflow.data.pandas_dataset import from_pandas
    from mlflow.entities import DatasetInput, RunTag

    tags = {FIDELITY_TAG: data.fidelity, VERSION_TAG: data.version, f"{VERSION_TAG}.records": data.records_version}
    for folder, version in data.models.items():
        tags[f"{VERSION_TAG}.potential"] = f"{version} ({folder})"
    client.log_batch(run_id, tags=[RunTag(key, value or NONE) for key, value in tags.items()])
    if data.records:
        import pandas as pd

        dataset = from_pandas(
            pd.DataFrame(list(data.records)).dropna(axis="columns", how="all"),
            source=data.records_source,
            name=RECORDS,
            digest=data.records_version,
        )
        client.log_inputs(run_id, datasets=[DatasetInput(dataset._to_mlflow_entity())])
    for folder, version in data.models.items():
        log_training_data(client, run_id, source=folder, version=version)


def log_training_data(client: MlflowClient, run_id: str, *, source: str, version: str) -> None:
    """The data that a model was made from, by the version in its card; the data themselves stay where they are."""
    from mlflow.data.dataset_source_registry import resolve_dataset_source
    from mlflow.data.meta_dataset import MetaDataset
    from mlflow.entities import DatasetInput

    # `profile` is abstract in name only: MLflow makes such data sets itself
    dataset = MetaDataset(resolve_dataset_source(source), name=TRAINING_DATA, digest=version)  # type: ignore[abstract]
    client.log_inputs(run_id, datasets=[DatasetInput(dataset._to_mlflow_entity())])
