"""`screen rank` on a run into which DFT values were ingested, with a real store and a real MLflow database."""

import csv
import json

import pytest
import typer
import yaml
from mlflow.tracking import MlflowClient
from three_candidates import MG, ZR, candidates, fill, made
from typer.testing import CliRunner

from screening.campaign.load import load_run
from screening.campaign.rerank import rank_with_dft
from screening.campaign.summary import write_summary
from screening.cli.commands.rank import rank_command
from screening.config import Settings
from screening.engine.running.runlock import run_lock
from screening.engine.running.store import RecordStore
from screening.errors import UserError
from screening.retraining.softening import fit_softening

DFT, MP = "dft:vasp-pbe:kim2026", "dft:vasp-pbe:mp"


@pytest.fixture
def run(tmp_path, own_tracking):
    folder = tmp_path / "runs" / "first"
    folder.mkdir(parents=True)
    fill(RecordStore(folder / "store.db"))
    settings = Settings(adhesion={"soc": [1.0]})
    write_summary(
        folder / "summary.yaml", status="finished", settings=settings, candidates=list(candidates()), dopants="Mg,Zr",
        x="1/12",
    )  # fmt: skip
    return folder


def ingest(folder, barriers, fidelity=DFT):
    store = RecordStore(folder / "store.db")
    for name, value in barriers.items():
        store.put_record(made(name, "migration_barrier", value, fidelity))


def invoke(*arguments):
    app = typer.Typer()
    app.command()(rank_command)
    return CliRunner(env={"COLUMNS": "160"}).invoke(app, [str(a) for a in arguments], catch_exceptions=False)


def document(*arguments):
    return json.loads(invoke(*arguments, "--json").stdout)


def ranks(found):
    return {row["candidate"]: row["rank"] for row in found["rows"]}


def test_dft_turns_the_order_and_the_agreement_is_printed(run):
    assert ranks(document(run))[ZR] == 1
    ingest(run, {"LiNbO3": 1.3, MG: 0.9, ZR: 1.6})
    found = document(run)
    assert ranks(found)[MG] == 1
    assert found["reference"] == DFT
    # the potential has Zr, Mg, LiNbO3; DFT has Mg, LiNbO3, Zr
    assert found["agreement"][0]["pairs_in_order"] == pytest.approx(1 / 3)
    text = invoke(run).stdout
    for word in ("0.90 [0.85]", "the potential's own value", "migration_barrier_eV", "dft:migration_barrier", "33%"):
        assert word in text
    assert ranks(document(run, "--fidelity", "mlip:chgnet"))[ZR] == 1


def test_two_values_say_nothing_about_an_order(run):
    ingest(run, {MG: 0.9, ZR: 1.6})
    assert "too few to say" in invoke(run).stdout
    assert any("two scales" in note for note in document(run)["notes"])


def test_several_kinds_of_dft_need_a_choice(run):
    ingest(run, {MG: 0.9})
    ingest(run, {MG: 1.9}, MP)
    with pytest.raises(UserError, match=f"{DFT}.*{MP}.*--fidelity"):
        invoke(run)
    for fidelity, value in ((DFT, 0.9), (MP, 1.9)):
        row = next(r for r in document(run, "--fidelity", fidelity)["rows"] if r["candidate"] == MG)
        assert row["migration_barrier_eV"] == value


def test_a_correction_is_named_on_the_command_line_or_by_the_potential(run, tmp_path):
    ingest(run, {MG: 1.7, ZR: 1.0})
    softening = fit_softening(load_run(run).records)
    model = tmp_path / "models" / "soft"
    model.mkdir(parents=True)
    (model / "card.yaml").write_text(yaml.safe_dump({**softening.to_card(), "data": {"version": "v1v1"}}))
    slope = softening.lines["migration_barrier"].slope
    by_option = document(run, "--correction", "models/soft")
    summary = yaml.safe_load((run / "summary.yaml").read_text())
    summary["settings"]["potential"] = "models/soft"
    write_summary(run / "summary.yaml", settings=summary["settings"])
    for found in (by_option, document(run)):
        host = next(r for r in found["rows"] if r["candidate"] == "LiNbO3")
        assert host["migration_barrier_eV"] == pytest.approx(0.9 * slope)
        assert host["migration_barrier_mlip_eV"] == 0.9
        assert "corrected:migration_barrier" in host["flags"]
        assert found["correction"]["lines"]["migration_barrier"]["n_pairs"] == 2
    with pytest.raises(UserError, match="holds no card"):
        invoke(run, "--correction", tmp_path)
    # MLflow knows what the correction was fitted on
    invoke(run, "--write")
    (parent,) = [r for r in all_runs(tmp_path) if "mlflow.parentRunId" not in r.data.tags]
    assert parent.data.tags["dft_data_version"].endswith(",v1v1")


