"""Calculations are found in any layout, and what is none is named."""

import shutil

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.io import write
from vasp_runs import write_inputs

from screening.training_data.calculation import CalculationUnreadable
from screening.validation.gpaw.read import hubbard_of_setups, read_gpw
from screening.validation.ingest.find import find_calculations


def outcome(path, **options):
    """Relative path to number of calculations, or to the reason why there is none."""
    found: dict[str, int | str] = {}
    for item in find_calculations(path, **options):
        name = str(item.path.relative_to(path))
        try:
            found[name] = len(item.read())
        except CalculationUnreadable as error:
            found[name] = str(error)
    return found


def test_any_layout(tmp_path, nio_run, static_run, band_run):
    root = tmp_path / "other people"
    shutil.copytree(nio_run, root / "deep" / "er" / "run")
    shutil.copytree(band_run, root / "neb")
    shutil.copytree(nio_run, root / "nested")
    shutil.copytree(static_run, root / "nested" / "static")
    double = root / "double"
    double.mkdir()
    shutil.copy(nio_run / "vasprun.xml", double / "vasprun.xml.relax1")
    shutil.copy(nio_run / "OUTCAR", double / "OUTCAR.relax1")
    shutil.copy(static_run / "vasprun.xml", double / "vasprun.xml.relax2")
    (root / "flat").mkdir()
    shutil.copy(nio_run / "vasprun.xml", root / "flat" / "vasprun-nio.xml")
    shutil.copy(static_run / "vasprun.xml", root / "flat" / "vasprun-static.xml")
    write_inputs(root / "waiting", bulk_structure())
    (root / "notes").mkdir()
    (root / "notes" / "README.md").write_text("nothing here")
    (root / "empty").mkdir()
    (root / ".git" / "objects").mkdir(parents=True)
    assert outcome(root) == {
        "deep/er/run": 1,
        "double/vasprun.xml.relax1": 1,
        "double/vasprun.xml.relax2": 1,
        "empty": "it is empty",
        "flat/vasprun-nio.xml": 1,
        "flat/vasprun-static.xml": 1,
        "neb": 3,
        "nested": 1,
        "nested/static": 1,
        "notes": "it is no calculation (it holds README.md)",
        "waiting": "it holds inputs without results: the job was not run yet",
    }


def bulk_structure():
    from vasp_runs import nickel_oxide

    return nickel_oxide()


def test_a_file_is_read_alone_and_the_data_folder_is_left_out(tmp_path, nio_run):
    (found,) = find_calculations(nio_run / "vasprun.xml")
    assert len(found.read()) == 1
    (tmp_path / "dft-data").mkdir()
    (tmp_path / "dft-data" / "training.extxyz").write_text("junk")
    assert outcome(tmp_path, skip=tmp_path / "dft-data") == {}
    (tmp_path / "notes.pdf").write_text("x")
    (found,) = find_calculations(tmp_path / "notes.pdf")
    with pytest.raises(CalculationUnreadable, match=r"no vasprun\.xml, OUTCAR, \.gpw or \.extxyz"):
        found.read()


def copper(**info) -> Atoms:
    atoms = bulk("Cu", cubic=True)
    atoms.rattle(0.05, seed=1)
    atoms.calc = EMT()
    atoms.get_forces()
    atoms.info.update(info)
    return atoms


def test_extxyz_says_its_method_or_that_it_does_not(tmp_path):
    known = copper(fidelity="dft:gpaw-pbe+u:fine", calculation="c1", charge=1.0)
    write(tmp_path / "known.extxyz", [known, known], format="extxyz")
    write(tmp_path / "foreign.xyz", [copper(), copper()], format="extxyz")
    write(tmp_path / "fake.extxyz", copper(fidelity="mlip:chgnet-via-vasp"), format="extxyz")
    found = {item.path.name: item.read() for item in find_calculations(tmp_path)}
    (one,) = found["known.extxyz"]
    assert (one.method.engine, one.method.functional, one.settings, one.charge) == ("gpaw", "pbe", "fine", 1.0)
    assert len(one.frames) == 2
    np.testing.assert_allclose(one.final.forces, known.get_forces(), atol=1e-7)
    assert len(found["foreign.xyz"]) == 2
    assert found["foreign.xyz"][0].method.functional == "unknown"
    assert found["fake.extxyz"][0].simulated_by == "chgnet"


def test_extxyz_without_energies_or_cut_is_refused(tmp_path):
    write(tmp_path / "bare.xyz", bulk("Cu"), format="extxyz")
    write(tmp_path / "cut.extxyz", [copper(), copper()], format="extxyz")
    text = (tmp_path / "cut.extxyz").read_text()
    (tmp_path / "cut.extxyz").write_text(text[:-100])
    reasons = outcome(tmp_path)
    assert "no energy" in reasons["bare.xyz"]
    assert "cut" in reasons["cut.extxyz"]


def test_gpw_file_of_other_people_and_its_log(tmp_path):
    gpaw = pytest.importorskip("gpaw")
    (tmp_path / "h2").mkdir()
    (tmp_path / "log").mkdir()
    atoms = Atoms("H2", [[0, 0, 0], [0, 0, 0.75]], cell=[4, 4, 4], pbc=True)
    log = tmp_path / "log" / "h2.txt"
    atoms.calc = gpaw.GPAW(mode=gpaw.PW(200), xc="PBE", kpts={"size": (2, 1, 1), "gamma": True}, txt=str(log))
    energy, forces, stress = atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress(voigt=False)
    atoms.calc.write(tmp_path / "h2" / "h2.gpw")
    calculation = read_gpw(tmp_path / "h2" / "h2.gpw")
    assert calculation.energy == pytest.approx(energy)
    np.testing.assert_allclose(calculation.final.forces, forces, atol=1e-6)
    np.testing.assert_allclose(calculation.final.stress, stress, atol=1e-6)
    method = calculation.method
    assert (method.engine, method.functional, method.cutoff, method.kpoints) == ("gpaw", "pbe", 200.0, (2, 1, 1))
    assert outcome(tmp_path) == {
        "h2/h2.gpw": 1,
        "log": "h2.txt is a GPAW log, which is not read: give the .gpw file",
    }
    (tmp_path / "h2" / "h2.gpw").write_bytes((tmp_path / "h2" / "h2.gpw").read_bytes()[:2000])
    assert "no finished .gpw" in outcome(tmp_path / "h2")["h2.gpw"]


def test_hubbard_of_gpaw_setups():
    assert hubbard_of_setups({"Co": ":d,3.4,0", "Ni": "paw:d,6.0", "O": "paw"}) == {"Co": 3.4, "Ni": 6.0}
    assert hubbard_of_setups("sg15") == {}
