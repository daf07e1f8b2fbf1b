import re

import numpy as np
import pytest
import yaml
from ase import Atoms
from ase.build import bulk
from pymatgen.io.ase import AseAtomsAdaptor
from pymatgen.io.vasp.inputs import Kpoints
from pymatgen.io.vasp.sets import MPRelaxSet

from screening.assets import asset
from screening.errors import UserError
from screening.structures.crystals.crystals import load_crystal
from screening.structures.crystals.phases import load_phases
from screening.validation.kpoints import grid_by_spacing, reciprocal_lengths, spacing_of, time_reversal_points
from screening.validation.programs import available_settings, load_validation_settings
from screening.validation.valence import potcar_title, valence_electrons


def oxide(metal):
    return Atoms([metal, "O"], [(0, 0, 0), (2.1, 0, 0)], cell=[4.2, 4.2, 4.2], pbc=True)


@pytest.fixture
def kim():
    return load_validation_settings("kim2026")


@pytest.fixture
def mp():
    return load_validation_settings("mp")


def test_the_papers_method(kim):
    # the paper: PBE+U with U Ni 6.0, Co 3.4, Mn 3.9 eV, 500 eV
    method = kim.expected(Atoms("LiNiCoMnNbO8"))
    assert method.functional == "pbe"
    assert method.hubbard == {"Ni": 6.0, "Co": 3.4, "Mn": 3.9}
    assert method.cutoff == 500.0
    assert method.label == "pbe+u"
    assert method.potentials["Li"] == "PAW_PBE Li_sv 10Sep2004"
    assert kim.expected(load_crystal("LiNbO3")).hubbard == {}
    assert kim.expected(load_crystal("LiNbO3")).label == "pbe"


@pytest.mark.parametrize(("metal", "u"), [("Ni", 6.2), ("Co", 3.32), ("Mn", 3.9), ("W", 6.2), ("Nb", None)])
def test_u_of_the_materials_project_is_pymatgens(mp, metal, u):
    atoms = oxide(metal)
    assert mp.expected(atoms).hubbard == ({} if u is None else {metal: u})
    incar = MPRelaxSet(AseAtomsAdaptor.get_structure(atoms), sort_structure=False).incar
    assert dict(zip(("metal", "O"), incar.get("LDAUU", [0, 0]), strict=True)) == {"metal": u or 0, "O": 0}


def test_the_materials_project_has_u_in_oxides_only(mp, kim):
    sulphide = Atoms(["Ni", "S"], [(0, 0, 0), (2.4, 0, 0)], cell=[5, 5, 5], pbc=True)
    assert mp.expected(sulphide).hubbard == {}
    assert kim.expected(sulphide).hubbard == {"Ni": 6.0}


def test_every_tag_has_its_reason():
    for name, path in available_settings().items():
        data = yaml.safe_load(path.read_text())
        if data["engine"] != "vasp":
            continue
        for section in [*data["incar"].values(), *data.get("phases", {}).values()]:
            for tag, explained in section.items():
                assert isinstance(explained, dict), (name, tag, "has a value alone; write {value: ..., why: ...}")
                assert set(explained) == {"value", "why"}, (name, tag)
                assert len(explained["why"]) > 8, (name, tag)


def test_a_shipped_file_is_called_as_it_calls_itself():
    # the fidelity of what is computed has the name inside, and --settings looks for the file of that name
    assert {path.stem: load_validation_settings(path.stem).name for path in available_settings().values()} == {
        path.stem: path.stem for folder in ("vasp", "gpaw") for path in asset("configs", folder).glob("*.yaml")
    }


def test_a_users_settings_cannot_pass_for_shipped_ones_of_another_content(tmp_path, kim):
    shipped = asset("configs", "vasp", "kim2026.yaml")
    copy = tmp_path / "mine.yaml"
    copy.write_text("# copied\n" + shipped.read_text())
    assert load_validation_settings(str(copy)) == kim
    data = yaml.safe_load(shipped.read_text())
    data["incar"]["all"]["ENCUT"]["why"] = "for a reason of one's own"
    copy.write_text(yaml.safe_dump(data))
    assert load_validation_settings(str(copy)).name == "kim2026"
    data["incar"]["all"]["ENCUT"]["value"] = 520
    copy.write_text(yaml.safe_dump(data))
    with pytest.raises(UserError, match=r"mine\.yaml calls itself 'kim2026', .* give it a name of its own") as caught:
        load_validation_settings(str(copy))
    assert len(str(caught.value).splitlines()) == 1
    data["name"] = "mine"
    copy.write_text(yaml.safe_dump(data))
    assert load_validation_settings(str(copy)).name == "mine"


def test_every_element_of_the_competing_phases_has_a_potential(kim, mp):
    elements = sorted({symbol for facts in load_phases() for symbol in facts.composition})
    for settings in (kim, mp):
        method = settings.expected(Atoms(elements))
        assert {title.split()[1] for title in method.potentials.values()} == {settings.label(e) for e in elements}


def test_valence_is_what_closed_shells_leave():
    # an independent count: electrons of the atom minus the closed shells below those that the label names
    for label, z, core in [("Li_sv", 3, 0), ("O", 8, 2), ("Mg_pv", 12, 4), ("Nb_pv", 41, 30), ("Ni_pv", 28, 12),
                           ("Co", 27, 18), ("Mn_pv", 25, 12), ("P", 15, 10), ("S", 16, 10), ("Cl", 17, 10),
                           ("Zr_sv", 40, 28), ("Ta_pv", 73, 62)]:  # fmt: skip
        assert valence_electrons(label, "PBE_54") == z - core, label
    assert potcar_title("P", "PBE_54").startswith("PAW_PBE P ")
    with pytest.raises(UserError, match="Nb_xx"):
        valence_electrons("Nb_xx", "PBE_54")


