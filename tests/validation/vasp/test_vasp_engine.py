"""The VASP engine for real: custodian around vpmdk, a job that dies, an interrupted one, a band."""

import os
import signal
import subprocess
import sys
import tarfile
import time
from typing import cast

import numpy as np
import pytest
from pymatgen.core import Structure
from vasp_runs import VPMDK, nickel_oxide, write_inputs

from screening.errors import UserError
from screening.training_data.calculation import CalculationUnreadable
from screening.validation.protocols import CalculationFailed, CommandDied, EngineUnusable
from screening.validation.vasp import custodian as custodian_run
from screening.validation.vasp.engine import VaspEngine, is_finished, run_vasp_job, vasp_command
from screening.validation.vasp.outputs.read_vasp import read_vasp
from screening.validation.vasp.settings import VaspSettings

# At its first start: relax three steps only, cut vasprun.xml in the middle, and die as by a failing node.
DYING = """#!/bin/sh
if [ ! -e died ]; then
  touch died
  cp INCAR INCAR.whole
  sed -i 's/NSW = .*/NSW = 3/' INCAR
  {vpmdk}
  mv INCAR.whole INCAR
  head -c 4000 vasprun.xml > half && mv half vasprun.xml
  kill -9 $$
fi
exec {vpmdk}
"""


class Named:
    """Stands for settings where only their name matters."""

    name = "paper"


def engine(command):
    return VaspEngine(cast(VaspSettings, Named()), command=command)


def test_relaxation_with_custodian_reaches_its_force_limit(nio_run):
    (calculation,) = read_vasp(nio_run)
    assert calculation.converged
    assert calculation.ionic_converged is True
    assert np.abs(calculation.final.forces).max() < 0.03
    assert calculation.energy < calculation.frames[0].energy
    assert (nio_run / "custodian.json").is_file()
    assert (nio_run / "INCAR.orig").read_text() == (nio_run / "INCAR").read_text()


def test_finished_job_is_left_alone(nio_run, copy_of):
    folder = copy_of(nio_run, "again")
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    engine("false").run(folder)  # would fail if it were started
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    (calculation,) = engine("false").read(folder)
    assert calculation.settings == "paper"


def test_job_that_dies_goes_on_from_its_contcar_and_keeps_what_was_there(tmp_path, nio_run):
    folder = write_inputs(tmp_path / "job", nickel_oxide())
    script = tmp_path / "vasp.sh"
    script.write_text(DYING.format(vpmdk=" ".join(VPMDK)))
    script.chmod(0o755)
    engine(str(script)).run(folder)
    (calculation,) = read_vasp(folder)
    assert calculation.converged
    assert calculation.energy == pytest.approx(read_vasp(nio_run)[0].energy, abs=2e-3)
    (archive,) = folder.glob("earlier.1.tar*")
    with tarfile.open(archive) as kept:
        names = {name.split("/")[-1] for name in kept.getnames()}
        member = next(m for m in kept.getmembers() if m.name.endswith("vasprun.xml"))
        assert member.size == 4000  # the cut one
        contcar = kept.extractfile(next(n for n in kept.getnames() if n.endswith("CONTCAR"))).read().decode()
    assert {"OUTCAR", "OSZICAR", "POSCAR"} <= names
    assert Structure.from_str(contcar, fmt="poscar") == Structure.from_file(folder / "POSCAR")
    assert Structure.from_file(folder / "POSCAR.orig") == nickel_oxide()
    assert len(calculation.frames) < len(read_vasp(nio_run)[0].frames)


def test_killed_run_is_continued_by_the_next_call(tmp_path):
    folder = write_inputs(tmp_path / "job", nickel_oxide())
    code = (
        "from pathlib import Path; from screening.validation.vasp.engine import run_vasp_job; import sys;"
        f"run_vasp_job(Path(sys.argv[1]), {['sh', '-c', 'touch OSZICAR; sleep 600']!r})"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(folder)], start_new_session=True)
    while not (folder / "OSZICAR").exists():
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not is_finished(folder)
    (folder / "OSZICAR").write_text("   1 F= -.1 E0= -.1\n")
    run_vasp_job(folder, VPMDK)
    assert is_finished(folder)
    assert len(list(folder.glob("earlier.1.tar*"))) == 1


def test_command_that_always_fails_is_named_with_its_last_words(tmp_path):
    folder = write_inputs(tmp_path / "job", nickel_oxide())
    with pytest.raises(CalculationFailed, match=r"exit code 3.*licence is gone.*POTCAR\.spec"):
        run_vasp_job(folder, ["sh", "-c", "echo the licence is gone >&2; exit 3"])
    assert not is_finished(folder)


