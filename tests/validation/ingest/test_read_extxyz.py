"""Extended XYZ of other programs: what is taken for what, and what is left out and why."""

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write

from screening.training_data.calculation import CalculationUnreadable
from screening.training_data.library import DataLibrary
from screening.validation.ingest.extxyz_names import is_total_charge, meaning_of, words_of
from screening.validation.ingest.ingest import IngestRules, ingest
from screening.validation.ingest.read_extxyz import read_extxyz

LATTICE = 'Lattice="4.24 0 0 0 4.24 0 0 0 4.24" pbc="T T T"'


def frame(entries, columns="forces:R:3", rows=("0.1 0 0", "-0.1 0 0"), lattice=LATTICE, symbols=("Mg", "O")) -> str:
    properties = "Properties=species:S:1:pos:R:3" + (f":{columns}" if columns else "")
    atoms = [
        f"{s} {2.12 * i} 0 0 {row if columns else ''}" for i, (s, row) in enumerate(zip(symbols, rows, strict=True))
    ]
    return "\n".join([str(len(atoms)), f"{lattice} {properties} {entries}", *atoms, ""])


def read(tmp_path, *frames):
    (tmp_path / "other.xyz").write_text("".join(frames))
    return read_extxyz(tmp_path / "other.xyz")


def reason(tmp_path, *frames):
    with pytest.raises(CalculationUnreadable) as error:
        read(tmp_path, *frames)
    return str(error.value)


def notes(calculation):
    return list(calculation.details.warnings)


@pytest.mark.parametrize(
    "name", ["REF_energy", "dft_energy", "DFT_energy", "energy_dft", "total_energy", "free_energy", "vasp_energy",
             "uncorrected_total_energy", "Energy"],
)  # fmt: skip
def test_total_energies_are_taken_with_a_note(tmp_path, name):
    (calculation,) = read(tmp_path, frame(f"{name}=-12.5"))
    assert calculation.energy == -12.5
    assert notes(calculation) == [f"{name} is taken as the energy (1 frame)"]


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("MACE_energy", "no energy of DFT: MACE_energy is a potential's"),
        ("energy_pred", "is a potential's"),
        ("chgnet_energy", "is a potential's"),
        ("energy_per_atom", "no energy that is known as the total one of the cell: energy_per_atom"),
        ("formation_energy", "formation_energy"),
        ("energy_corrected", "energy_corrected"),
        ("e_above_hull", "no energy"),
        ("energy_Ha", "no energy in eV: energy_Ha names another unit"),
        ("note", "no energy: it is no calculation"),
    ],
)
def test_other_energies_are_refused_by_name(tmp_path, name, part):
    assert part in reason(tmp_path, frame(f"{name}=-12.5"))


def test_the_energy_of_dft_is_taken_beside_the_one_of_a_potential(tmp_path):
    (calculation,) = read(tmp_path, frame("REF_energy=-12.5 MACE_energy=-12.4 formation_energy=-3"))
    assert calculation.energy == -12.5
    assert "MACE_energy of a potential is left out (1 frame)" in notes(calculation)
    assert read(tmp_path, frame("energy=-12.5 free_energy=-12.6"))[0].energy == -12.5
    assert "energy and REF_energy differ" in reason(tmp_path, frame("energy=-12.5 REF_energy=-12.6"))
    assert read(tmp_path, frame("energy=-12.5 REF_energy=-12.5"))[0].energy == -12.5


@pytest.mark.parametrize("name", ["force", "REF_forces", "DFT_forces", "dft_force"])
def test_forces(tmp_path, name):
    (calculation,) = read(tmp_path, frame("energy=-12.5", columns=f"{name}:R:3"))
    np.testing.assert_allclose(calculation.final.forces, [[0.1, 0, 0], [-0.1, 0, 0]])
    assert notes(calculation) == [f"{name} are taken as the forces (1 frame)"]
    both = frame("energy=-12.5", columns=f"forces:R:3:{name}:R:3", rows=("0.1 0 0 0.2 0 0", "-0.1 0 0 -0.2 0 0"))
    assert f"forces and {name} differ" in reason(tmp_path, both) or f"{name} and forces differ" in reason(
        tmp_path, both
    )
    (predicted,) = read(tmp_path, frame("energy=-12.5", columns="mace_forces:R:3"))
    assert predicted.final.forces is None


VOLUME = 4.24**3
TENSOR = np.array([[1.0, 0.4, 0.6], [0.4, 2.0, 0.5], [0.6, 0.5, 3.0]]) * 0.01