def all_runs(folder):
    client = MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}")
    return client.search_runs([client.get_experiment_by_name("coatscreen").experiment_id])


def test_writing_updates_files_and_mlflow_and_never_duplicates_a_run(run, tmp_path):
    invoke(run, "--write")
    before = all_runs(tmp_path)
    assert len(before) == 4
    assert not (run / "agreement.csv").exists()
    first = next(r for r in before if "mlflow.parentRunId" not in r.data.tags)
    assert first.data.tags["dft_data_version"] == "none"

    ingest(run, {"LiNbO3": 1.3, MG: 0.9, ZR: 1.6})
    invoke(run)
    assert "1.6" not in (run / "ranking.csv").read_text().split(ZR)[1].split("\n")[0]  # reading alone writes nothing
    invoke(run, "--write")
    with (run / "ranking.csv").open(newline="") as file:
        rows = {row["candidate"]: row for row in csv.DictReader(file)}
    assert (rows[ZR]["migration_barrier_eV"], rows[ZR]["migration_barrier_mlip_eV"]) == ("1.6", "0.5")
    assert (run / "agreement.csv").is_file()
    after = all_runs(tmp_path)
    assert {r.info.run_id for r in after} == {r.info.run_id for r in before}
    parent = next(r for r in after if r.info.run_id == first.info.run_id)
    version = parent.data.tags["dft_data_version"]
    assert parent.data.tags["fidelity"] == f"mlip:chgnet + {DFT}"
    assert ("dft-records", version) in {(i.dataset.name, i.dataset.digest) for i in parent.inputs.dataset_inputs}
    child = next(r for r in after if r.data.tags.get("coatscreen.candidate") == ZR)
    assert child.data.metrics["migration_barrier_dft_eV"] == 1.6
    assert child.data.metrics["migration_barrier_mlip_eV"] == 0.5

    # one more value is another version
    ingest(run, {ZR: 1.61})
    invoke(run, "--write")
    parent = next(r for r in all_runs(tmp_path) if r.info.run_id == first.info.run_id)
    assert parent.data.tags["dft_data_version"] not in ("none", version)


def test_writing_waits_for_no_run_in_progress_and_mlflow_trouble_is_not_fatal(run, tmp_path):
    with run_lock(run), pytest.raises(UserError, match="in use"):
        invoke(run, "--write")
    (tmp_path / "mlflow.db").write_bytes(b"this is no database" * 100)
    assert invoke(run, "--write").exit_code == 0
    assert (run / "ranking.csv").is_file()


def test_a_screen_that_ends_ranks_with_what_was_ingested_before(run, caplog):
    stored = load_run(run)
    computed = stored.records
    assert rank_with_dft(computed, computed, stored.candidates, stored.settings).reference == ""
    ingest(run, {MG: 0.9})
    ranking = rank_with_dft(computed, load_run(run).records, stored.candidates, stored.settings)
    assert ranking.reference == DFT
    # a choice that only the user can make leaves the screen its ranking, and says so
    ingest(run, {MG: 1.9}, MP)
    ranking = rank_with_dft(computed, load_run(run).records, stored.candidates, stored.settings)
    assert ranking.reference == ""
    assert "several fidelities" in ranking.notes[-1]
    assert "several fidelities" in caplog.text
    assert next(r for r in ranking.rows if r.candidate == MG).values["migration_barrier_eV"] == 0.85
