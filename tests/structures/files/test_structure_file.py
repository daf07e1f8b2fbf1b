"""One reader for all structure files of a user: what is read is what was written, everything else is one sentence."""

from __future__ import annotations

import contextlib
import gzip
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from ase import Atoms
from ase.build import bulk
from ase.constraints import FixAtoms
from ase.io import write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Molecule, Structure
from typer.testing import CliRunner

from screening.cli.commands.phases import phases_app
from screening.errors import UserError
from screening.structures.files.structure_file import read_structure, read_structures
from screening.validation.label import named_structures as structures_to_label

ROWS = ["0 0 0", "0 .5 .5", ".5 0 .5", ".5 .5 0", ".5 .5 .5", ".5 0 0", "0 .5 0", "0 0 .5"]
"""MgO, four formula units."""


def poscar(
    comment: str = "MgO",
    species: str = "Mg O",
    counts: str = "4 4",
    scale: str = "1.0",
    rows: Sequence[str] = ROWS,
    mode: str = "Direct",
    cell: float | str = 4.21,
) -> str:
    vectors = [f"{cell} 0 0", f"0 {cell} 0", f"0 0 {cell}"]
    return "\n".join([comment, scale, *vectors, *([species] if species else []), counts, mode, *rows]) + "\n"


HEAD = """data_x
_cell_length_a 4.21
_cell_length_b 4.21
_cell_length_c 4.21
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
"""
GROUP = "_symmetry_space_group_name_H-M 'F m -3 m'\n_symmetry_Int_Tables_number 225\n"


def cif(*sites: str, head: str = HEAD, group: str = GROUP, last: str = "_atom_site_occupancy") -> str:
    columns = ("label", "type_symbol", "fract_x", "fract_y", "fract_z")
    loop = "\n".join(["loop_", *(f"_atom_site_{c}" for c in columns), last])
    return head + group + loop + "\n" + "\n".join(sites) + "\n"


MG, OX = "Mg1 Mg 0 0 0 1", "O1 O 0.5 0.5 0.5 1"


