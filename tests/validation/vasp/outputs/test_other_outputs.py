"""What ran but is not read is named with what to give instead; odd entries of a folder never end the walk."""

import os
import sys
from pathlib import Path

import pytest
from hand_written import Run, write

from screening.training_data.calculation import CalculationUnreadable
from screening.validation.ingest.find import find_calculations
from screening.validation.vasp.outputs.other_outputs import why_no_output
from screening.validation.vasp.outputs.read_vasp import read_vasp


def outcome(path):
    found: dict[str, int | str] = {}
    for item in find_calculations(path):
        name = str(item.path.relative_to(path)) if path.is_dir() else item.path.name
        try:
            found[name] = len(item.read())
        except CalculationUnreadable as error:
            found[name] = str(error)
    return found


def folder_with(place: Path, **files: str | bytes) -> Path:
    place.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = place / name.replace("__", ".")
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return place


INPUTS = {"INCAR": "ENCUT = 500\n", "POSCAR": "x\n"}


def test_vaspout_alone_did_run(tmp_path):
    run = folder_with(tmp_path / "h5", vaspout__h5=b"\x89HDF\r\n", **INPUTS)
    expected = "vaspout.h5 is not read: give the vasprun.xml or OUTCAR of the same run"
    assert outcome(tmp_path) == {"h5": expected}
    with pytest.raises(CalculationUnreadable, match=r"vaspout\.h5 is not read"):
        read_vasp(run)
    (file,) = find_calculations(run / "vaspout.h5")
    with pytest.raises(CalculationUnreadable, match=r"vaspout\.h5 is not read"):
        file.read()
    (run / "below").mkdir()
    assert outcome(tmp_path)["h5"] == expected  # a folder below does not hide it


@pytest.mark.parametrize("name", ["OSZICAR", "CONTCAR", "XDATCAR", "ML_AB", "WAVECAR", "CHGCAR.gz", "vasp.out"])
def test_traces_of_vasp_show_that_the_job_ran(tmp_path, name):
    folder_with(tmp_path / "job", **{**INPUTS, name: "x"})
    assert outcome(tmp_path)["job"] == (
        f"{name} shows that the job ran, but its vasprun.xml and OUTCAR are missing: put one of them here"
    )


def test_inputs_alone_were_not_run(tmp_path):
    folder_with(tmp_path / "job", CONTCAR="", **INPUTS)  # VASP empties it at its start
    assert outcome(tmp_path)["job"] == "it holds inputs without results: the job was not run yet"
    assert why_no_output(tmp_path / "job") is None


@pytest.mark.parametrize(
    ("name", "content", "part"),
    [
        ("relax.traj", "x", "ASE trajectory, which is not read: write its frames"),
        ("all.db", "x", "`ase convert all.db frames.extxyz`"),
        ("pwscf.xml", "<x/>", "Quantum ESPRESSO"),
        ("scf.out", "\n     Program PWSCF v.7.2 starts on\n", "Quantum ESPRESSO"),
        ("cp2k.log", " DBCSR| x\n CP2K| version string: CP2K 2023\n", "CP2K"),
        ("aims.out", "x", "FHI-aims"),
        ("job.out", "          Invoking FHI-aims ...\n", "FHI-aims"),
        ("slurm.out", " running on   64 total cores\n", "is VASP's log, which holds no structures"),
        ("runs.tar.gz", "x", "an archive, which is not opened: unpack it first"),
        ("data.h5", "x", "extended XYZ"),
    ],
)
def test_other_programs_are_named(tmp_path, name, content, part):
    folder_with(tmp_path / "job", **{name: content})
    reason = outcome(tmp_path)["job"]
    assert reason.startswith(name)
    assert part in reason
    (found,) = find_calculations(tmp_path / "job" / name)
    with pytest.raises(CalculationUnreadable) as error:
        found.read()
    assert str(error.value) == reason


def test_band_whose_images_left_traces_only(tmp_path):
    for number in range(3):
        folder_with(tmp_path / "neb" / f"{number:02d}", POSCAR="x", **({"OSZICAR": "x"} if number == 1 else {}))
    folder_with(tmp_path / "neb", INCAR="IMAGES = 1\n")
    assert "OSZICAR shows that the job ran" in outcome(tmp_path)["neb"]


def test_links(tmp_path):
    real = write(tmp_path / "elsewhere" / "good", Run())
    root = tmp_path / "root"
    write(root / "own", Run())
    (root / "linked").symlink_to(real)
    (root / "again").symlink_to(root / "own")
    (root / "loop").symlink_to(root)
    (root / "circle").symlink_to(root / "circle")
    (root / "broken").mkdir()
    (root / "broken" / "vasprun.xml").symlink_to(tmp_path / "gone.xml")
    (root / "own" / "WAVECAR").symlink_to(tmp_path / "gone")
    os.mkfifo(root / "own" / "pipe")
    found = outcome(root)
    assert found == {"again": 1, "broken/vasprun.xml": "it is a link to nothing", "linked": 1}


def test_many_folders_deep(tmp_path):
    made = [tmp_path / "d"]
    made[0].mkdir()
    for _ in range(sys.getrecursionlimit() + 10):  # a walk that calls itself for every folder would end there
        deep = made[-1] / "d"
        try:
            deep.mkdir()
        except OSError:  # the file system's own limit comes first
            break
        made.append(deep)
    try:
        assert len(outcome(tmp_path)) == 1
    finally:
        for folder in reversed(made):  # pytest's own removal recurses, and would end every later session
            folder.rmdir()


class Denied:
    """Make the system refuse one path, as it does to anybody but root."""

    def __init__(self, monkeypatch, path):
        self.path, stat = path, Path.stat

        def refusing(this, **options):
            if this == self.path or self.path in this.parents:
                raise PermissionError(13, "Permission denied", str(this))
            return stat(this, **options)

        monkeypatch.setattr(Path, "stat", refusing)


def test_entry_that_may_not_be_looked_at_costs_nothing_else(tmp_path, monkeypatch):
    write(tmp_path / "good", Run())
    write(tmp_path / "secret", Run())
    Denied(monkeypatch, tmp_path / "secret")
    assert outcome(tmp_path) == {"good": 1, "secret": "it cannot be opened (Permission denied)"}


def test_folder_that_may_not_be_listed_costs_nothing_else(tmp_path, monkeypatch):
    write(tmp_path / "good", Run())
    (tmp_path / "secret").mkdir()
    listed = Path.iterdir

    def refusing(this):
        if this.name == "secret":
            raise PermissionError(13, "Permission denied", str(this))
        return listed(this)

    monkeypatch.setattr(Path, "iterdir", refusing)
    assert outcome(tmp_path) == {"good": 1, "secret": "it cannot be opened (Permission denied)"}


def test_outputs_of_other_suffixes_are_not_taken_for_one_run(tmp_path):
    write(tmp_path / "double", Run(), reached=False)
    (tmp_path / "double" / "vasprun.xml").rename(tmp_path / "double" / "vasprun.xml.relax2")
    (tmp_path / "double" / "OUTCAR").rename(tmp_path / "double" / "OUTCAR.relax1")
    assert outcome(tmp_path) == {"double/OUTCAR.relax1": 1, "double/vasprun.xml.relax2": 1}


def test_compressed_frames_are_named(tmp_path):
    folder_with(tmp_path / "set", train__xyz__gz=b"\x1f\x8b", read__me="x")
    expected = "train.xyz.gz is compressed: unpack it first"
    assert outcome(tmp_path) == {"set": expected}
    assert outcome(tmp_path / "set" / "train.xyz.gz") == {"train.xyz.gz": expected}
