"""`ingest` as a whole: a batch with every kind of bad input, manifests, records, and doing it twice."""

import json
import shutil
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.io import write
from typer.testing import CliRunner
from vasp_runs import PaperLike, look_like_vasp

from screening.cli.app import app
from screening.engine.running.records import Record
from screening.engine.running.store import RecordStore
from screening.errors import UserError
from screening.training_data.library import DataLibrary
from screening.validation.ingest.ingest import IngestRules, ingest
from screening.validation.vasp.outputs.read_vasp import read_vasp

SIMULATED = IngestRules(allow_simulated=True)


def contents(folder: Path) -> dict:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def screen(*arguments):
    result = CliRunner().invoke(app, list(map(str, arguments)), env={"COLUMNS": "200"})
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def batch(tmp_path, nio_run, static_run, copy_of):
    """The bad inputs, each in a folder of its name, and two good runs among them."""
    look_like_vasp(copy_of(nio_run, "good"))
    look_like_vasp(copy_of(static_run, "good-static"))
    look_like_vasp(copy_of(nio_run, "other-u"), u=6.4)
    look_like_vasp(copy_of(nio_run, "other-functional"), gga="PS")
    look_like_vasp(copy_of(nio_run, "other-cutoff"), encut=400.0)
    look_like_vasp(copy_of(nio_run, "other-potcar"), titles={"Ni": "PAW_PBE Ni 02Aug2007"})
    look_like_vasp(copy_of(nio_run, "unconverged-electrons"), nelm_steps=60)
    look_like_vasp(copy_of(nio_run, "unconverged-ions"), nsw=3)
    cut = look_like_vasp(copy_of(nio_run, "cut")) / "vasprun.xml"
    cut.write_text(cut.read_text()[:9000])
    copy_of(nio_run, "simulated")
    (tmp_path / "runs" / "no-calculation").mkdir()
    (tmp_path / "runs" / "no-calculation" / "thesis.tex").write_text("x")
    return tmp_path / "runs"


REASONS = {
    "runs/other-u": "U of Ni is 6.4 eV",
    "runs/other-functional": "functional is pbesol",
    "runs/other-cutoff": "cutoff is 400 eV",
    "runs/other-potcar": "POTCAR of Ni is PAW_PBE Ni 02Aug2007",
    "runs/unconverged-electrons": "electronic steps did not converge",
    "runs/unconverged-ions": "relaxation did not converge",
    "runs/cut": "vasprun.xml is cut or broken",
    "runs/simulated": "not made by VASP but by the potential chgnet",
    "runs/no-calculation": "it is no calculation (it holds thesis.tex)",
}


@pytest.mark.parametrize("options", [IngestRules(), IngestRules(settings="paper")])
def test_each_bad_input_is_named_and_the_rest_is_ingested(tmp_path, paper, batch, options):
    report = ingest([batch], tmp_path / "data", options)
    refused = dict(report.refused)
    assert refused.keys() == REASONS.keys()
    for name, reason in REASONS.items():
        assert reason in refused[name], name
    assert report.outcome.added == ["runs/good", "runs/good-static"]
    frames = DataLibrary(tmp_path / "data").frames()
    assert {atoms.info["source"] for atoms in frames} == {"runs/good", "runs/good-static"}
    assert {atoms.info["fidelity"] for atoms in frames} == {"dft:vasp-pbe+u:paper"}
    entry = DataLibrary(tmp_path / "data").calculations()[0]
    assert entry["method"]["hubbard"] == {"Ni": 6.0}
    assert entry["settings"] == "paper"
    assert list(entry["sha256"]) == ["vasprun.xml"]


def test_twice_changes_no_byte(tmp_path, paper, batch):
    first = ingest([batch], tmp_path / "data", IngestRules())
    before = contents(tmp_path)
    second = ingest([batch], tmp_path / "data", IngestRules())
    assert contents(tmp_path) == before
    assert second.outcome.known == first.outcome.added
    assert second.refused == first.refused
    assert second.version == first.version


def test_frames_are_those_of_the_run(tmp_path, paper, batch, nio_run):
    ingest([batch / "good"], tmp_path / "data", IngestRules())
    frames = DataLibrary(tmp_path / "data").frames()
    final = read_vasp(nio_run)[0].final
    assert frames[-1].get_potential_energy() == pytest.approx(final.energy)
    np.testing.assert_allclose(frames[-1].get_forces(), final.forces, atol=1e-7)
    np.testing.assert_allclose(frames[-1].get_stress(voigt=False), final.stress, atol=1e-9)


