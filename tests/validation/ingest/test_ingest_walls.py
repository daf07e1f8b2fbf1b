"""Whatever one file, folder, manifest or run does costs only itself; names tell things apart."""

import os
from pathlib import Path

import numpy as np
import pytest
import yaml
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write
from typer.testing import CliRunner

from screening.cli.app import app
from screening.engine.running.records import Record
from screening.engine.running.store import RecordStore
from screening.errors import UserError
from screening.training_data import library
from screening.training_data.calculation import Calculation, CalculationDetails
from screening.training_data.library import DataLibrary
from screening.typed.shown_names import name_below, names_of_roots, plain_name
from screening.validation.ingest import ingest as ingest_module
from screening.validation.ingest.find import Found, find_calculations
from screening.validation.ingest.ingest import IngestRules, ingest

OWN = "dft:vasp-pbe:kim2026"


def frame(seed: int, **info) -> Atoms:
    atoms = bulk("MgO", "rocksalt", a=4.2, cubic=True)
    rng = np.random.default_rng(seed)
    shift = rng.normal(scale=0.05, size=(len(atoms), 3))
    atoms.positions += shift
    atoms.calc = SinglePointCalculator(atoms, energy=-50.0 + 3.0 * float((shift**2).sum()), forces=-6.0 * shift)
    atoms.info = {"fidelity": OWN, **info}
    return atoms


def frames_in(folder: Path, *seeds: int, name: str = "frames.extxyz") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / name, [frame(seed) for seed in seeds], format="extxyz")
    return folder


def screen(*arguments):
    result = CliRunner().invoke(app, list(map(str, arguments)), env={"COLUMNS": "200"})
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def links(tmp_path):
    """Links of every kind among two good jobs."""
    runs, outside = tmp_path / "runs", tmp_path / "outside"
    frames_in(runs / "a-good", 1)
    frames_in(runs / "z-good", 2)
    frames_in(outside / "job", 3)
    (runs / "outside-absolute").symlink_to(outside / "job")
    (runs / "outside-relative").symlink_to(Path("..") / "outside")
    (runs / "loop").symlink_to(runs)
    (runs / "itself").symlink_to("itself")
    (runs / "broken").symlink_to("nowhere")
    (runs / "m").mkdir()
    (runs / "m" / "linked.extxyz").symlink_to(frames_in(tmp_path / "store", 4) / "frames.extxyz")
    (runs / "m" / "broken.extxyz").symlink_to("nowhere.extxyz")
    (runs / "m" / "circle.extxyz").symlink_to("circle.extxyz")
    return runs


def test_links_of_every_kind_cost_no_good_job(tmp_path, links):
    report = ingest([links], tmp_path / "data", IngestRules())
    assert report.outcome.added == [
        "runs/a-good/frames.extxyz",
        "runs/m/linked.extxyz",
        "runs/outside-absolute/frames.extxyz",
        "runs/z-good/frames.extxyz",
    ]
    again = ingest([links / "m" / "linked.extxyz"], tmp_path / "other", IngestRules())
    assert again.outcome.added == ["linked.extxyz"]


def test_job_that_is_linked_into_its_validation_folder_belongs_to_it(tmp_path):
    root = tmp_path / "run" / "validation" / "kim2026"
    root.mkdir(parents=True)
    job = {"name": "c/bulk", "candidate": "c", "role": "bulk", "charge": 0, "n_atoms": 8}
    head = {"run": "../..", "settings": "kim2026", "engine": "vasp", "mlip_fidelity": "mlip:chgnet"}
    (root / "validation.yaml").write_text(yaml.safe_dump({**head, "jobs": [job]}))
    (root / "c").mkdir()
    (root / "c" / "bulk").symlink_to(frames_in(tmp_path / "scratch" / "7", 1))
    manifests = ingest_module.Manifests([])
    seen, name = manifests.above(root / "c" / "bulk")
    assert name == "c/bulk"
    assert seen is not None
    assert seen.jobs["c/bulk"]["candidate"] == "c"


def test_whatever_reading_or_judging_raises_is_one_line(tmp_path, monkeypatch):
    frames_in(tmp_path / "runs" / "good", 1)
    errors = [
        PermissionError(13, "Permission denied"), OSError(5, "Input/output error"), RecursionError("too deep"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), ZeroDivisionError("a bug"), KeyError("x"),
    ]  # fmt: skip

    def found(path, skip=None):
        for number, error in enumerate(errors):

            def fail(error=error):
                raise error

            yield Found(tmp_path / "runs" / f"bad-{number}", fail)
        yield from find_calculations(path, skip=skip)
        raise RuntimeError("Symlink loop")

    monkeypatch.setattr(ingest_module, "find_calculations", found)
    report = ingest([tmp_path / "runs"], tmp_path / "data", IngestRules())
    assert report.outcome.added == ["runs/good/frames.extxyz"]
    refused = dict(report.refused)
    assert set(refused) == {f"runs/bad-{number}" for number in range(len(errors))} | {"runs"}
    assert "Permission denied" in refused["runs/bad-0"]
    assert "ZeroDivisionError: a bug" in refused["runs/bad-4"]
    assert "ended early (RuntimeError: Symlink loop)" in refused["runs"]
    assert all(len(reason.splitlines()) == 1 for reason in refused.values())
    monkeypatch.setattr(ingest_module, "find_calculations", find_calculations)
    monkeypatch.setattr(ingest_module, "check_convergence", lambda c: 1 / 0)
    judged = ingest([tmp_path / "runs"], tmp_path / "data", IngestRules())
    assert "cannot be judged (ZeroDivisionError" in judged.refused[0][1]