def test_error_that_custodian_cannot_correct_is_named(tmp_path):
    folder = write_inputs(tmp_path / "job", nickel_oxide())
    with pytest.raises(CalculationFailed, match=r"too_few_bands \(VaspErrorHandler\)"):
        run_vasp_job(folder, ["sh", "-c", "echo 'TOO FEW BANDS'; echo NBANDS= 8 > OUTCAR; exit 1"])


def test_unconverged_relaxation_is_continued_by_custodian_and_then_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(custodian_run, "MAX_ERRORS", 2)
    folder = write_inputs(tmp_path / "job", nickel_oxide(), NSW=2, EDIFFG=-1e-7)
    with pytest.raises(CalculationFailed, match=r"Unconverged \(UnconvergedErrorHandler\)"):
        run_vasp_job(folder, VPMDK)
    assert Structure.from_file(folder / "POSCAR") != Structure.from_file(folder / "POSCAR.orig")


def test_band_has_all_its_images_in_order(band_run):
    images = read_vasp(band_run)
    assert [calculation.source.split("/")[-1] for calculation in images] == ["00", "01", "02"]
    assert {calculation.simulated_by for calculation in images} == {"chgnet"}
    assert images[0].method.hubbard == {"Ni": 6.0}
    # the two ends are mirror images of each other, and the middle is nearer to the minimum
    assert images[0].energy == pytest.approx(images[2].energy, abs=1e-4)
    assert images[1].energy < images[0].energy
    assert is_finished(band_run)


def test_band_without_the_output_of_an_end_point_says_what_to_do(band_run, copy_of):
    folder = copy_of(band_run, "band")
    for name in ("vasprun.xml", "OUTCAR"):
        (folder / "00" / name).unlink()
    with pytest.raises(CalculationUnreadable, match=r"image 00.*OUTCAR of its own job"):
        read_vasp(folder)
    assert not is_finished(folder)


def test_band_takes_its_end_points_from_their_own_jobs(band_run, nio_run, copy_of):
    folder = copy_of(band_run, "c/hop-1/band")
    copy_of(nio_run, "c/hop-1/a")
    (folder / "job.json").write_text('{"name": "c/hop-1/band", "after": ["c/hop-1/a", "c/hop-1/b"]}')
    for name in ("vasprun.xml", "OUTCAR"):
        (folder / "00" / name).unlink()
    assert read_vasp(folder)[0].energy == read_vasp(nio_run)[0].energy


def test_missing_command_is_a_sentence(monkeypatch):
    monkeypatch.delenv("COATSCREEN_VASP", raising=False)
    with pytest.raises(UserError, match="--command"):
        vasp_command(None)
    with pytest.raises(UserError, match="does not exist"):
        vasp_command("no-such-vasp-here -n 4")
    monkeypatch.setenv("COATSCREEN_VASP", "sh -c true")
    assert vasp_command(None) == ["sh", "-c", "true"]


@pytest.mark.parametrize(("code", "words"), [(127, "not found"), (126, "Permission denied")])
def test_wrapper_whose_program_is_missing_stops_everything_at_its_first_start(code, words, tmp_path):
    folder = write_inputs(tmp_path / "job", nickel_oxide())
    script = tmp_path / "vasp.sh"
    program = "no-such-vasp" if code == 127 else str(folder / "INCAR")
    script.write_text(f"#!/bin/sh\necho started >> {tmp_path}/starts\n{program}\n")
    script.chmod(0o755)
    with pytest.raises(EngineUnusable, match=f"exit code {code}") as caught:
        engine(str(script)).run(folder)
    assert words in str(caught.value)
    assert "missing or not executable" in str(caught.value)
    assert (tmp_path / "starts").read_text() == "started\n"


def test_program_that_the_system_cannot_start_is_one_sentence(tmp_path):
    folder = write_inputs(tmp_path / "job", nickel_oxide())
    script = tmp_path / "vasp.sh"
    script.write_text("#!/no/such/shell\n")
    script.chmod(0o755)
    with pytest.raises(EngineUnusable, match=r"cannot be started \(No such file or directory\)"):
        engine(str(script)).run(folder)


def test_death_before_anything_was_computed_is_told_from_a_later_one(tmp_path):
    command = ["sh", "-c", "echo the licence is gone >&2; exit 3"]
    with pytest.raises(CommandDied):
        run_vasp_job(write_inputs(tmp_path / "at-once", nickel_oxide()), command)
    folder = write_inputs(tmp_path / "later", nickel_oxide())
    with pytest.raises(CalculationFailed) as caught:
        run_vasp_job(folder, ["sh", "-c", "echo 1 F= -.1 > OSZICAR; exit 3"])
    assert not isinstance(caught.value, CommandDied)
