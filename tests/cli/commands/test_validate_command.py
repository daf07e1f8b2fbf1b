"""Bad input to `screen validate` is one sentence that says what to do, and nothing is written."""

import re
import sys
from dataclasses import replace
from functools import wraps

import pytest
import typer
from typer.testing import CliRunner

from screening.assets import asset
from screening.campaign.load import load_run
from screening.campaign.summary import write_summary
from screening.campaign.validate import potential_records
from screening.chemistry.candidate import Candidate, Defects, Substitution
from screening.cli.commands import validate as module
from screening.cli.commands.validate import validate_command
from screening.config import Settings
from screening.door.validate import Validation, pick_settings, validate
from screening.engine.running.records import Record
from screening.engine.running.store import RecordStore
from screening.errors import UserError
from screening.validation.gpaw.settings import GpawSettings
from screening.validation.jobs import Manifest
from screening.validation.runner import JobOutcome

PROPERTIES = {
    "work_of_adhesion": ("J/m2", 1.0),
    "migration_barrier": ("eV", 0.9),
    "oxidation_driving_force": ("eV/atom", 0.05),
    "e_above_hull": ("eV/atom", 0.01),
}
MG = "Mg_Li-vLi-1of12"


def candidates():
    substitution = Substitution(element="Mg", charge=2, site="Li", count=1)
    defects = Defects(substitutions=(substitution,), li_vacancies=1)
    yield Candidate(host="LiNbO3", n_fu=12)
    yield Candidate(host="LiNbO3", n_fu=12, defects=defects, compensation="li_vacancy", x_requested=1 / 12)


def write_run(folder, *, converged=True, names=("LiNbO3", MG)):
    folder.mkdir()
    store = RecordStore(folder / "store.db")
    for name in names:
        for prop, (unit, value) in PROPERTIES.items():
            store.put_record(
                Record(candidate=name, property=prop, value=value, unit=unit, fidelity="mlip:chgnet",
                       converged=converged, potential="chgnet", checkpoint_sha256="0" * 64,
                       details={"y": 1.0} if prop == "work_of_adhesion" else {})
            )  # fmt: skip
    write_summary(
        folder / "summary.yaml", status="finished", settings=Settings(adhesion={"soc": [1.0]}),
        candidates=list(candidates()),
    )  # fmt: skip
    return folder


@pytest.fixture
def run(tmp_path):
    return write_run(tmp_path / "first")


def invoke(*arguments):
    app = typer.Typer()
    app.command()(validate_command)
    return CliRunner(env={"COLUMNS": "140"}).invoke(app, [str(a) for a in arguments], catch_exceptions=False)


CASES = {
    "unknown candidate": (["--candidates", "Mg_Li-vLi-2of12"], MG),
    "no candidate": (["--candidates", ","], "--candidates"),
    "both ways to choose": (["--candidates", MG, "--top", "1"], "--top"),
    "more than are ranked": (["--top", "2"], "1 ranked"),
    "unknown kind of job": (["--only", "bulk,slabs"], "interface"),
    "unknown engine": (["--engine", "quantum"], "vasp"),
    "unknown settings": (["--settings", "kim2025"], "kim2026"),
    "settings of another engine": (["--settings", "kim2026", "--engine", "gpaw"], "kim2026"),
    "command without run": (["--command", "vasp_std"], "--run"),
    "out is a file": (["--out", "{run}/summary.yaml"], "--out"),
    "out is something else": (["--out", "{run}"], "--out"),
}


@pytest.mark.parametrize("case", CASES, ids=list(CASES))
def test_bad_input(case, run):
    arguments, word = CASES[case]
    before = sorted(p.name for p in run.iterdir())
    with pytest.raises(UserError) as caught:
        invoke(run, *[a.format(run=run) for a in arguments])
    message = str(caught.value)
    assert word in message
    assert len(message.splitlines()) == 1
    assert sorted(p.name for p in run.iterdir()) == before


def test_folder_that_is_no_run(tmp_path):
    with pytest.raises(UserError, match="there is no run"):
        invoke(tmp_path / "nowhere")


def test_run_without_records(tmp_path):
    run = write_run(tmp_path / "empty", names=())
    with pytest.raises(UserError, match="no records of mlip:chgnet"):
        invoke(run)
    assert not (run / "validation").exists()


def test_values_that_came_back_from_dft_are_not_the_potentials(run):
    store = RecordStore(run / "store.db")
    for fidelity in ("dft:vasp-pbe:kim2026", "mlip:chgnet-via-vasp"):
        store.put_record(replace(store.records()[0], fidelity=fidelity))
    assert {r.fidelity for r in potential_records(load_run(run))} == {"mlip:chgnet"}


def test_run_in_which_nothing_is_ranked(tmp_path):
    run = write_run(tmp_path / "loose", converged=False)
    with pytest.raises(UserError, match="--candidates"):
        invoke(run)


def test_run_whose_records_name_no_structures(run):
    with pytest.raises(UserError, match="nothing can be planned"):
        invoke(run, "--candidates", MG, "--only", "bulk")
    assert not (run / "validation").exists()


