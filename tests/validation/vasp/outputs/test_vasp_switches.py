"""Switches of VASP: a value counts only while its switch is on, in INCAR, vasprun.xml and OUTCAR."""

import pytest
from hand_written import Run, outcar, write
from pymatgen.core import Lattice, Structure
from pymatgen.io.vasp.inputs import Poscar

from screening.training_data.calculation import CalculationUnreadable
from screening.validation.vasp.outputs.method import functional_name, method_of_inputs
from screening.validation.vasp.outputs.read_outcar import read_outcar
from screening.validation.vasp.outputs.read_vasp import read_vasp
from screening.validation.vasp.outputs.switches import is_on, numbers, read_incar

VALUES = {"LDAUL": [2, -1], "LDAUU": [6.0, 0.0], "LDAUJ": [1.0, 0.0]}
ECHO = "   LDAUL = 2 -1\n   LDAUU = 6.0 0.0\n   LDAUJ = 1.0 0.0"
BLOCK = (
    " LDA+U is selected, type is set to LDAUTYPE =  2\n   angular momentum for each species LDAUL =     2   -1\n"
    "   U (eV)           for each species LDAUU =   6.0  0.0\n   J (eV)           for each species LDAUJ =   1.0  0.0"
)


@pytest.mark.parametrize(
    ("value", "on"),
    [
        (".TRUE.", True), ("T", True), ("true", True), (".T.", True), (" .true. ! on", True), (True, True), (1, True),
        (".FALSE.", False), ("F", False), ("false", False), (".F.", False), (".FALSE. # .TRUE.", False),
        (False, False), (None, False), (0, False), ("", False), ([], False),
    ],
)  # fmt: skip
def test_logical_values(value, on):
    assert is_on(value) is on


def test_lists_of_numbers():
    assert numbers("2*0.5 -1 ! comment 7") == [0.5, 0.5, -1.0]
    assert numbers([4, 0.0]) == [4.0, 0.0]
    assert numbers(3) == [3.0]
    assert numbers(None) == []


def of_incar(folder, text):
    structure = Structure(Lattice.cubic(4.2), ["Mg", "O"], [[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]])
    Poscar(structure).write_file(folder / "POSCAR")
    (folder / "INCAR").write_text(text)
    return method_of_inputs(folder).hubbard


@pytest.mark.parametrize(
    ("text", "u"),
    [
        ("LDAU = .TRUE.\nLDAUU = 6 0\n", 6.0),
        ("LDAU=.F.; LDAUU = 6 0; LDAUJ = 1 0\n", None),
        ("LDAU = false ! .TRUE.\nLDAUU = 6 0\n", None),
        ("# LDAU = .TRUE.\nLDAUU = 6 0\n", None),
        ("LDAUU = 6 0\n", None),
        ("LDAU = T\nLDAUU = 6.0 0.0 # Mg O\nLDAUJ = 1 0\n", 5.0),
        ("LDAU = T\nLDAUL = -1 -1\nLDAUU = 6 0\n", None),
        ("LDAU = T\nLDAUU = 2*0.0\n", None),
        ("LDAU = .FALSE.\nLDAU = .TRUE.\nLDAUU = 6 0\n", None),  # VASP takes the first
        ("LDAU = .TRUE.\nLDAUU = 6 \\\n 0\n", 6.0),
    ],
)
def test_u_of_an_incar(tmp_path, text, u):
    assert of_incar(tmp_path, text) == ({} if u is None else {"Mg": u})


@pytest.mark.parametrize(
    ("incar", "parameters", "u"),
    [
        ({"LDAU": True, **VALUES}, {"LDAU": True}, 5.0),
        ({"LDAU": False, **VALUES}, {"LDAU": False}, None),
        ({"LDAU": False, **VALUES}, {}, None),
        (VALUES, {}, None),
        ({}, {"LDAU": True, **VALUES}, 5.0),  # not echoed, but on
        ({"LDAU": True, **VALUES}, {"LDAU": False}, None),  # what VASP did outweighs what it was told
        ({"LDAU": True, **VALUES, "LDAUL": [-1, -1]}, {"LDAU": True}, None),
        ({"LDAU": True, "LDAUU": [0.0, 0.0]}, {"LDAU": True}, None),
    ],
)
def test_u_of_a_vasprun(tmp_path, incar, parameters, u):
    (calculation,) = read_vasp(write(tmp_path, Run(incar=incar, parameters=parameters)))
    assert calculation.method.hubbard == ({} if u is None else {"Mg": u})


@pytest.mark.parametrize(
    ("echo", "block", "u"),
    [
        ("", BLOCK, 5.0),
        ("   LDAU = .FALSE.\n" + ECHO, "", None),
        ("   LDAU = F\n" + ECHO, "", None),
        (ECHO, "", None),
        ("   LDAU = .TRUE.\n" + ECHO, "", 5.0),
        ("   LDAU = .TRUE.\n" + ECHO, BLOCK, 5.0),
        ("   LDAU = .TRUE.\n" + ECHO.replace("6.0", "6.04"), BLOCK, 5.04),  # the listing has one decimal
        (ECHO.replace("6.0", "3.0"), BLOCK, 5.0),  # what VASP lists outweighs an INCAR that says something else
        ("", BLOCK.replace("6.0", "0.0").replace("1.0", "0.0"), None),
        ("", BLOCK.replace("LDAUL =     2", "LDAUL =    -1"), None),
    ],
)
def test_u_of_an_outcar(tmp_path, echo, block, u):
    (tmp_path / "OUTCAR").write_text(outcar(Run(), echo=echo, block=block))
    hubbard = read_outcar(tmp_path, tmp_path / "OUTCAR").method.hubbard
    assert hubbard == ({} if u is None else {"Mg": pytest.approx(u)})