def test_bulk_grid_is_the_papers_and_keeps_its_density(kim):
    hexagonal = load_crystal("LiNbO3")  # 30 atoms
    assert len(hexagonal) == 30
    assert kim.grid(hexagonal) == (2, 2, 1)
    assert kim.grid(hexagonal.repeat((2, 2, 1))) == (1, 1, 1)
    assert kim.grid(hexagonal.repeat((2, 1, 1))) == (1, 2, 1)
    smaller = hexagonal.copy()
    smaller.set_cell(hexagonal.cell.array * 0.98, scale_atoms=True)
    assert kim.grid(smaller) == (2, 2, 1)


def test_slab_grid_is_the_papers_on_its_cell_and_one_across_the_vacuum(kim):
    cell = Atoms("Ni", cell=[2 * 2.86731, 14.1747, 40.0], pbc=True)
    assert kim.grid(cell, slab=True) == (3, 2, 1)
    assert kim.grid(Atoms("Ni", cell=[2 * 2.86731, 5.7, 12.0], pbc=True), slab=True) == (3, 3, 1)


def test_metals_get_a_dense_grid(kim):
    niobium = bulk("Nb", "bcc", a=3.31)
    grid = kim.grid(niobium)
    assert (reciprocal_lengths(niobium.cell.array) / np.array(grid)).max() <= 0.2 * 1.05
    assert min(grid) >= 9


def test_spacing_rule_against_the_reciprocal_lattice():
    rng = np.random.default_rng(0)
    for _ in range(20):
        cell = rng.normal(size=(3, 3)) * 5 + 6 * np.eye(3)
        lengths = 2 * np.pi * np.linalg.norm(Atoms(cell=cell).cell.reciprocal().array, axis=1)
        np.testing.assert_allclose(reciprocal_lengths(cell), lengths)
        grid = grid_by_spacing(cell, 0.3)
        assert (lengths / np.array(grid) <= 0.3 * 1.05 + 1e-9).all()
        finer = np.maximum(np.array(grid) - 1, 1)
        assert (((lengths / finer) > 0.3) | (np.array(grid) == 1)).all()
    assert spacing_of((2, 2, 1), Atoms(cell=[5.0, 5.0, 20.0]).cell.array) == pytest.approx(2 * np.pi / 10)


@pytest.mark.parametrize("grid", [(1, 1, 1), (2, 2, 1), (3, 2, 1), (3, 3, 3), (4, 4, 2), (5, 1, 2)])
def test_points_left_by_time_reversal(grid):
    points = {tuple(np.array([i, j, k]) / np.array(grid)) for i in range(grid[0]) for j in range(grid[1])
              for k in range(grid[2])}  # fmt: skip
    pairs = {frozenset({p, tuple((-np.array(p)) % 1.0)}) for p in points}
    assert time_reversal_points(grid) == len({frozenset(tuple(np.round(q, 9)) for q in pair) for pair in pairs})


def test_grid_of_the_materials_project_is_pymatgens(mp):
    atoms = load_crystal("LiNbO3")
    structure = AseAtomsAdaptor.get_structure(atoms)
    for density, static in ((64, False), (100, True)):
        kpoints = Kpoints.automatic_density_by_vol(structure, density, force_gamma=True)
        assert mp.grid(atoms, static=static) == tuple(kpoints.kpts[0])


BROKEN = {
    "tag without a reason": (("incar", "all", "ENCUT"), {"value": 500}, "why"),
    "unknown section": (("incar", "surface"), {}, "surface"),
    "unknown key": (("cutof",), 500, "cutof"),
    "no cutoff": (("incar", "all"), {}, "ENCUT"),
    "no U": (("hubbard",), None, "hubbard"),
    "grid without its cell": (("kpoints", "bulk"), {"grid": [2, 2, 1], "why": "because"}, "spacing"),
    "name with a slash": (("name",), "a/b", "name"),
}


@pytest.mark.parametrize("case", BROKEN, ids=list(BROKEN))
def test_broken_settings_are_named(case, tmp_path):
    path, value, word = BROKEN[case]
    data = yaml.safe_load(asset("configs", "vasp", "kim2026.yaml").read_text())
    place = data
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    file = tmp_path / "own.yaml"
    file.write_text(yaml.safe_dump(data))
    with pytest.raises(UserError, match=word):
        load_validation_settings(str(file))


def test_element_without_a_potential_is_named(kim):
    with pytest.raises(UserError, match="Xe"):
        kim.expected(Atoms("Xe"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: mine\nengine: gpaw\nkpoint_spacing: .inf\n", "kpoint_spacing"),
        ("name: mine\nengine: gpaw\nkpoint_spacing: 0.2\nfmax: .nan\n", "fmax"),
        ("name: mine\nengine: gpaw\nname: other\n", "'name' is given at line 1 and again at line 3"),
        ("name: mine\nengine: gpaw\nkpoint_spacing: !!python/name:os.system\n", "not allowed"),
        ("name: mine\n", "at least name and engine"),
    ],
)
def test_a_users_settings_are_read_as_strictly_as_those_of_a_run(tmp_path, text, words):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=re.escape(words)):
        load_validation_settings(str(path))