@pytest.mark.parametrize(
    ("entry", "factor"),
    [
        ('stress="0.01 0.004 0.006 0.004 0.02 0.005 0.006 0.005 0.03"', 1.0),
        ('stress="0.01 0.02 0.03 0.005 0.006 0.004"', 1.0),  # six numbers, in ASE's order
        ('REF_stress="0.01 0.004 0.006 0.004 0.02 0.005 0.006 0.005 0.03"', 1.0),
        ('virial="0.01 0.004 0.006 0.004 0.02 0.005 0.006 0.005 0.03"', -1 / VOLUME),
        ('REF_virials="0.01 0.004 0.006 0.004 0.02 0.005 0.006 0.005 0.03"', -1 / VOLUME),
    ],
)
def test_stress_and_virial(tmp_path, entry, factor):
    (calculation,) = read(tmp_path, frame(f"energy=-12.5 {entry}"))
    np.testing.assert_allclose(calculation.final.stress, factor * TENSOR, atol=1e-12)


@pytest.mark.parametrize(
    ("entry", "part"),
    [
        ('virial="0.1 0.2 0.3 0.4 0.5 0.6"', "virial is left out: the order of its numbers is not known"),
        ('stress="10 0 0 0 10 0 0 0 10"', "stress is left out: it is too large to be in eV/A^3"),
        ('stress="0.1 0 0 0 0.1 0 0 0 0.1" virial="9 0 0 0 9 0 0 0 9"', "stress and virial do not agree"),
    ],
)
def test_stress_that_is_not_clear_is_left_out(tmp_path, entry, part):
    (calculation,) = read(tmp_path, frame(f"energy=-12.5 {entry}"))
    assert calculation.final.stress is None
    assert part in " ".join(notes(calculation))


@pytest.mark.parametrize("name", ["charge", "total_charge", "net_charge", "cell_charge", "charge_state", "q", "Charge"])
def test_a_charged_cell_stays_charged(tmp_path, name):
    (calculation,) = read(tmp_path, frame(f"energy=-12.5 {name}=-1"))
    assert calculation.charge == -1.0
    assert notes(calculation) == ([] if name == "charge" else [f"{name} is taken as the charge of the cell (1 frame)"])
    assert read(tmp_path, frame(f"energy=-12.5 {name}=0"))[0].charge == 0.0


def test_a_charge_that_is_not_clear_leaves_the_frame_out(tmp_path):
    assert "charge is 'none-such', no number" in reason(tmp_path, frame("energy=-12.5 charge=none-such"))
    assert "charge and total_charge differ" in reason(tmp_path, frame("energy=-12.5 charge=0 total_charge=1"))
    assert "may be a charge" in reason(tmp_path, frame("energy=-12.5 background_charge=1"))
    assert "may be a charge" in reason(tmp_path, frame("energy=-12.5 charged=T"))
    assert read(tmp_path, frame("energy=-12.5 charged=F charge_transfer=0.3"))[0].charge == 0.0


def test_units_that_are_not_read(tmp_path):
    assert "energy_unit is Hartree; only eV" in reason(tmp_path, frame("energy=-12.5 energy_unit=Hartree"))
    assert read(tmp_path, frame("energy=-12.5 energy_unit=eV"))[0].energy == -12.5


def test_molecules_and_isolated_atoms_are_left_out(tmp_path):
    good = frame("energy=-12.5")
    atom = frame("energy=-0.1 config_type=IsolatedAtom", rows=("0 0 0",), symbols=("Mg",))
    box = 'Lattice="20 0 0 0 20 0 0 0 20" pbc="T T T"'
    lone = frame("energy=-0.1", rows=("0 0 0",), symbols=("O",), lattice=box)
    molecule = frame("energy=-5", lattice="")
    (calculation,) = read(tmp_path, atom, lone, molecule, good)
    assert calculation.energy == -12.5
    assert notes(calculation) == [
        "2 frames are left out (an isolated atom, which only fixes the zero of energy): 1, 2",
        "frame 3 is left out (no periodic cell (Lattice and pbc): a molecule)",
    ]
    assert "a molecule" in reason(tmp_path, molecule)


@pytest.mark.parametrize(
    "bad",
    [
        frame("energy=nan"),
        frame("energy=****"),
        frame("energy=-12.5", rows=("**** 0 0", "-0.1 0 0")),
        frame("energy=-12.5", rows=("******** 0", "-0.1 0 0")),
        frame("energy=-12.5", rows=("inf 0 0", "-0.1 0 0")),
        frame('energy=-12.5 stress="nan 0 0 0 0 0 0 0 0"'),
        frame("energy=-12.5", lattice='Lattice="nan 0 0 0 4 0 0 0 4" pbc="T T T"'),
        frame("no_label=1"),
    ],
)
def test_a_bad_frame_costs_only_itself(tmp_path, bad):
    found = read(tmp_path, frame("energy=-12.5"), bad, frame("energy=-12.6"))
    assert [calculation.energy for calculation in found] == [-12.5, -12.6]
    assert notes(found[0])[0].startswith("frame 2 is left out (")
    assert notes(found[1]) == []


