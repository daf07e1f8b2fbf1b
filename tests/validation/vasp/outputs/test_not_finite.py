"""``****`` and NaN: the step is left out with a note, and nothing that is no number is ever kept."""

import json

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write as write_atoms
from hand_written import STARS, Run, Step, outcar, relaxation, write

from screening.training_data.calculation import Calculation, Frame, Method, NotFinite
from screening.training_data.library import DataLibrary
from screening.validation.gpaw.read import read_gpaw_folder
from screening.validation.gpaw.settings import GpawSettings
from screening.validation.ingest.check import check_convergence
from screening.validation.ingest.ingest import IngestRules, ingest
from screening.validation.vasp.outputs.read_outcar import read_outcar
from screening.validation.vasp.outputs.read_vasp import read_vasp

FIRST, GOOD = Step(-11.5, 0.5), Step(-12.0, 0.01)
BROKEN = {
    "forces": Step(-11.9, STARS),
    "energy": Step(STARS, 0.2),
    "stress": Step(-11.9, 0.2, stress=STARS),
    "positions": Step(-11.9, 0.2, x=STARS),
}


def of_vasprun(folder, run):
    return read_vasp(write(folder, run))[0]


def of_outcar(folder, run):
    (folder / "OUTCAR").write_text(outcar(run, reached=True))
    return read_outcar(folder, folder / "OUTCAR")


@pytest.mark.parametrize("part", BROKEN)
@pytest.mark.parametrize("reader", [of_vasprun, of_outcar])
def test_a_step_with_stars_is_left_out_with_a_note(tmp_path, reader, part):
    calculation = reader(tmp_path, relaxation(FIRST, BROKEN[part], GOOD))
    assert calculation.converged
    assert [frame.energy for frame in calculation.frames] == [-11.5, -12.0]
    (note,) = calculation.details.warnings
    assert note.startswith("step 2 is left out (**** or NaN in ")
    assert part in note
    assert calculation.not_finite == ()


@pytest.mark.parametrize("part", BROKEN)
@pytest.mark.parametrize("reader", [of_vasprun, of_outcar])
def test_a_relaxation_that_ends_with_stars_is_refused(tmp_path, reader, part):
    with pytest.raises(NotFinite, match=rf"the last step of the relaxation holds \*\*\*\* or NaN in .*{part}"):
        reader(tmp_path, relaxation(FIRST, GOOD, BROKEN[part]))
    with pytest.raises(NotFinite, match="its only step"):
        reader(tmp_path, Run(steps=[BROKEN[part]]))


@pytest.mark.parametrize("word", ["NaN", "nan", "Infinity", "-inf"])
def test_words_for_no_number_are_treated_alike(tmp_path, word):
    assert len(of_vasprun(tmp_path, relaxation(FIRST, Step(-11.9, word), GOOD)).frames) == 2


def test_columns_of_stars_that_touch(tmp_path):
    run = relaxation(FIRST, Step(-11.9, 0.25), GOOD)
    write(tmp_path, run)
    path = tmp_path / "vasprun.xml"
    path.write_text(path.read_text().replace("<v>0.25 0.0 0.0 </v>", f"<v>{STARS}{STARS} 0.0 </v>"))
    (calculation,) = read_vasp(tmp_path)
    assert len(calculation.frames) == 2
    path.write_text(path.read_text().replace("<parameters>", '<parameters><i type="int" name="RANDOM"> ****** </i>'))
    assert len(read_vasp(tmp_path)[0].frames) == 2
    text = outcar(run, reached=True).replace("   0.25 0.0 0.0", f"   {STARS}{STARS} 0.0")
    (tmp_path / "OUTCAR").write_text(text)
    assert len(read_outcar(tmp_path, tmp_path / "OUTCAR").frames) == 2


def test_stars_that_do_not_count_cost_nothing(tmp_path):
    text = outcar(relaxation(FIRST, GOOD), reached=True)
    (tmp_path / "OUTCAR").write_text(
        text.replace(" POSITION ", "    LOOP+:  cpu time********: real time 1.0\n POSITION ")
    )
    assert len(read_outcar(tmp_path, tmp_path / "OUTCAR").frames) == 2