def file(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def assert_is_mgo(atoms: Atoms) -> None:
    assert atoms.symbols.formula.count() == {"Mg": 4, "O": 4}
    assert atoms.pbc.all()
    np.testing.assert_allclose(sorted(atoms.cell.lengths()), [4.21] * 3, atol=1e-6)
    assert atoms.get_distances(0, np.flatnonzero(atoms.numbers == 8), mic=True).min() == pytest.approx(2.105, abs=1e-4)


# -- what is right


GOOD = {
    "POSCAR": poscar(),
    "negative scale is a volume.vasp": poscar(scale="-74.618461", cell=1.0),
    "three scales.vasp": poscar(scale="4.21 4.21 4.21", cell=1.0),
    "cartesian.vasp": poscar(
        mode="Cartesian", scale="2.0", cell=2.105,
        rows=[" ".join(str(float(v) * 2.105) for v in row.split()) for row in ROWS],
    ),
    "selective.vasp": poscar(mode="Selective dynamics\nDirect", rows=[f"{row} F F T" for row in ROWS]),
    "velocities.vasp": poscar() + "\n" + "\n".join(["0 0 0.001"] * 8) + "\n",
    "fortran numbers.vasp": poscar(scale="1.0D0"),
    "hashes.vasp": poscar(species="Mg_pv/f474ac0d  O/79d9987ad87"),
    "remarks.vasp": poscar(species="Mg O ! the cation first", counts="4 4 # each"),
    "wrapped species.vasp": poscar(species="Mg\nO", counts="4\n4"),
    "carriage returns.vasp": poscar().replace("\n", "\r\n"),
    "group from its name.cif": cif(MG, OX),
    "group from its number.cif": cif(MG, OX, group="_symmetry_Int_Tables_number 225\n"),
    "operations and no name.cif": cif(
        "Mg1 Mg 0 0 0 1", "Mg2 Mg 0 .5 .5 1", "Mg3 Mg .5 0 .5 1", "Mg4 Mg .5 .5 0 1",
        "O1 O .5 .5 .5 1", "O2 O .5 0 0 1", "O3 O 0 .5 0 1", "O4 O 0 0 .5 1",
        group="loop_\n_symmetry_equiv_pos_as_xyz\n'x, y, z'\n",
    ),
    "uncertainties and charges.cif": cif("Mg1 Mg2+ 0 0 0 1.0", "O1 O2- 0.5(1) 0.50000(2) 0.5 0.9999"),
    "capitals.cif": cif("MG1 MG 0 0 0 1", OX),
    "labels alone.cif": cif("Mg1 0 0 0 1 1", "OW1 0.5 0.5 0.5 1 1").replace("_atom_site_type_symbol\n", "").replace(
        "_atom_site_occupancy", "_atom_site_occupancy\n_atom_site_symmetry_multiplicity"
    ),
    "default occupancy.cif": cif("Mg1 Mg 0 0 0 .", OX),
    "a block without atoms.cif": "data_global\n_journal_year 2020\n" + cif(MG, OX),
    "no occupancies.cif": cif("Mg1 Mg 0 0 0 4", "O1 O .5 .5 .5 4", last="_atom_site_symmetry_multiplicity"),
    "six stresses and small letters.xyz": "\n".join([
        '8\nlattice="4.21 0 0 0 4.21 0 0 0 4.21" properties=species:S:1:pos:R:3 energy=-1 stress="1 2 3 4 5 6"',
        *(f"{s} {' '.join(str(float(v) * 4.21) for v in row.split())}"
          for s, row in zip(["Mg"] * 4 + ["O"] * 4, ROWS, strict=True)),
    ]),
    "mgo.json": Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(4.21), ["Mg", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    ).add_oxidation_state_by_guess().to_json(),
}  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_good_files(name, tmp_path, caplog):
    assert_is_mgo(read_structure(file(tmp_path, name, GOOD[name])))
    assert caplog.text == ""


def test_formats_that_ase_writes(tmp_path):
    crystal = bulk("MgO", "rocksalt", a=4.21, cubic=True)
    for name in ("x.extxyz", "x.xyz", "x.traj", "x.json", "x.cif", "x.vasp", "x.xsf", "x.in", "CONTCAR"):
        form = {"x.in": "espresso-in", "x.xyz": "extxyz", "CONTCAR": "vasp"}.get(name)
        extra: dict[str, Any] = {"pseudopotentials": {"Mg": "a", "O": "b"}} if name == "x.in" else {}
        write(tmp_path / name, crystal, format=form, **extra)
        assert_is_mgo(read_structure(tmp_path / name))


def test_packed_files(tmp_path):
    assert_is_mgo(read_structure(file(tmp_path, "POSCAR.gz", gzip.compress(poscar().encode()))))
    assert_is_mgo(read_structure(file(tmp_path, "x.cif.gz", gzip.compress(cif(MG, OX).encode()))))


def test_a_label_is_computed_with_all_atoms_free(tmp_path):
    """ASE would set the forces of fixed atoms to zero, and a label is made of forces."""
    crystal = bulk("MgO", "rocksalt", a=4.21, cubic=True)
    crystal.set_constraint(FixAtoms([0]))
    write(tmp_path / "POSCAR", crystal)
    write(tmp_path / "x.traj", crystal)
    for name in ("POSCAR", "x.traj"):
        assert read_structures(tmp_path / name)[0].constraints == []


NOTED = {
    "VASP 4 with its comment": ("POSCAR", poscar("Mg O", species=""), "Mg O taken from its comment 'Mg O'"),
    "comment with counts": ("POSCAR", poscar("Mg4 O4", species=""), "Mg O taken from its comment"),
    "names behind the coordinates": (
        "POSCAR",
        poscar("whatever", species="", rows=[f"{row} {'Mg' if i < 4 else 'O'}" for i, row in enumerate(ROWS)]),
        "Mg O taken from the ends of its lines",
    ),
    "POSCAR called CIF": ("mgo.cif", poscar(), "the POSCAR that it is"),
}


@pytest.mark.parametrize("case", NOTED)
def test_what_is_read_in_a_special_way_is_said(case, tmp_path, caplog):
    name, content, note = NOTED[case]
    assert_is_mgo(read_structure(file(tmp_path, name, content)))
    assert note in caplog.text
    assert name in caplog.text


def test_deuterium_is_hydrogen_and_said_so(tmp_path, caplog):
    rows = ["0 0 0", ".5 .5 .5"]
    for name, content in (
        ("POSCAR", poscar(species="Li D", counts="1 1", rows=rows)),
        ("x.cif", cif("Li1 Li 0 0 0 1", "D1 D .5 .5 .5 1")),
    ):
        caplog.clear()
        assert set(read_structure(file(tmp_path, name, content)).symbols) == {"Li", "H"}
        assert "D is read as H" in caplog.text


def test_no_symmetry_at_all_is_p1_and_said_so(tmp_path, caplog):
    atoms = read_structure(file(tmp_path, "x.cif", cif(MG, OX, group="")))
    assert len(atoms) == 2
    assert "read as P1" in caplog.text


# -- what is wrong

BREAKS = ["*", "?", "-", "e9", "\n", "", "\0", "é", "'", "9"]


def disordered() -> Structure:
    return Structure(Lattice.cubic(4.1), [{"Li": 0.5, "Na": 0.5}], [[0, 0, 0]])


XYZ = '2\nLattice="4 0 0 0 4 0 0 0 4" Properties=species:S:1:pos:R:3{} {}\n{}\n{}\n'
ASES = 'occupancy="_JSON {\\"0\\": {\\"Mg\\": 0.9, \\"Li\\": 0.1}}"'

BAD: dict[str, tuple[str, str | bytes, str]] = {
    # POSCAR
    "VASP 4 with another comment": ("POSCAR", poscar("rock salt", species=""), "no species line"),
    "VASP 4 with too few names": ("POSCAR", poscar("Mg", species=""), "no species line"),
    "VASP 4 with words that are elements": ("POSCAR", poscar("In Os No", species=""), "no species line"),
    "VASP 4 with other counts": ("POSCAR", poscar("Mg2 O6", species=""), "no species line"),
    "too short": ("POSCAR", poscar(rows=ROWS[:5]), "5 of the 8 atoms"),
    "only a header": ("POSCAR", "\n".join(poscar().splitlines()[:5]), "within the header"),
    "counts beyond the file": ("POSCAR", poscar(counts="4 999999999"), "8 of the 1000000003"),
    "blank line among the atoms": ("POSCAR", poscar(rows=[*ROWS[:3], "", *ROWS[3:]]), "3 of the 8 atoms"),
    "one name and two counts": ("POSCAR", poscar(species="Mg"), "names 1 species and counts 2"),
    "no atoms": ("POSCAR", poscar(counts="0 0"), "counts no atoms"),
    "stars": ("POSCAR", poscar(rows=["0 0 ********", *ROWS[1:]]), "line 9: '********' is no number"),
    "nan": ("POSCAR", poscar(rows=["0 0 nan", *ROWS[1:]]), "line 9: 'nan' is no number"),
    "two coordinates": ("POSCAR", poscar(rows=["0 0", *ROWS[1:]]), "line 9 holds 2 of 3 numbers"),
    "flat cell": ("POSCAR", poscar().replace("0 0 4.21", "0 4.21 0"), "span no volume"),
    "scale of zero": ("POSCAR", poscar(scale="0.0"), "is no scale"),
    "unknown element": ("POSCAR", poscar(species="Xx O"), "the element Xx, which does not exist"),
    "dummy element": ("POSCAR", poscar(species="X O"), "the element X, which does not exist"),
    "twice the same place": ("POSCAR", poscar(rows=[*ROWS[:7], "0 0 1"]), "0.00 A apart"),
    "too large a cell": ("POSCAR", poscar(cell="4e9"), "longer than 10000 A"),
    "too small a cell": ("POSCAR", poscar(cell=0.9), "apart"),
    # CIF
    "partial occupancy": ("x.cif", cif("Mg1 Mg 0 0 0 0.9", "Li1 Li 0 0 0 0.1", OX), "partly occupied sites (Mg 0.9"),
    "occupancy above 1": ("x.cif", cif("Mg1 Mg 0 0 0 1.02", OX), "occupied 1.02 times"),
    "occupancy of nothing": ("x.cif", cif("Mg1 Mg 0 0 0 0", OX), "partly occupied sites (Mg 0)"),
    "unknown occupancy": ("x.cif", cif("Mg1 Mg 0 0 0 ?", OX), "the occupancy '?'"),
    "partial with an uncertainty": ("x.cif", cif("Mg1 Mg 0 0 0 0.95(1)", OX), "Mg 0.95(1)"),
    "two full atoms on one site": ("x.cif", cif(MG, "Li1 Li 0 0 0 1", OX), "x.cif"),
    "unknown coordinate": ("x.cif", cif("Mg1 Mg ? 0 0 1", OX), "the coordinate '?'"),
    "default coordinate": ("x.cif", cif("Mg1 Mg . 0 0 1", OX), "the coordinate '.'"),
    "stars in a coordinate": ("x.cif", cif("Mg1 Mg **** 0 0 1", OX), "the coordinate '****'"),
    "dummy site": ("x.cif", cif(MG, OX, "X1 X .25 .25 .25 1"), "the element X, which does not exist"),
    "a hydroxyl": ("x.cif", cif(MG, "O1 OH .5 .5 .5 1"), "the element Oh, which does not exist"),
    "a label of two readings": (
        "x.cif", cif("HO1 0 0 0 1", "O1 .5 .5 .5 1").replace("_atom_site_type_symbol\n", ""), "which may be Ho or H"
    ),
    "group of another planet": ("x.cif", cif(MG, OX, group="_symmetry_space_group_name_H-M 'Q m -9 m'\n"), "Q m -9 m"),
    "hydrogen without a place": (
        "x.cif", cif("Mg1 Mg 0 0 0 0", "O1 O .5 .5 .5 2", last="_atom_site_attached_hydrogens"), "2 H"
    ),
    "no cell": ("x.cif", cif(MG, OX, head="data_x\n"), "no readable CIF"),
    "flat CIF": ("x.cif", cif(MG, OX, head=HEAD.replace("gamma 90", "gamma 0")), "x.cif"),
    "cell of zero": ("x.cif", cif(MG, OX, head=HEAD.replace("a 4.21", "a 0")), "x.cif"),
    "broken loop": ("x.cif", cif(MG, "O1 O 0.5"), "no readable CIF"),
    "no atoms at all": ("x.cif", HEAD, "holds no atoms"),
    "text called CIF": ("x.cif", "hello\n", "x.cif"),
    # pymatgen's JSON
    "more atoms than counted": ("POSCAR", poscar(counts="4 3"), "more than the 7 atoms that it counts"),
    "no line for the coordinates": ("POSCAR", poscar(mode="0 0 0", rows=ROWS[1:]), "should say Direct or Cartesian"),
    "alternatives": (
        "x.cif",
        cif("Mg1 Mg 0 0 0 1", "Li1 Li .2 0 0 2", "O1 O .5 .5 .5 .", last="_atom_site_disorder_group"),
        "disorder groups 1, 2",
    ),
    "disordered JSON": ("x.json", disordered().to_json(), "partly occupied sites (Li 0.5 Na 0.5)"),
    "JSON of a molecule": ("x.json", Molecule(["O"], [[0, 0, 0]]).to_json(), "no structure with a lattice"),
    "JSON under another name": ("structure", '{"a": 1}', "no structure with a lattice"),
    "foreign JSON": ("x.json", '{"a": 1}', "no structure with a lattice"),
    "a list of numbers": ("x.json", "[1, 2]", "no structure with a lattice"),
    "an empty list": ("x.json", "[]", "holds no"),
    "half a JSON": ("x.json", '{"lattice": {', "no valid JSON"),
    "JSON without coordinates": ("x.json", '{"lattice": {"matrix": [[1,0,0]]}, "sites": [{}]}', "no structure of"),
    # extxyz
    "extxyz with occupancies": (
        "x.extxyz", XYZ.format(":occupancy:R:1", "", "Mg 0 0 0 0.9", "O 2 2 2 1.0"), "partly occupied sites (0.9)"
    ),
    "extxyz with a site occupation factor": (
        "x.extxyz", XYZ.format(":sof:R:1", "", "Mg 0 0 0 0.9", "O 2 2 2 1.0"), "partly occupied sites (0.9)"
    ),
    "extxyz with ASE's occupancies": (
        "x.extxyz", XYZ.format("", ASES, "Mg 0 0 0", "O 2 2 2"),
        "partly occupied sites (0.9, 0.1)",
    ),
    "extxyz with stars": ("x.extxyz", XYZ.format("", "", "Mg 0 0 *****", "O 2 2 2"), "x.extxyz"),
    "extxyz with nan": ("x.extxyz", XYZ.format("", "", "Mg 0 0 nan", "O 2 2 2"), "no"),
    "extxyz with a dummy": ("x.extxyz", XYZ.format("", "", "X 0 0 0", "O 2 2 2"), "the element X"),
    "extxyz with a new element": ("x.extxyz", XYZ.format("", "", "Qq 0 0 0", "O 2 2 2"), "'Qq'"),
    "extxyz cut short": ("x.extxyz", XYZ.format("", "", "Mg 0 0 0", ""), "x.extxyz"),
    "xyz without a cell": ("x.xyz", "1\n\nMg 0 0 0\n", "has no cell"),
    "second frame on top of itself": (
        "x.extxyz", XYZ.format("", "", "Mg 0 0 0", "O 2 2 2") + XYZ.format("", "", "Mg 2 2 2", "O 2 2 2"),
        "structure 2 of 2",
    ),
    # anything else
    "empty": ("POSCAR", "", "is empty"),
    "blank": ("x.cif", "\n \n", "is empty"),
    "binary": ("POSCAR", bytes(range(256)) * 20, "POSCAR"),
    "a program": ("x.py", "raise SystemExit('was run')\n", "x.py"),
    "a pickle": ("x.traj", b"\x80\x04\x95\x00N.", "x.traj"),
    "prose": ("readme.txt", "This is no structure.\nAt all.\n", "readme.txt"),
    "broken gzip": ("POSCAR.gz", b"\x1f\x8b\x08\x00half", "cannot be read"),
    "no gzip": ("POSCAR.gz", poscar(), "cannot be read"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_files_are_refused_in_one_sentence_by_every_command(case, tmp_path):
    name, content, fragment = BAD[case]
    path = file(tmp_path, name, content)
    refusals = set()
    for command in (read_structures, structures_to_label, read_structure):
        with pytest.raises(UserError) as caught:
            command(path)
        refusals.add(str(caught.value))
    (message,) = refusals
    assert message.startswith(str(path))
    assert fragment in message
    assert len(message.splitlines()) == 1
    assert message.endswith(".")
    assert not message.endswith("..")


def test_a_program_is_not_run(tmp_path):
    """ASE would execute it."""
    path = file(tmp_path, "x.py", f"open({str(tmp_path / 'ran')!r}, 'w')\natoms = None\n")
    with pytest.raises(UserError, match="kind py, which is not read"):
        read_structures(path)
    assert not (tmp_path / "ran").exists()


def test_folders_and_missing_files(tmp_path):
    with pytest.raises(UserError, match="it is a folder"):
        read_structures(tmp_path)
    with pytest.raises(UserError, match="there is no such file"):
        read_structures(tmp_path / "nothing.cif")


def test_several_structures_where_one_is_wanted(tmp_path):
    crystal = bulk("MgO", "rocksalt", a=4.21, cubic=True)
    write(tmp_path / "two.extxyz", [crystal, crystal])
    two = file(tmp_path, "two.cif", cif(MG, OX) + cif(MG, OX).replace("data_x", "data_y"))
    for path in (tmp_path / "two.extxyz", two):
        assert len(read_structures(path)) == 2
        with pytest.raises(UserError, match="holds 2 structures, but one is wanted"):
            read_structure(path)


def test_a_slab_is_no_crystal_but_may_be_labelled(tmp_path):
    slab = Atoms("MgO", positions=[[0, 0, 5], [2, 2, 5]], cell=[4, 4, 15], pbc=[True, True, False])
    write(tmp_path / "slab.extxyz", slab)
    assert list(read_structures(tmp_path / "slab.extxyz")[0].pbc) == [True, True, False]
    with pytest.raises(UserError, match="no periodic crystal"):
        read_structure(tmp_path / "slab.extxyz")


def test_entries_are_those_of_the_file_or_nothing(tmp_path, caplog):
    def entry(name: str, content: str):
        path = file(tmp_path, name, content)
        return CliRunner().invoke(phases_app, ["entry", str(path), "--source", "somebody"])

    for name, content in (("POSCAR", poscar("Mg O", species="")), ("x.cif", cif(MG, OX))):
        (found,) = yaml.safe_load(entry(name, content).stdout)
        assert (found["formula"], found["space_group"]) == ("MgO", "Fm-3m")
        assert found["lattice"] == {"a": 4.21, "b": 4.21, "c": 4.21}
    with caplog.at_level(logging.WARNING):
        refused = entry("y.cif", cif("Mg1 Mg 0 0 0 0.9", "Li1 Li 0 0 0 0.1", OX))
    assert isinstance(refused.exception, UserError)
    assert refused.stdout == ""


@given(data=st.data())
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_files_are_read_or_refused_and_never_a_traceback(data: st.DataObject, tmp_path_factory) -> None:
    """Cut anywhere, with a few characters replaced by what breaks numbers and words."""
    name = data.draw(st.sampled_from(sorted([*GOOD, "x.extxyz"])))
    text = GOOD.get(name, XYZ.format("", "", "Mg 0 0 0", "O 2 2 2"))
    cut = data.draw(st.integers(0, len(text)))
    text = text[:cut] if data.draw(st.booleans()) else text
    for place in data.draw(st.lists(st.integers(0, max(len(text) - 1, 0)), max_size=4)):
        text = text[:place] + data.draw(st.sampled_from(BREAKS)) + text[place + 1 :]
    path = file(tmp_path_factory.mktemp("damaged"), name, text)
    with contextlib.suppress(UserError):
        for atoms in read_structures(path):
            assert np.isfinite(atoms.positions).all()
            assert (atoms.numbers > 0).all()
            assert atoms.cell.volume > 0
    outcome = CliRunner().invoke(phases_app, ["entry", str(path), "--source", "somebody"])
    assert outcome.exception is None or isinstance(outcome.exception, UserError), outcome.exception
    assert len(str(outcome.exception).splitlines()) == 1


def test_json_of_entries(tmp_path):
    structure = json.loads(GOOD["mgo.json"])
    path = file(tmp_path, "x.json", json.dumps([{"structure": structure, "energy": -1.0}]))
    assert_is_mgo(read_structure(path))