@pytest.mark.parametrize(
    "text",
    ["run: [", "- a list", "jobs: 3", "\x00", "run: .\nsettings: s\nengine: vasp\nmlip_fidelity: m\njobs: [1]\n"],
)
def test_damaged_manifest_costs_its_records_and_not_its_jobs(tmp_path, text):
    frames_in(tmp_path / "kim2026" / "c" / "bulk", 1)
    frames_in(tmp_path / "kim2026" / "c" / "other", 2)
    (tmp_path / "kim2026" / "validation.yaml").write_text(text)
    report = ingest([tmp_path / "kim2026"], tmp_path / "data", IngestRules())
    assert len(report.outcome.added) == 2
    ((name, reason),) = report.refused
    assert name == str(tmp_path / "kim2026" / "validation.yaml")
    assert "give no records" in reason


def test_broken_store_of_a_run_keeps_the_frames_and_says_what_to_do(tmp_path):
    root = tmp_path / "run" / "validation" / "kim2026"
    job = {"name": "c/bulk/frames.extxyz", "candidate": "c", "role": "bulk", "charge": 0, "n_atoms": 8, "details": {}}
    frames_in(root / "c" / "bulk", 1)
    head = {"run": "../..", "settings": "kim2026", "engine": "vasp", "mlip_fidelity": "mlip:chgnet"}
    (root / "validation.yaml").write_text(yaml.safe_dump({**head, "jobs": [job]}))
    (tmp_path / "run" / "store.db").write_bytes(b"this is no database" * 100)
    result = screen("ingest", root, "--data", tmp_path / "data")
    assert result.exit_code == 1
    assert "no records written: the store" in result.output
    assert "mend or restore its store.db and ingest again, the data are kept" in result.output
    assert "1 calculations ingested with 1 frames" in result.output
    assert len(DataLibrary(tmp_path / "data").frames()) == 1


def test_failing_records_are_told_after_the_data_are_kept(tmp_path, monkeypatch):
    root = tmp_path / "run" / "validation" / "kim2026"
    frames_in(root / "c" / "bulk", 1)
    head = {"run": "../..", "settings": "kim2026", "engine": "vasp", "mlip_fidelity": "mlip:chgnet"}
    (root / "validation.yaml").write_text(yaml.safe_dump({**head, "jobs": []}))

    def broken(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ingest_module, "store_records", broken)
    result = screen("ingest", root, "--data", tmp_path / "data")
    assert result.exit_code == 1
    assert "no records written: OSError: No space left on device; mend or restore its store.db" in result.output
    assert len(DataLibrary(tmp_path / "data").frames()) == 1


def test_calculation_that_cannot_be_kept_costs_only_itself(tmp_path, monkeypatch):
    frames_in(tmp_path / "runs" / "one", 1)
    frames_in(tmp_path / "runs" / "two", 2)
    real = library.item_of

    def item_of(new):
        if "one" in new.source:
            raise FileNotFoundError(2, "No such file or directory")
        return real(new)

    monkeypatch.setattr(library, "item_of", item_of)
    report = ingest([tmp_path / "runs"], tmp_path / "data", IngestRules())
    assert report.outcome.added == ["runs/two/frames.extxyz"]
    assert report.refused == [
        ("runs/one/frames.extxyz", "it cannot be kept (FileNotFoundError: No such file or directory)")
    ]


def test_nothing_that_is_no_number_gets_into_the_training_set(tmp_path, monkeypatch):
    whole = frame(1)
    forces = whole.get_forces().copy()
    forces[0, 0] = np.nan
    monkeypatch.setattr(ingest_module, "check_convergence", lambda c: ingest_module.Findings())
    found = [Found(tmp_path / "x", lambda: [_calculation(whole, forces)])]
    monkeypatch.setattr(ingest_module, "find_calculations", lambda path, skip=None: iter(found))
    report = ingest([tmp_path], tmp_path / "data", IngestRules())
    assert "no finite number" in report.refused[0][1]
    assert not (tmp_path / "data").exists()


def _calculation(atoms: Atoms, forces) -> Calculation:
    from screening.training_data.calculation import Frame, Method

    return Calculation(
        source="x", method=Method(engine="vasp", functional="pbe"), electronic_converged=True, settings="kim2026",
        frames=(Frame(atoms=atoms, energy=-50.0, forces=forces),), details=CalculationDetails(fidelity=OWN),
    )  # fmt: skip


