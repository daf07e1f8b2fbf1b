"""Reading of VASP outputs: genuine ones (shipped with ASE's tests), vpmdk's, and edited or broken ones."""

import gzip
import shutil
from pathlib import Path

import ase.test
import numpy as np
import pytest
from ase.io import read
from vasp_runs import TITLES, look_like_vasp

from screening.training_data.calculation import CalculationUnreadable
from screening.validation.vasp.outputs.marks import find_simulation
from screening.validation.vasp.outputs.method import functional_name, label_symbol, potcar_labels
from screening.validation.vasp.outputs.read_vasp import read_files, read_vasp

GENUINE = Path(ase.test.__file__).parent / "testdata" / "vasp"


@pytest.mark.parametrize("name", ["vasprun_pstress.xml", "vasprun_dfpt.xml"])
def test_genuine_vasprun_agrees_with_ase(tmp_path, name):
    calculation = read_files(tmp_path, vasprun=GENUINE / name, outcar=None)
    atoms = read(GENUINE / name)
    assert calculation.energy == pytest.approx(atoms.get_potential_energy(), abs=1e-7)
    np.testing.assert_allclose(calculation.final.forces, atoms.get_forces(), atol=1e-8)
    np.testing.assert_allclose(calculation.final.stress, atoms.get_stress(voigt=False), atol=1e-8)
    np.testing.assert_allclose(calculation.atoms.positions, atoms.positions, atol=1e-8)
    assert calculation.simulated_by is None
    assert calculation.converged
    assert calculation.ionic_converged is None
    assert calculation.charge == 0.0


def test_genuine_vasprun_says_its_method_and_gap(tmp_path):
    salt = read_files(tmp_path, vasprun=GENUINE / "vasprun_dfpt.xml", outcar=None)
    assert salt.method.functional == "pbe"
    assert salt.method.potentials == {"Na": "PAW_PBE Na 08Apr2002", "Cl": "PAW_PBE Cl 06Sep2000"}
    assert (salt.method.cutoff, salt.method.kpoints, salt.method.spin) == (400.0, (3, 3, 3), False)
    # PBE gaps from the literature: about 5.0 eV (NaCl) and 4.1 eV (diamond), larger on a grid that misses the extrema
    assert salt.band_gap == pytest.approx(5.0, abs=0.6)
    diamond = read_files(tmp_path, vasprun=GENUINE / "vasprun_pstress.xml", outcar=None)
    assert diamond.method.functional == "lda"  # PAW, not PAW_PBE, and no GGA tag
    assert 4.0 < diamond.band_gap < 6.0


def test_genuine_outcar_is_read_when_there_is_no_vasprun(tmp_path):
    calculation = read_files(tmp_path, vasprun=None, outcar=GENUINE / "OUTCAR_example_1")
    atoms = read(GENUINE / "OUTCAR_example_1", format="vasp-out")
    assert calculation.energy == pytest.approx(atoms.get_potential_energy())
    np.testing.assert_allclose(calculation.final.forces, atoms.get_forces())
    assert calculation.simulated_by is None
    assert calculation.method.functional == "pbe"
    assert calculation.method.potentials == {"Ni": "PAW_PBE Ni 02Aug2007"}
    assert (calculation.method.cutoff, calculation.method.spin) == (300.0, True)
    assert calculation.charge == 0.0
    assert calculation.electronic_converged


def test_cut_vasprun_falls_back_on_a_complete_outcar_and_says_so(tmp_path):
    cut = tmp_path / "vasprun.xml"
    cut.write_text((GENUINE / "vasprun_pstress.xml").read_text()[:20000])
    shutil.copy(GENUINE / "OUTCAR_example_1", tmp_path / "OUTCAR")
    (calculation,) = read_vasp(tmp_path)
    assert len(calculation.atoms) == 18
    assert "cut or broken" in calculation.details.warnings[0]


def test_cut_vasprun_beside_a_cut_outcar_is_refused_with_both_reasons(tmp_path):
    (tmp_path / "vasprun.xml").write_text((GENUINE / "vasprun_pstress.xml").read_text()[:20000])
    text = (GENUINE / "OUTCAR_example_1").read_text()
    (tmp_path / "OUTCAR").write_text(text[: text.index("General timing")])
    with pytest.raises(CalculationUnreadable, match=r"vasprun\.xml is cut.*OUTCAR is incomplete"):
        read_vasp(tmp_path)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.98])
def test_vasprun_cut_anywhere_is_refused(nio_run, copy_of, share):
    folder = copy_of(nio_run, "cut")
    text = (folder / "vasprun.xml").read_text()
    (folder / "vasprun.xml").write_text(text[: int(share * len(text))])
    with pytest.raises(CalculationUnreadable, match=r"vasprun\.xml is cut or broken"):
        read_vasp(folder)


def test_compressed_files_are_read(nio_run, copy_of):
    folder = copy_of(nio_run, "zipped")
    for name in ("vasprun.xml", "OUTCAR"):
        with gzip.open(folder / f"{name}.gz", "wb") as file:
            file.write((folder / name).read_bytes())
        (folder / name).unlink()
    assert read_vasp(folder)[0].energy == read_vasp(nio_run)[0].energy
    (folder / "vasprun.xml.gz").write_bytes((folder / "vasprun.xml.gz").read_bytes()[:300])
    with pytest.raises(CalculationUnreadable, match="cut or broken"):
        read_vasp(folder)


