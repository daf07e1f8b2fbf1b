import json
import logging
import math
import socket

import pytest
from mlflow.tracking import MlflowClient

from screening.tracking import session as tracking
from screening.tracking.mlflow_tracking import track, track_status

IDENTITY = {"dopants": "Mg,Zr", "settings": {"seed": 0, "bulk": {"n_fu": 12}}}


class FakeRanking:
    def __init__(self, rows):
        self.rows = rows

    def flat(self):
        return self.rows


def row(rank, candidate, **fields):
    base = {
        "rank": rank,
        "candidate": candidate,
        "formula": "[Li5/6Mg1/12]NbO3",
        "dopants": "Mg",
        "site": "Li",
        "x": 1 / 12,
        "work_of_adhesion_min_J_m2": 1.05,
        "work_of_adhesion_y0.333_J_m2": 1.05,
        "migration_barrier_eV": 0.87,
        "window_reduction_V": None,
        "score": 0.5,
        "pareto": rank == 1,
        "converged": True,
        "flags": ["thin_slab", "reacted:y1"],
        "work_of_adhesion_min_J_m2_low": 0.9,
        "x_bulk": 1 / 12,
        "compensation": "li_vacancy",
    }
    return base | fields


ROWS = [row(1, "Mg_Li-vLi-1of12"), row(2, "LiNbO3", x=0.0, dopants="", score=0.0), row(3, "Zr_Nb-iLi-1of12")]


@pytest.fixture
def folder(tmp_path, own_tracking):
    """A run folder, with the default store in the current folder."""
    run = tmp_path / "runs" / "first"
    run.mkdir(parents=True)
    (run / "ranking.csv").write_text("rank,candidate\n1,Mg\n")
    (run / "ranking.json").write_text("{}")
    (run / "summary.yaml").write_text("status: finished\n")
    return run


def runs_of(folder):
    client = MlflowClient(tracking_uri=f"sqlite:///{folder.parents[1] / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("coatscreen")
    runs = client.search_runs([experiment.experiment_id])
    parents = [r for r in runs if "mlflow.parentRunId" not in r.data.tags]
    children = {r.data.tags["coatscreen.candidate"]: r for r in runs if "mlflow.parentRunId" in r.data.tags}
    assert len(children) + len(parents) == len(runs)
    return client, parents, children


def test_a_resumed_campaign_updates_its_runs_and_duplicates_none(folder):
    assert track_status(folder, IDENTITY, "RUNNING")
    client, (parent,), children = runs_of(folder)
    assert (parent.info.status, children) == ("RUNNING", {})

    assert track(folder, FakeRanking(ROWS[:2]), IDENTITY)
    client, (first,), children = runs_of(folder)
    assert first.info.run_id == parent.info.run_id == json.loads((folder / "tracking.json").read_text())["run_id"]
    assert first.info.status == "FINISHED"
    assert set(children) == {"Mg_Li-vLi-1of12", "LiNbO3"}
    mg = children["Mg_Li-vLi-1of12"]
    assert mg.data.tags["mlflow.parentRunId"] == parent.info.run_id
    # every numeric column is a metric, flags and labels are tags, contents are parameters
    assert mg.data.metrics == {
        "rank": 1.0,
        "work_of_adhesion_min_J_m2": 1.05,
        "work_of_adhesion_y0.333_J_m2": 1.05,
        "migration_barrier_eV": 0.87,
        "score": 0.5,
        "work_of_adhesion_min_J_m2_low": 0.9,
    }
    assert mg.data.tags["flags"] == "thin_slab;reacted:y1"
    assert (mg.data.tags["pareto"], mg.data.tags["converged"], mg.data.tags["site"]) == ("True", "True", "Li")
    assert float(mg.data.params["x"]) == 1 / 12
    assert first.data.params["settings.bulk.n_fu"] == "12"

    # the same campaign goes on: one more candidate, one that lost its rank, and tracking.json lost its run id
    state = json.loads((folder / "tracking.json").read_text())
    del state["run_id"]
    (folder / "tracking.json").write_text(json.dumps(state))
    lost = row(None, "Mg_Li-vLi-1of12", converged=False, score=None, flags=["unconverged:migration_barrier"])
    assert track(folder, FakeRanking([ROWS[1] | {"rank": 1}, ROWS[2] | {"rank": 2}, lost]), IDENTITY)
    client, (again,), children = runs_of(folder)
    assert again.info.run_id == parent.info.run_id
    assert set(children) == {"Mg_Li-vLi-1of12", "LiNbO3", "Zr_Nb-iLi-1of12"}
    assert children["Mg_Li-vLi-1of12"].info.run_id == mg.info.run_id
    # a rank that no longer holds must not stay in the runs table
    assert math.isnan(children["Mg_Li-vLi-1of12"].data.metrics["rank"])
    assert children["Mg_Li-vLi-1of12"].data.tags["converged"] == "False"
    assert children["LiNbO3"].data.metrics["rank"] == 1.0
    history = client.get_metric_history(mg.info.run_id, "migration_barrier_eV")
    assert [m.value for m in history] == [0.87]

    # the parent: one table with the present rows, the ranking as data set, the files
    table = client.load_table(again.info.experiment_id, "ranking_table.json", [again.info.run_id])
    assert list(table["candidate"]) == ["LiNbO3", "Zr_Nb-iLi-1of12", "Mg_Li-vLi-1of12"]
    assert {d.dataset.name for d in again.inputs.dataset_inputs} == {"ranking"}
    names = {a.path for a in client.list_artifacts(again.info.run_id)}
    assert {"ranking.csv", "ranking.json", "summary.yaml", "ranking_table.json"} <= names
    assert (folder.parents[1] / "mlartifacts").is_dir()
    assert not (folder.parents[1] / "mlruns").exists()


def test_two_campaigns_have_two_parents_and_a_failure_is_marked(folder):
    second = folder.parent / "second"
    second.mkdir()
    assert track(folder, FakeRanking(ROWS[:1]), IDENTITY)
    assert track_status(second, IDENTITY, "FAILED")
    _, parents, children = runs_of(folder)
    assert {p.info.run_name: p.info.status for p in parents} == {"first": "FINISHED", "second": "FAILED"}
    assert set(children) == {"Mg_Li-vLi-1of12"}


def test_an_unreachable_server_costs_one_warning(folder, monkeypatch, caplog):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://user:secret@127.0.0.1:{port}")
    with caplog.at_level(logging.WARNING):
        assert track(folder, FakeRanking(ROWS), IDENTITY) is False
    warnings = [r.getMessage() for r in caplog.records]
    assert len(warnings) == 1
    assert str(folder) in warnings[0]
    assert "secret" not in warnings[0]
    assert "secret" not in (folder / "tracking.json").read_text()
    assert (folder / "ranking.csv").exists()


def test_a_damaged_store_costs_one_warning_and_is_left_alone(folder, caplog):
    database = folder.parents[1] / "mlflow.db"
    database.write_bytes(b"this is no database" * 100)
    assert track(folder, FakeRanking(ROWS), IDENTITY) is False
    assert len(caplog.records) == 1
    assert database.read_bytes() == b"this is no database" * 100


def test_the_environment_chooses_the_store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert tracking.sqlite_path(tracking.tracking_uri()) == tmp_path / "mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:////elsewhere/shared.db")
    assert str(tracking.sqlite_path(tracking.tracking_uri())) == "/elsewhere/shared.db"
    assert tracking.sqlite_path("http://127.0.0.1:5000") is None
