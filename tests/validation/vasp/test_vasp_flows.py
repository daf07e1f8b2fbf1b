"""The jobs of a manifest as a jobflow Flow, run locally with vpmdk as the VASP command."""

import shutil

import pytest
import yaml
from jobflow import run_locally
from vasp_runs import VPMDK, nickel_oxide, write_inputs

from screening.errors import UserError
from screening.validation.vasp.flows import manifest_flow
from screening.validation.vasp.outputs.read_vasp import read_vasp


def manifest(folder, jobs: dict[str, list[str]], engine: str = "vasp"):
    entries = [{"name": name, "after": after, "role": "phase", "candidate": None} for name, after in jobs.items()]
    document = {"run": "..", "settings": "paper", "engine": engine, "mlip_fidelity": "mlip:chgnet", "jobs": entries}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "validation.yaml").write_text(yaml.safe_dump(document))
    return folder


def test_flow_runs_the_written_inputs_in_order_and_where_they_lie(tmp_path, nio_run, monkeypatch):
    folder = manifest(tmp_path / "validation", {"c/second": ["c/first"], "c/first": []})
    shutil.copytree(nio_run, folder / "c" / "second")  # finished: must be left alone
    write_inputs(folder / "c" / "first", nickel_oxide(seed=2), NSW=0, IBRION=-1)
    flow = manifest_flow(folder, " ".join(VPMDK))
    assert [job.name for job in flow.jobs] == ["c/first", "c/second"]
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    responses = run_locally(flow, log=False, ensure_success=True)
    outputs = [responses[job.uuid][1].output for job in flow.jobs]
    assert outputs[0]["energies"] == [read_vasp(folder / "c" / "first")[0].energy]
    assert outputs[1]["energies"] == [read_vasp(nio_run)[0].energy]
    assert [output["simulated_by"] for output in outputs] == ["chgnet", "chgnet"]


def test_child_of_a_failed_job_does_not_start(tmp_path):
    folder = manifest(tmp_path / "validation", {"first": [], "second": ["first"]})
    for name in ("first", "second"):
        write_inputs(folder / name, nickel_oxide())
    flow = manifest_flow(folder, "sh -c 'exit 1'")
    run_locally(flow, log=False)
    assert (folder / "first" / "custodian.json").exists()
    assert not (folder / "second" / "custodian.json").exists()


def test_job_that_is_the_same_as_another_is_left_to_it(tmp_path):
    folder = manifest(tmp_path / "validation", {"one": [], "two": [], "three": ["two"]})
    document = yaml.safe_load((folder / "validation.yaml").read_text())
    document["jobs"][1]["same_as"] = "one"
    (folder / "validation.yaml").write_text(yaml.safe_dump(document))
    flow = manifest_flow(folder, "vasp_std")
    assert [job.name for job in flow.jobs] == ["one", "three"]
    assert list(flow.graph.edges) == [(flow.jobs[0].uuid, flow.jobs[1].uuid)]


def test_circle_and_other_engine_are_sentences(tmp_path):
    with pytest.raises(UserError, match="wait for each other"):
        manifest_flow(manifest(tmp_path / "a", {"one": ["two"], "two": ["one"]}), "vasp_std")
    with pytest.raises(UserError, match="only VASP jobs"):
        manifest_flow(manifest(tmp_path / "b", {"one": []}, engine="gpaw"), "vasp_std")
    with pytest.raises(UserError, match=r"validation\.yaml"):
        manifest_flow(tmp_path / "none", "vasp_std")
