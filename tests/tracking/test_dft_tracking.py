"""Which DFT data a ranking used, and trainings, in a real MLflow store."""

import logging
import math

import pytest
import yaml
from mlflow.tracking import MlflowClient

from screening.tracking import track_training
from screening.tracking.data_used import DataUsed
from screening.tracking.mlflow_tracking import track

IDENTITY = {"dopants": "Mg", "settings": {"seed": 0}}


class OneRow:
    def __init__(self, **fields):
        self.fields = fields

    def flat(self):
        base = {"rank": 1, "candidate": "Mg", "formula": "F", "dopants": "Mg", "site": "Li", "x": 0.1, "flags": []}
        return [{**base, "compensation": "li_vacancy", "pareto": True, "converged": True, **self.fields}]


@pytest.fixture
def folder(tmp_path, own_tracking):
    run = tmp_path / "runs" / "first"
    run.mkdir(parents=True)
    return run


def all_runs(folder):
    client = MlflowClient(tracking_uri=f"sqlite:///{folder.parents[1] / 'mlflow.db'}")
    return client, client.search_runs([client.get_experiment_by_name("coatscreen").experiment_id])


def parent_and_child(folder):
    _, runs = all_runs(folder)
    (child,) = [r for r in runs if "mlflow.parentRunId" in r.data.tags]
    (parent,) = [r for r in runs if "mlflow.parentRunId" not in r.data.tags]
    return parent, child


def inputs(run):
    return {(i.dataset.name, i.dataset.digest) for i in run.inputs.dataset_inputs if i.dataset.name != "ranking"}


def test_a_ranking_says_which_dft_data_it_used_and_again_after_more_came_in(folder):
    ranking = OneRow(migration_barrier_eV=0.7)
    assert track(folder, ranking, IDENTITY, data=DataUsed(fidelity="mlip:chgnet"))
    parent, _ = parent_and_child(folder)
    assert (parent.data.tags["dft_data_version"], parent.data.tags["fidelity"]) == ("none", "mlip:chgnet")
    assert inputs(parent) == set()

    rows = [{"candidate": "Mg", "property": "migration_barrier", "value": 1.4, "unit": "eV"}]
    data = DataUsed(
        fidelity="mlip:chgnet + dft:vasp-pbe:kim2026", records_version="aaa111", records=rows,
        records_source=str(folder / "store.db"), models={"models/tuned": "bbb222"},
    )  # fmt: skip
    later = OneRow(migration_barrier_eV=1.4, migration_barrier_mlip_eV=0.7, migration_barrier_dft_eV=1.4)
    for _ in range(2):  # the second time changes nothing
        assert track(folder, later, IDENTITY, data=data)
        again, child = parent_and_child(folder)
        assert again.info.run_id == parent.info.run_id
        assert again.data.tags["dft_data_version"] == "aaa111,bbb222"
        assert again.data.tags["dft_data_version.records"] == "aaa111"
        assert again.data.tags["dft_data_version.potential"] == "bbb222 (models/tuned)"
        assert again.data.tags["fidelity"] == "mlip:chgnet + dft:vasp-pbe:kim2026"
        assert inputs(again) == {("dft-records", "aaa111"), ("dft-data", "bbb222")}
        assert len(again.inputs.dataset_inputs) == 4  # two rankings, which differ, and the two of DFT
        # the value that is ranked, the potential's and DFT's are all metrics
        values = {k: v for k, v in child.data.metrics.items() if k.startswith("migration_barrier")}
        assert values == {
            "migration_barrier_eV": 1.4, "migration_barrier_mlip_eV": 0.7, "migration_barrier_dft_eV": 1.4,
        }  # fmt: skip


def test_a_column_that_a_later_ranking_lacks_does_not_stay(folder):
    assert track(folder, OneRow(migration_barrier_eV=1.4, migration_barrier_dft_eV=1.4), IDENTITY)
    assert track(folder, OneRow(migration_barrier_eV=0.7), IDENTITY)
    _, child = parent_and_child(folder)
    assert child.data.metrics["migration_barrier_eV"] == 0.7
    assert math.isnan(child.data.metrics["migration_barrier_dft_eV"])


def test_a_failed_campaign_stays_failed_when_it_is_ranked_again(folder):
    assert track(folder, OneRow(), IDENTITY, status="FAILED")
    assert parent_and_child(folder)[0].info.status == "FAILED"


CARD = {
    "kind": "finetuned",
    "promoted": True,
    "base": "chgnet",
    "fidelity": "dft:gpaw-pbe:gpaw-pw",
    "checkpoint_sha256": "abc",
    "data": {"version": "d4t4", "training": {"LiNbO3": 12}},
    "held_out_errors": {"before": {"force_mae_eV_A": 0.21}, "after": {"force_mae_eV_A": 0.12}},
}


@pytest.fixture
def model(folder):
    made = folder.parents[1] / "models" / "tuned"
    made.mkdir(parents=True)
    (made / "card.yaml").write_text(yaml.safe_dump(CARD))
    (made / "checkpoint.pt").write_bytes(b"x" * 1000)
    return made


def test_a_training_is_one_run_with_errors_before_and_after(folder, model):
    for _ in range(2):
        assert track_training(model, CARD)
    client, (run,) = all_runs(folder)
    assert (run.info.run_name, run.info.status) == ("tuned", "FINISHED")
    assert run.data.metrics == {
        "held_out_errors.before.force_mae_eV_A": 0.21,
        "held_out_errors.after.force_mae_eV_A": 0.12,
        "data.training.LiNbO3": 12.0,
    }
    assert (run.data.params["base"], run.data.params["checkpoint_sha256"]) == ("chgnet", "abc")
    assert (run.data.tags["dft_data_version"], run.data.tags["kind"]) == ("d4t4", "finetuned")
    assert inputs(run) == {("dft-data", "d4t4")}
    names = {a.path for a in client.list_artifacts(run.info.run_id, "model")}
    assert names == {"model/card.yaml", "model/checkpoint.pt"}
    assert len(client.get_metric_history(run.info.run_id, "held_out_errors.after.force_mae_eV_A")) == 1

    # trained anew into the same folder: another card, another run
    assert track_training(model, {**CARD, "checkpoint_sha256": "def"})
    assert len(all_runs(folder)[1]) == 2


def test_a_training_and_a_campaign_lie_in_one_experiment(folder, model):
    assert track(folder, OneRow(), IDENTITY)
    assert track_training(model, CARD)
    _, runs = all_runs(folder)
    assert {r.info.run_name for r in runs} == {"first", "Mg", "tuned"}


def test_of_a_large_model_only_the_card_is_copied(folder, model, monkeypatch):
    monkeypatch.setattr("screening.tracking.training.MAX_ARTIFACT_BYTES", 500)
    assert track_training(model, CARD)
    client, (run,) = all_runs(folder)
    assert {a.path for a in client.list_artifacts(run.info.run_id, "model")} == {"model/card.yaml"}


def test_trouble_with_the_store_costs_a_training_one_warning(folder, model, caplog):
    (folder.parents[1] / "mlflow.db").write_bytes(b"this is no database" * 100)
    with caplog.at_level(logging.WARNING):
        assert track_training(model, CARD) is False
    (warning,) = [r.getMessage() for r in caplog.records]
    assert str(model) in warning