def test_two_runs_that_disagree_are_named_and_neither_ingested(tmp_path, paper, nio_run, static_run, copy_of):
    look_like_vasp(copy_of(nio_run, "one"))
    look_like_vasp(copy_of(nio_run, "two"), energy_shift=0.1)
    look_like_vasp(copy_of(static_run, "three"))
    report = ingest([tmp_path / "runs"], tmp_path / "data", IngestRules())
    ((source, against, difference),) = report.outcome.disputes
    assert {source, against} == {"runs/one", "runs/two"}
    assert abs(difference) == pytest.approx(0.05)
    assert report.outcome.added == ["runs/three"]
    before = contents(tmp_path / "data")
    again = screen("ingest", tmp_path / "runs", "--data", tmp_path / "data")
    assert contents(tmp_path / "data") == before
    assert "disagrees with" in again.output
    assert "50.0 meV/atom" in again.output


def test_strange_files_do_not_stop_the_batch(tmp_path, paper, nio_run, static_run, copy_of):
    look_like_vasp(copy_of(nio_run, "good"))
    strange = copy_of(nio_run, "strange")
    (strange / "INCAR").write_bytes(b"\xff\xfe LDAUU = what\n = 3\n")
    (strange / "POSCAR").write_text("")
    foreign, cut = copy_of(static_run, "foreign"), copy_of(static_run, "cut")
    look_like_vasp(foreign)
    (foreign / "job.json").write_text('{"name": ["queue"], "settings": {"walltime": 3600}}')  # another program's
    (cut / "job.json").write_text('{"name": "c/bulk", "sett')
    (tmp_path / "runs" / "loop").symlink_to(tmp_path / "runs")
    (tmp_path / "runs" / "binary").mkdir()
    (tmp_path / "runs" / "binary" / "OUTCAR").write_bytes(bytes(range(256)) * 20)
    report = ingest([tmp_path / "runs"], tmp_path / "data", IngestRules())
    assert report.outcome.added == ["runs/foreign", "runs/good"]
    assert set(dict(report.refused)) == {"runs/strange", "runs/binary", "runs/cut"}
    assert "job.json is damaged; remove it" in dict(report.refused)["runs/cut"]


def test_element_that_the_settings_do_not_know_refuses_that_run_alone(tmp_path, paper, nio_run, copy_of):
    look_like_vasp(copy_of(nio_run, "one"))

    def expected(atoms):
        raise UserError("the settings paper name no POTCAR for Ni; add it.")

    paper.expected = expected
    report = ingest([tmp_path / "runs"], tmp_path / "data", IngestRules(settings="paper"))
    assert report.refused == [("runs/one", "the settings paper name no POTCAR for Ni; add it")]


def test_copy_in_another_place_is_a_duplicate_or_known(tmp_path, paper, nio_run, copy_of):
    look_like_vasp(copy_of(nio_run, "one"))
    look_like_vasp(copy_of(nio_run, "moved"))
    report = ingest([tmp_path / "runs"], tmp_path / "data", IngestRules())
    assert len(report.outcome.added) == 1
    assert len(report.outcome.known) == 1
    assert len(DataLibrary(tmp_path / "data").calculations()) == 1


def test_simulated_run_never_gets_a_dft_fidelity(tmp_path, paper, nio_run, band_run, copy_of):
    copy_of(nio_run, "one")
    copy_of(band_run, "band")
    refused = ingest([tmp_path / "runs"], tmp_path / "data", IngestRules(settings="paper"))
    assert not refused.useful
    assert not (tmp_path / "data").exists()
    for options in (SIMULATED, IngestRules(settings="paper", allow_simulated=True)):
        data = tmp_path / f"data-{options.settings}"
        report = ingest([tmp_path / "runs"], data, options)
        assert report.refused == []
        assert {entry["fidelity"] for entry in DataLibrary(data).calculations()} == {"mlip:chgnet-via-vasp"}
        assert {atoms.info["fidelity"] for atoms in DataLibrary(data).frames()} == {"mlip:chgnet-via-vasp"}
        # the end points are mirror images of each other; the middle relaxed to the structure of the other run
        assert len(refused.refused) == 2  # one line for the band, not one per image
        assert report.outcome.added == ["runs/band:00", "runs/band:01", "runs/one"]
        assert report.outcome.duplicates == [("runs/band:02", "runs/band:00")]


def test_unknown_method_is_kept_under_its_own_name_when_asked(tmp_path, paper, nio_run, copy_of):
    look_like_vasp(copy_of(nio_run, "other"), u=4.0)
    refused = ingest([tmp_path / "runs"], tmp_path / "data", IngestRules())
    assert "--accept-method" in refused.refused[0][1]
    ingest([tmp_path / "runs"], tmp_path / "data", IngestRules(accept_method=True))
    (entry,) = DataLibrary(tmp_path / "data").calculations()
    assert entry["fidelity"].startswith("dft:vasp-pbe+u:own-")