@pytest.mark.parametrize("flag", ["converged=F", "converged=False", "scf_converged=no", "converged=0", "unconverged=T"])
def test_unconverged_frames_are_known_as_such(tmp_path, flag):
    assert not read(tmp_path, frame(f"energy=-12.5 {flag}"))[0].electronic_converged
    assert read(tmp_path, frame("energy=-12.5 converged=T unconverged=F"))[0].electronic_converged


def test_frames_of_other_programs_never_merge(tmp_path):
    assert len(read(tmp_path, *[frame(f"energy=-12.{i} calculation=relax") for i in range(3)])) == 3
    ours = "calculation=c12ab fidelity=dft:vasp-pbe:mp"
    assert len(read(tmp_path, *[frame(f"energy=-12.{i} {ours}") for i in range(3)])) == 1
    other = frame(f"energy=-12 {ours}", symbols=("Ca", "O"))
    charged = frame(f"energy=-12 {ours} charge=1")
    method = frame("energy=-12 calculation=c12ab fidelity=dft:vasp-pbe+u:mp")
    word = frame("energy=-12 calculation=relax fidelity=dft:vasp-pbe:mp")
    assert len(read(tmp_path, frame(f"energy=-12 {ours}"), other, charged, method, word)) == 5
    large = LATTICE.replace("4.24", "8.0")
    assert len(read(tmp_path, frame(f"energy=-12 {ours}"), frame(f"energy=-12 {ours}", lattice=large))) == 2


def test_a_charged_frame_is_kept_as_charged(tmp_path):
    atoms = bulk("MgO", "rocksalt", a=4.24)
    atoms.calc = SinglePointCalculator(atoms, energy=-12.0, forces=np.zeros((2, 3)))
    atoms.info.update({"total_charge": 1, "functional": "pbe", "engine": "vasp", "cutoff": 500.0})
    write(tmp_path / "charged.xyz", atoms, format="extxyz")
    report = ingest([tmp_path / "charged.xyz"], tmp_path / "data", IngestRules(accept_method=True))
    assert len(report.outcome.added) == 1
    assert "total_charge is taken as the charge of the cell" in report.notes[0][1]
    assert DataLibrary(tmp_path / "data").calculations()[0]["charge"] == 1.0


def test_words_of_names():
    assert words_of("REF_energy") == ["ref", "energy"]
    assert words_of("dftEnergy") == ["dft", "energy"]
    assert meaning_of("MACE_forces", "forces") == "predicted"
    assert meaning_of("max_force", "forces") == "other"
    assert meaning_of("energies", "energy") is None
    assert is_total_charge("total_charge")
    assert not is_total_charge("initial_charges")


def test_reserved_names_in_any_case(tmp_path):
    """GPUMD writes and reads them in lower case."""
    text = frame('energy=-12.5 virial="0.1 0 0 0 0.1 0 0 0 0.1"')
    lower = text.replace("Lattice=", "lattice=").replace("Properties=", "properties=").replace(' pbc="T T T"', "")
    for given in (lower, lower.replace("lattice=", "LATTICE=")):
        (calculation,) = read(tmp_path, given)
        assert calculation.atoms.pbc.all()
        assert np.allclose(calculation.atoms.cell.array, 4.24 * np.eye(3))
        assert calculation.final.forces is not None
        assert calculation.final.forces[:, 0].tolist() == [0.1, -0.1]
        assert calculation.final.stress is not None
        assert calculation.final.stress[0, 0] == pytest.approx(-0.1 / 4.24**3)
    (stars,) = read(tmp_path, lower, lower.replace("-0.1 0 0", "******** 0 0"))
    assert notes(stars)[0].startswith("frame 2 is left out (**** or NaN in forces)")


@pytest.mark.parametrize(("entry", "charge"), [("Qtot=1", 1), ("q_total=-2", -2), ("charge=+1", 1), ("charge=None", 0)])
def test_short_names_of_a_charge(tmp_path, entry, charge):
    (calculation,) = read(tmp_path, frame(f"energy=-12.5 {entry}"))
    assert calculation.charge == charge


@pytest.mark.parametrize(
    ("cutoff", "expected"), [("520", 520.0), ('"520 eV"', 520.0), ("-1", None), ("6.0", None), ("high", None)]
)
def test_a_cutoff_is_one_of_plane_waves_or_left_out(tmp_path, cutoff, expected):
    (calculation,) = read(tmp_path, frame(f"energy=-12.5 functional=PBE cutoff={cutoff}"))
    assert (calculation.method.functional, calculation.method.cutoff) == ("pbe", expected)


def test_what_may_be_forces_or_has_another_unit_is_named(tmp_path):
    (calculation,) = read(tmp_path, frame('energy=-12.5 stress_GPa="1 0 0 0 1 0 0 0 1"', columns="gradient:R:3"))
    assert calculation.final.forces is None
    assert calculation.final.stress is None
    assert notes(calculation) == [
        "gradient is left out (1 frame)",
        "stress_GPa is left out: it has another unit (1 frame)",
    ]