def test_an_unknown_number_of_electrons_is_no_neutral_cell(tmp_path):
    run = Run(electrons=STARS)
    with pytest.raises(NotFinite, match="charge is unknown"):
        of_outcar(tmp_path, run)
    with pytest.raises(NotFinite, match="charge is unknown"):
        of_vasprun(tmp_path, run)


def test_nothing_of_it_reaches_a_file(tmp_path):
    for name, run in {
        "one": relaxation(FIRST, BROKEN["forces"], GOOD),
        "two": relaxation(FIRST, Step(-12.3, 0.01, x=0.49), BROKEN["energy"]),
        "three": relaxation(Step(-11.0, 0.4, x=0.45), BROKEN["stress"], Step(-11.3, 0.011, x=0.46)),
    }.items():
        write(tmp_path / "runs" / name, run)
    report = ingest([tmp_path / "runs"], tmp_path / "data", IngestRules(accept_method=True))
    assert sorted(report.outcome.added) == ["runs/one", "runs/three"]
    assert "step 2 is left out" in dict(report.notes)["runs/one"]
    assert len(DataLibrary(tmp_path / "data").frames()) == 4
    for path in (tmp_path / "data").rglob("*.*"):
        text = path.read_text().lower()
        assert "nan" not in text
        assert "inf" not in text.replace("info", "")


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        ({"charge": float("nan")}, "charge"),
        ({"band_gap": float("inf")}, "band gap"),
        ({"magnetic_moments": np.array([0.0, np.nan])}, "magnetic moments"),
    ],
)
def test_no_number_of_a_calculation_may_be_none(fields, part):
    frame = Frame(atoms=bulk("NiO", "rocksalt", a=4.2), energy=-12.0)
    method = Method(engine="vasp", functional="pbe")
    calculation = Calculation(source="x", method=method, frames=(frame,), electronic_converged=True, **fields)
    assert check_convergence(calculation).refusals == (f"no finite number: {part}",)


def test_gap_without_an_empty_band_is_unknown_not_infinite(tmp_path):
    write(tmp_path, Run())
    block = (
        '<eigenvalues><array><set><set comment="spin 1"><set comment="kpoint 1"><r> -3.0 1.0 </r></set></set></set>'
        "</array></eigenvalues></calculation>"
    )
    path = tmp_path / "vasprun.xml"
    path.write_text(path.read_text().replace("</calculation>", block))
    assert read_vasp(tmp_path)[0].band_gap is None


def gpaw_folder(folder, energies, *, relax="positions", converged=True):
    """What the GPAW engine leaves, with steps of these energies."""
    settings = GpawSettings(name="cheap", engine="gpaw", cutoff=300, kpoint_spacing=3.0)
    atoms = bulk("MgO", "rocksalt", a=4.24)
    folder.mkdir(parents=True, exist_ok=True)
    write_atoms(folder / "start.extxyz", atoms, format="extxyz")
    job = {"relax": relax, "charge": 0, "kpoints": [1, 1, 1], "settings": settings.model_dump(), "slab": False}
    (folder / "calculation.json").write_text(json.dumps(job))
    result = {"n_steps": len(energies), "ionic_converged": converged, "band_gap": float("nan"), "wall_s": 1.0}
    (folder / "result.json").write_text(json.dumps({"0": {**result, "versions": {}}}))
    steps = []
    for energy in energies:
        step = atoms.copy()
        step.calc = SinglePointCalculator(step, energy=energy, forces=np.zeros((2, 3)))
        steps.append(step)
    write_atoms(folder / "steps.extxyz", steps, format="extxyz")
    return folder


def test_gpaw_steps_are_judged_alike(tmp_path):
    (good,) = read_gpaw_folder(gpaw_folder(tmp_path / "good", [-10.0, float("nan"), -11.0]))
    assert [frame.energy for frame in good.frames] == [-10.0, -11.0]
    assert good.band_gap is None
    assert "step 2 is left out" in good.details.warnings[0]
    with pytest.raises(NotFinite, match="the last step"):
        read_gpaw_folder(gpaw_folder(tmp_path / "bad", [-10.0, float("nan")]))
    (stopped,) = read_gpaw_folder(gpaw_folder(tmp_path / "stopped", [-10.0, -10.5], converged=False))
    assert "the relaxation did not converge (2 ionic steps)" in check_convergence(stopped).refusals