def test_own_training_set_is_taken_back_and_foreign_frames_need_settings(tmp_path, paper, batch):
    ingest([batch / "good"], tmp_path / "data", IngestRules())
    again = ingest([tmp_path / "data" / "training.extxyz"], tmp_path / "copy", IngestRules())
    assert len(again.outcome.added) == 1
    assert DataLibrary(tmp_path / "copy").version == DataLibrary(tmp_path / "data").version
    other = ingest([tmp_path / "data" / "training.extxyz"], tmp_path / "other", IngestRules(accept_method=True))
    assert other.outcome.added  # a file that names its settings needs no guess
    atoms = bulk("NiO", "rocksalt", a=4.2)
    atoms.symbols[:] = ["Ni", "Ni"]
    atoms.calc = EMT()
    atoms.get_forces()
    write(tmp_path / "foreign.xyz", atoms, format="extxyz")
    refused = ingest([tmp_path / "foreign.xyz"], tmp_path / "copy", IngestRules())
    assert "--settings NAME" in refused.refused[0][1]
    told = ingest([tmp_path / "foreign.xyz"], tmp_path / "copy", IngestRules(settings="paper"))
    assert told.outcome.added
    assert "taken as told" in told.notes[0][1]


def validation_folder(tmp_path, jobs: dict[str, Path], *, settings: str = "paper") -> Path:
    """RUN/validation/paper with a manifest and the outputs of its jobs."""
    folder = tmp_path / "run" / "validation" / "paper"
    folder.mkdir(parents=True)
    RecordStore(tmp_path / "run" / "store.db")
    entries = []
    for name, source in jobs.items():
        shutil.copytree(source, folder / name)
        role = name.split("/")[1] if name.startswith("c/") else "phase"
        entries.append(
            {
                "name": name, "candidate": "c" if name.startswith("c/") else None, "role": role, "relax": "cell",
                "charge": 0, "kpoints": [4, 4, 4], "slab": False, "after": [], "details": {"n_fu": 1}, "n_atoms": 2,
                "formula": "NiO", "electrons": 22, "core_hours": 0.1, "mlip_energy": None,
            }
        )  # fmt: skip
    document = {
        "run": "../..", "settings": settings, "engine": "vasp", "mlip_fidelity": "mlip:chgnet", "jobs": entries,
    }  # fmt: skip
    (folder / "validation.yaml").write_text(yaml.safe_dump(document))
    return folder


class Made(list):
    """What `records_from` returns, of which only the band gap of each bulk is made here."""

    missing = ("c: work_of_adhesion: c/interface-y1 is not finished",)


@pytest.fixture
def finished_jobs(monkeypatch):
    """Stands for the part that turns jobs into records, and remembers which jobs it was given."""
    seen: dict[str, Any] = {}

    def records_from(manifest, finished, records, settings):
        seen.clear()
        seen.update(finished)
        gaps = {job["candidate"]: finished[job["name"]][0] for job in manifest.jobs if job["role"] == "bulk"}
        return Made(
            Record(
                candidate=name, property="band_gap", value=bulk.band_gap, unit="eV", converged=True, potential="pbe+u",
                fidelity=f"dft:vasp-pbe+u:{settings}", checkpoint_sha256="", recipe_hash="x",
            )
            for name, bulk in gaps.items()
        )  # fmt: skip

    module = types.ModuleType("screening.validation.records.records")
    monkeypatch.setattr(module, "records_from", records_from, raising=False)
    monkeypatch.setitem(sys.modules, "screening.validation.records.records", module)
    return seen


def with_eigenvalues(folder: Path, valence: float, conduction: float) -> Path:
    """One k-point with two bands, of which the lower is full, in the last ionic step."""
    path = folder / "vasprun.xml"
    block = (
        '<eigenvalues><array><set><set comment="spin 1"><set comment="kpoint 1">'
        f"<r> {valence} 1.0 </r><r> {conduction} 0.0 </r></set></set></set></array></eigenvalues>"
    )
    head, tail = path.read_text().rsplit("</calculation>", 1)
    path.write_text(f"{head}{block}</calculation>{tail}")
    return folder