def test_notes_and_refusals_of_many_frames_are_one_line(tmp_path):
    file = tmp_path / "many.extxyz"
    images = [frame(seed) for seed in range(12)]
    for image in images:
        del image.info["fidelity"]
    write(file, images, format="extxyz")
    report = ingest([file], tmp_path / "data", IngestRules(settings="kim2026"))
    assert report.notes == [("many.extxyz", "its file does not say the method: taken as told")]
    assert len(report.outcome.added) == 12


@pytest.mark.parametrize("data", ["a-file", "broken"])
def test_data_that_is_no_folder_is_refused_before_anything_is_read(tmp_path, monkeypatch, data):
    frames_in(tmp_path / "runs", 1)
    (tmp_path / "a-file").write_text("x")
    (tmp_path / "broken").symlink_to("nowhere")
    monkeypatch.setattr(ingest_module, "find_calculations", None)
    with pytest.raises(UserError, match="is no folder; give --data a folder"):
        ingest([tmp_path / "runs"], tmp_path / data, IngestRules())


def test_link_to_nothing_is_named_as_such(tmp_path):
    (tmp_path / "broken").symlink_to("nowhere")
    with pytest.raises(UserError, match="is a link to nothing"):
        ingest([tmp_path / "broken"], tmp_path / "data", IngestRules())


def test_two_folders_of_one_name_do_not_look_alike(tmp_path):
    roots = [frames_in(tmp_path / day / "run", seed) for seed, day in enumerate(("monday", "tuesday"))]
    report = ingest([*roots, frames_in(tmp_path / "other", 5)], tmp_path / "data", IngestRules())
    assert report.outcome.added == [
        "monday/run/frames.extxyz", "tuesday/run/frames.extxyz", "other/frames.extxyz",
    ]  # fmt: skip
    assert names_of_roots([Path("/a/run"), Path("/a/run/"), Path("/run")]) == {
        Path("/a/run"): "a/run", Path("/run"): "/run".replace("/run", "//run"),
    }  # fmt: skip


def test_names_hold_nothing_that_a_file_or_terminal_could_not(tmp_path):
    odd = [b"line\nend", b"bell\x07", b"latin\xe9", "zero\u200bwidth".encode(), b"back\\slash"]
    for number, name in enumerate(odd):
        frames_in(Path(os.fsdecode(os.fsencode(tmp_path / "runs") + b"/" + name)), number)
    report = ingest([tmp_path / "runs"], tmp_path / "data", IngestRules())
    assert len(report.outcome.added) == len(odd)
    assert {f"runs/{name}/frames.extxyz" for name in ("line%0Aend", "latin%E9", "back%5Cslash")} < set(
        report.outcome.added
    )
    sources = {atoms.info["source"] for atoms in DataLibrary(tmp_path / "data").frames()}
    assert sources == set(report.outcome.added)
    assert all(name.isprintable() and name.isascii() for name in sources)
    assert plain_name("Größe 100%") == "Größe 100%"
    assert plain_name("line%0Aend") == "line%250Aend"
    assert name_below(Path("x"), "x", Path("x/01")) == "x/01"


def test_interruption_leaves_the_folder_as_it_was(tmp_path, monkeypatch):
    ingest([frames_in(tmp_path / "one", 1)], tmp_path / "data", IngestRules())
    names = ("training.extxyz", "calculations.yaml")
    before = [(tmp_path / "data" / name).read_bytes() for name in names]

    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("screening.training_data.library_files.yaml.dump", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ingest([frames_in(tmp_path / "two", 2)], tmp_path / "data", IngestRules())
    monkeypatch.undo()
    assert [(tmp_path / "data" / name).read_bytes() for name in names] == before
    report = ingest([tmp_path / "two"], tmp_path / "data", IngestRules())
    assert report.outcome.added == ["two/frames.extxyz"]
    assert len(DataLibrary(tmp_path / "data").frames()) == 2


def test_record_is_written_beside_what_failed(tmp_path):
    """The other runs of the same call get theirs."""
    for name in ("broken", "whole"):
        root = tmp_path / name / "validation" / "kim2026"
        frames_in(root / "c" / "bulk", 1 if name == "broken" else 2)
        head = {"run": "../..", "settings": "kim2026", "engine": "vasp", "mlip_fidelity": "mlip:chgnet"}
        (root / "validation.yaml").write_text(yaml.safe_dump({**head, "jobs": []}))
    store = RecordStore(tmp_path / "whole" / "store.db")
    store.put_record(
        Record(candidate="c", property="band_gap", value=1.0, unit="eV", fidelity="mlip:chgnet", converged=True,
               potential="chgnet", checkpoint_sha256="0" * 64)
    )  # fmt: skip
    (tmp_path / "broken" / "summary.yaml").write_text("store: [")
    report = ingest([tmp_path / "broken", tmp_path / "whole"], tmp_path / "data", IngestRules())
    assert len(report.outcome.added) == 2
    assert [Path(run).name for run, _ in report.unwritten] == ["broken"]