def test_vpmdk_run_agrees_with_chgnet_and_is_recognised(nio_run):
    from chgnet.model.dynamics import CHGNetCalculator

    (calculation,) = read_vasp(nio_run)
    assert calculation.simulated_by == "chgnet"
    assert len(calculation.details.simulation_marks) == 5
    assert calculation.method.hubbard == {"Ni": 6.0}
    assert calculation.method.functional == "pbe"
    assert calculation.method.kpoints == (4, 4, 4)
    atoms = calculation.atoms.copy()
    atoms.calc = CHGNetCalculator(use_device="cpu")
    assert calculation.energy == pytest.approx(atoms.get_potential_energy(), abs=1e-4)
    np.testing.assert_allclose(calculation.final.forces, atoms.get_forces(), atol=1e-4)
    np.testing.assert_allclose(calculation.final.stress, atoms.get_stress(voigt=False), atol=1e-5)


def test_each_mark_alone_gives_a_simulation_away(nio_run, copy_of):
    folder = copy_of(nio_run, "marks")
    generator, parameters = {"PROGRAM": "Vasp"}, {"NELECT": 22.0}
    logs = {name: (folder / name).read_text() for name in ("BCAR", "vasp.out")}
    for name in logs:
        (folder / name).unlink()
    assert find_simulation(folder, generator=generator, parameters=parameters) is None
    assert find_simulation(folder, generator={"PROGRAM": "Vpmdk"}, parameters=parameters) is not None
    assert find_simulation(folder, generator=generator, parameters={}) is not None
    assert find_simulation(folder, generator=generator, parameters=parameters, outcar=folder / "OUTCAR") is not None
    for name, text in logs.items():
        (folder / name).write_text(text)
        found = find_simulation(folder, generator=generator, parameters=parameters)
        assert (found.model, found.marks) == ("chgnet", (name,))
        (folder / name).unlink()


def test_model_is_taken_from_the_bcar(nio_run, copy_of):
    folder = copy_of(nio_run, "model")
    (folder / "BCAR").write_text("mlp = SEVENNET  # a comment\nMODEL=/models/SevenNet-l3i5.pth\n")
    assert read_vasp(folder)[0].simulated_by == "sevennet-sevennet-l3i5"


def test_the_force_field_of_vasp_itself_is_no_dft(nio_run, copy_of):
    folder = look_like_vasp(copy_of(nio_run, "mlff"))
    assert read_vasp(folder)[0].simulated_by is None
    path = folder / "vasprun.xml"
    path.write_text(path.read_text().replace("<incar>", '<incar><i type="logical" name="ML_LMLFF">T</i>'))
    assert read_vasp(folder)[0].simulated_by == "vasp-ml-ff"


def test_vasp_like_run_reports_method_charge_and_steps(nio_run, copy_of):
    folder = look_like_vasp(copy_of(nio_run, "vasp"), u=5.5, gga="PS", encut=520.0, charge=-1.0)
    (calculation,) = read_vasp(folder)
    assert calculation.simulated_by is None
    assert calculation.method.functional == "pbesol"
    assert calculation.method.hubbard == {"Ni": 5.5}
    assert calculation.method.cutoff == 520.0
    assert calculation.method.potentials == TITLES
    assert calculation.charge == -1.0
    assert calculation.converged


def test_unconverged_electronic_step_is_left_out_or_spoils_the_run(nio_run, copy_of):
    folder = look_like_vasp(copy_of(nio_run, "last"), nelm_steps=60)
    (calculation,) = read_vasp(folder)
    assert not calculation.electronic_converged
    early = look_like_vasp(copy_of(nio_run, "first"))
    text = (early / "vasprun.xml").read_text()
    head, step = text.split("<scstep>", 1)
    step, rest = step.split("</scstep>", 1)
    (early / "vasprun.xml").write_text(head + f"<scstep>{step}</scstep>" * 60 + rest)
    (kept,) = read_vasp(early)
    assert kept.electronic_converged
    assert len(kept.frames) == len(read_vasp(nio_run)[0].frames) - 1
    assert kept.details.unconverged_steps == 1


def test_relaxation_that_used_all_its_steps_is_unconverged(nio_run, copy_of):
    steps = len(read_vasp(nio_run)[0].frames)
    folder = look_like_vasp(copy_of(nio_run, "nsw"), nsw=steps)
    assert read_vasp(folder)[0].ionic_converged is False


def test_forces_of_a_real_band_are_not_kept(band_run, copy_of):
    folder = copy_of(band_run, "band")
    (folder / "BCAR").unlink()
    (folder / "vasp.out").unlink()
    for number in range(3):
        look_like_vasp(folder / f"{number:02d}")
    images = read_vasp(folder)
    assert all(frame.forces is None for image in images for frame in image.frames)
    assert [image.energy for image in images] == [image.energy for image in read_vasp(band_run)]
    assert all(image.final.forces is not None for image in read_vasp(band_run))


@pytest.mark.parametrize(
    ("tags", "titles", "name"),
    [
        ({}, ["PAW_PBE O 08Apr2002"], "pbe"),
        ({"GGA": "--"}, ["PAW C 22Mar2012"], "lda"),
        ({"GGA": "Ps"}, ["PAW_PBE O 08Apr2002"], "pbesol"),
        ({"GGA": "Pe", "METAGGA": "R2scan"}, [], "r2scan"),
        ({"GGA": "Pe", "METAGGA": "None", "IVDW": 12}, [], "pbe+d3bj"),
        ({"LHFCALC": True, "HFSCREEN": 0.2}, [], "hse06"),
        ({"LHFCALC": True}, [], "pbe0"),
    ],
)
def test_functional_from_tags(tags, titles, name):
    assert functional_name(tags, titles) == name


def test_labels_of_potcars():
    assert potcar_labels(["PAW_PBE Li_sv 10Sep2004", "O"]) == {"Li": "PAW_PBE Li_sv 10Sep2004", "O": "O"}
    assert label_symbol("PAW_PBE Nb_pv 08Apr2002") == label_symbol("Nb_pv") == "Nb_pv"