def test_manifest_gives_settings_and_the_run_gets_its_records_once(tmp_path, paper, nio_run, static_run, finished_jobs):
    folder = validation_folder(tmp_path, {"c/bulk": nio_run, "phases/NiO": static_run})
    with_eigenvalues(look_like_vasp(folder / "c" / "bulk"), 1.0, 4.25)
    look_like_vasp(folder / "phases" / "NiO")
    report = ingest([folder / "c"], tmp_path / "data", IngestRules())
    (gap,) = RecordStore(tmp_path / "run" / "store.db").records()
    assert (gap.candidate, gap.value) == ("c", pytest.approx(3.25))
    assert report.n_records == 1
    assert ("run", f"no DFT value: {Made.missing[0]}") in report.notes
    (entry,) = DataLibrary(tmp_path / "data").calculations()
    assert (entry["candidate"], entry["role"], entry["job"]) == ("c", "bulk", "c/bulk")
    assert entry["band_gap"] == pytest.approx(3.25)
    before = contents(tmp_path)
    assert ingest([folder / "c"], tmp_path / "data", IngestRules()).n_records == 0
    assert contents(tmp_path) == before


def test_all_finished_jobs_of_a_manifest_count_for_its_records(tmp_path, paper, nio_run, static_run, finished_jobs):
    jobs = {"c/bulk": nio_run, "phases/NiO": static_run, "phases/bad": nio_run, "phases/twin": static_run}
    folder = validation_folder(tmp_path, jobs)
    for name in ("c/bulk", "phases/NiO"):
        look_like_vasp(folder / name)
    look_like_vasp(folder / "phases" / "bad", u=1.0)
    shutil.rmtree(folder / "phases" / "twin")
    document = yaml.safe_load((folder / "validation.yaml").read_text())
    document["jobs"][3]["same_as"] = "phases/NiO"
    (folder / "validation.yaml").write_text(yaml.safe_dump(document))
    ingest([folder / "c"], tmp_path / "data", IngestRules())
    assert {name: len(items) for name, items in finished_jobs.items()} == {
        "c/bulk": 1,
        "phases/NiO": 1,
        "phases/twin": 1,
    }
    assert len(DataLibrary(tmp_path / "data").calculations()) == 1  # only what was named becomes data


def test_disputed_job_makes_no_record(tmp_path, paper, nio_run, static_run, copy_of, finished_jobs):
    folder = validation_folder(tmp_path, {"c/bulk": static_run, "phases/NiO": nio_run})
    look_like_vasp(folder / "c" / "bulk")
    look_like_vasp(folder / "phases" / "NiO")
    other = look_like_vasp(copy_of(nio_run, "other"), energy_shift=0.1)
    ingest([folder, other], tmp_path / "data", IngestRules())
    assert list(finished_jobs) == ["c/bulk"]


def test_job_file_beside_the_inputs_stands_for_a_lost_manifest(tmp_path, paper, nio_run, copy_of):
    folder = look_like_vasp(copy_of(nio_run, "lost"))
    job = {"name": "c/bulk", "settings": "paper", "candidate": "c", "role": "bulk", "charge": -1, "n_atoms": 2}
    (folder / "job.json").write_text(json.dumps(job))
    report = ingest([folder], tmp_path / "data", IngestRules())
    assert "its charge is 0, its job has -1" in report.refused[0][1]
    (folder / "job.json").write_text(json.dumps({**job, "charge": 0}))
    ingest([folder], tmp_path / "data", IngestRules())
    assert DataLibrary(tmp_path / "data").calculations()[0]["candidate"] == "c"


def test_command_prints_a_line_per_refusal_and_a_summary(tmp_path, paper, batch):
    result = screen("ingest", batch, "--data", tmp_path / "data")
    assert result.exit_code == 0
    lines = result.output.splitlines()
    for name, reason in REASONS.items():
        assert any(line.startswith(f"{name}: not ingested: ") and reason in line for line in lines), name
    assert "2 calculations ingested" in lines[-1]
    assert "9 not ingested" in lines[-1]
    again = screen("ingest", batch, "--data", tmp_path / "data")
    assert again.exit_code == 0
    assert "0 calculations ingested with 0 frames, 2 known already" in again.output


def test_command_fails_when_nothing_is_usable(tmp_path, paper, batch):
    result = screen("ingest", batch / "cut", batch / "no-calculation", "--data", tmp_path / "data")
    assert result.exit_code == 2
    assert "0 calculations ingested" in result.output
    assert "holds no data" in result.output
    assert not (tmp_path / "data").exists()
    with pytest.raises(UserError, match="does not exist"):
        screen("ingest", tmp_path / "nowhere")


def test_help_names_every_option():
    output = screen("ingest", "--help").output
    for option in ("--data", "--settings", "--accept-method", "--allow-simulated"):
        assert option in output


def test_paper_like_settings_are_what_the_runs_were_made_with(nio_run):
    method = read_vasp(nio_run)[0].method
    expected = PaperLike().expected(read_vasp(nio_run)[0].atoms)
    assert (method.functional, method.hubbard, method.cutoff) == (
        expected.functional,
        expected.hubbard,
        expected.cutoff,
    )