def test_u_without_values_is_refused(tmp_path):
    run = Run(incar={"LDAU": True}, parameters={"LDAU": True})
    with pytest.raises(CalculationUnreadable, match=r"LDAU is on, but the U values \(LDAUU\) are not in the files"):
        read_vasp(write(tmp_path, run))
    run = Run(incar={"LDAU": True, "LDAUU": [6.0]})
    with pytest.raises(CalculationUnreadable, match=r"1 values for 2 species \(Mg, O\)"):
        read_vasp(write(tmp_path, run))


def test_two_species_of_one_element_must_have_one_u(tmp_path):
    run = Run(titles=("PAW_PBE Ni_pv 06Sep2000",) * 2, incar={"LDAU": True, "LDAUU": [6.0, 0.0]})
    with pytest.raises(CalculationUnreadable, match="two species of Ni have different U"):
        read_vasp(write(tmp_path, run))
    run.incar["LDAUU"] = [6.0, 6.0]
    (tmp_path / "OUTCAR").write_text(
        outcar(run, block=BLOCK.replace("6.0  0.0", "6.0  6.0").replace("1.0", "0.0").replace("-1", "2"))
    )
    assert read_outcar(tmp_path, tmp_path / "OUTCAR").method.hubbard == {"Ni": 6.0}
    assert read_vasp(write(tmp_path, run))[0].method.hubbard == {"Ni": 6.0}


@pytest.mark.parametrize(
    ("tags", "name"),
    [
        ({"GGA": "PE", "LHFCALC": ".FALSE.", "HFSCREEN": 0.2}, "pbe"),
        ({"GGA": "PE", "LHFCALC": "F", "AEXX": 0.25}, "pbe"),
        ({"LHFCALC": ".TRUE.", "HFSCREEN": "0.2"}, "hse06"),
        ({"GGA": "PE", "METAGGA": ".FALSE."}, "pbe"),
        ({"GGA": "PE", "METAGGA": "F"}, "pbe"),
        ({"GGA": "PE", "METAGGA": "R2SCA"}, "r2scan"),
        ({"GGA": "PE", "IVDW": 0}, "pbe"),
        ({"GGA": "PE", "IVDW": "0"}, "pbe"),
        ({"GGA": "PE", "LUSE_VDW": ".FALSE."}, "pbe"),
        ({"GGA": "BO", "LUSE_VDW": ".TRUE."}, "optb88+vdw"),
        ({"GGA": "PE", "LVDW": True}, "pbe+d2"),
    ],
)
def test_functional_needs_its_switch(tags, name):
    assert functional_name(tags, []) == name


def test_switches_of_an_outcar(tmp_path):
    echo = (
        "   LHFCALC = .FALSE.\n   HFSCREEN = 0.2\n   ISPIN = 1\n   MAGMOM = 2*1.0\n   IVDW = 0\n   LUSE_VDW = .FALSE."
    )
    (tmp_path / "OUTCAR").write_text(outcar(Run(), echo=echo))
    method = read_outcar(tmp_path, tmp_path / "OUTCAR").method
    assert (method.functional, method.spin) == ("pbe", False)


def test_incar_with_bytes_that_are_no_text(tmp_path):
    (tmp_path / "INCAR").write_bytes("SYSTEM = Schr\u00f6dinger\nENCUT = 520\n".encode("latin-1"))
    assert read_incar(tmp_path)["ENCUT"] == 520


def test_u_values_are_not_given_to_elements_that_a_poscar_does_not_name(tmp_path):
    """A VASP 4 POSCAR holds counts without elements; general readers take them for H and He."""
    of_incar(tmp_path, "LDAU = T\nLDAUU = 6 0\n")
    lines = (tmp_path / "POSCAR").read_text().splitlines()
    del lines[5]
    atoms = [" ".join(line.split()[:3]) for line in lines[7:]]
    (tmp_path / "POSCAR").write_text("\n".join(["Mg O", *lines[1:7], *atoms]) + "\n")
    assert method_of_inputs(tmp_path).hubbard == {"Mg": 6.0}
    (tmp_path / "POSCAR").write_text("\n".join(["my cell", *lines[1:7], *atoms]) + "\n")
    with pytest.raises(CalculationUnreadable, match=r"its U values belong to nothing: POSCAR .*VASP 4"):
        method_of_inputs(tmp_path)


def test_broken_inputs_beside_an_outcar_cost_nothing(tmp_path):
    """VASP ran with them or without; OUTCAR says itself what counts."""
    (tmp_path / "OUTCAR").write_text(outcar(Run(), block=BLOCK))
    (tmp_path / "KPOINTS").write_text("x\n")
    (tmp_path / "POTCAR.spec").write_bytes(b"\xff\xfe")
    (tmp_path / "INCAR").write_text("LDAU = .TRUE.\n" + ECHO)
    (tmp_path / "POSCAR").write_text("no species line\n1.0\n4 0 0\n0 4 0\n0 0 4\n1 1\nDirect\n0 0 0\n.5 .5 .5\n")
    (found,) = read_vasp(tmp_path)
    assert (found.method.hubbard, found.method.kpoints, found.converged) == ({"Mg": 5.0}, None, True)