def test_settings_of_ones_own(tmp_path):
    text = asset("configs", "vasp", "kim2026.yaml").read_text().replace("name: kim2026", "name: ours")
    file = tmp_path / "ours.yaml"
    file.write_text(text)
    assert pick_settings(str(file), None).name == "ours"
    assert pick_settings(None, None).name == "kim2026"
    assert pick_settings("mp", "vasp").name == "mp"


MISSING = {
    "no-such-program": "'no-such-program' does not exist",
    "mpirun.toy -n 32 no-such-program": "'no-such-program' does not exist",
    "mpirun.toy --bind-to core -np 4 --map-by ppr:2:node no-such-program -x": "'no-such-program' does not exist",
    "srun.toy --ntasks=4 ./no-such-program": "'./no-such-program' does not exist",
    "env OMP_NUM_THREADS=1 mpirun.toy -n 2 no-such-program": "'no-such-program' does not exist",
    "OMP_NUM_THREADS=1 sh": "put env before it",
    "sh > vasp.log": "no shell reads it",
    "sh 'unclosed": "quotation mark",
    "{run}": "is a folder",
    "{run}/summary.yaml": "not executable",
    "mpirun.toy -n 2 {run}/summary.yaml": "not executable",
    "  ": "no command starts VASP",
}


@pytest.mark.parametrize("command", MISSING)
def test_command_that_cannot_start_is_one_sentence_before_anything_is_written(command, run, tmp_path, monkeypatch):
    for launcher in ("mpirun.toy", "srun.toy"):
        (tmp_path / launcher).write_text("#!/bin/sh\n")
        (tmp_path / launcher).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr("screening.validation.vasp.start_command.LAUNCHERS", {"mpirun.toy", "srun.toy", "env"})
    monkeypatch.delenv("COATSCREEN_VASP", raising=False)
    before = sorted(run.iterdir())
    with pytest.raises(UserError) as caught:
        invoke(run, "--run", "--command", command.format(run=run))
    assert MISSING[command] in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert sorted(run.iterdir()) == before


@pytest.mark.parametrize(
    ("package", "arguments", "words"),
    [
        ("custodian.vasp.jobs", ["--command", "true"], "coatscreen[dft]"),
        ("gpaw", ["--engine", "gpaw"], "GPAW is"),
    ],
)
def test_missing_package_is_one_sentence(package, arguments, words, run, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr("screening.validation.gpaw.engine.find_spec", lambda name: None)
    before = sorted(run.iterdir())
    with pytest.raises(UserError, match=re.escape(words)):
        invoke(run, "--run", *arguments)
    assert sorted(run.iterdir()) == before


def test_inputs_that_need_a_missing_package_leave_no_folder_half_written(run, monkeypatch):
    monkeypatch.setattr("screening.validation.gpaw.engine.find_spec", lambda name: None)
    before = sorted(run.rglob("*"))
    with pytest.raises(UserError, match="GPAW is not installed"):
        invoke(run, "--engine", "gpaw")
    assert sorted(run.rglob("*")) == before


@pytest.mark.parametrize("broken", [True, False])
def test_gpaw_that_cannot_be_loaded_or_has_no_data_sets_is_one_sentence(broken, tmp_path, monkeypatch):
    from screening.validation.gpaw import engine as gpaw_engine
    from screening.validation.programs import load_validation_settings

    (tmp_path / "gpaw.py").write_text("import no_such_libxc\n" if broken else "setup_paths = ['nowhere']\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "gpaw", raising=False)
    monkeypatch.setattr(gpaw_engine, "find_spec", lambda name: name == "gpaw" or None)
    settings = load_validation_settings("gpaw-pbe")
    assert isinstance(settings, GpawSettings)
    engine = gpaw_engine.GpawEngine(settings)
    with pytest.raises(UserError, match="no_such_libxc" if broken else "GPAW_SETUP_PATH"):
        engine.check()
    monkeypatch.delitem(sys.modules, "gpaw", raising=False)


@pytest.mark.parametrize(
    ("command", "simulated"),
    [
        ("vpmdk", True),
        ("/some/path/to/vpmdk", True),
        ("mpirun -n 2 /some/path/to/vpmdk", True),
        ("vasp_std", False),
        ("vpmdk/bin/vasp_std", False),
    ],
)
def test_what_stands_in_for_vasp_is_known_by_its_program_wherever_it_lies(command, simulated, tmp_path, monkeypatch):
    @wraps(validate)
    def finished(**options):
        manifest = Manifest(
            folder=tmp_path, run=tmp_path, settings="kim2026", engine="vasp", mlip_fidelity="mlip:chgnet", jobs=[]
        )
        outcomes = [JobOutcome(name="LiNbO3/bulk", status="done")]
        return Validation(folder=tmp_path, manifest=manifest, missing=[], kept=[], outcomes=outcomes)

    monkeypatch.setattr(module, "validate", finished)
    shown = invoke(tmp_path, "--run", "--command", command).output
    (following,) = [line for line in shown.splitlines() if line.startswith("Next: ")]
    assert "screen ingest" in following
    assert ("--allow-simulated" in following) == simulated
