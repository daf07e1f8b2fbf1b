import itertools
import json

import numpy as np
import pytest
from ase import Atoms
from ase.constraints import FixAtoms
from input_toys import job, slab, vacancy_path
from pymatgen.core import SETTINGS, Structure
from pymatgen.io.ase import AseAtomsAdaptor
from pymatgen.io.vasp.inputs import Incar, Kpoints, Poscar
from pymatgen.io.vasp.sets import MPRelaxSet, MPStaticSet

from screening.errors import UserError
from screening.structures.crystals.crystals import load_crystal
from screening.structures.crystals.phases import load_phases
from screening.structures.elements import by_element
from screening.validation.job_details import HopJobDetails
from screening.validation.plan.phases import phase_jobs
from screening.validation.programs import load_validation_settings
from screening.validation.vasp.inputs import write_vasp_inputs

EVERYWHERE = {
    "ENCUT": 500.0, "PREC": "Accurate", "EDIFF": 1e-5, "ISPIN": 2, "ISMEAR": 0, "SIGMA": 0.05, "ISYM": 0, "LASPH": True,
    "LMAXMIX": 4, "LREAL": False, "NELM": 200, "LORBIT": 11, "LWAVE": False, "LCHARG": False,
}  # fmt: skip
SLAB = {
    "IBRION": 2, "NSW": 200, "ISIF": 2, "EDIFF": 1e-4, "EDIFFG": -0.03, "IDIPOL": 3, "LDIPOL": True, "LREAL": "Auto",
    "AMIN": 0.01,
}  # fmt: skip
BAND = {
    "IBRION": 3, "POTIM": 0.0, "IOPT": 1, "ICHAIN": 0, "LCLIMB": True, "SPRING": -5, "NSW": 300, "ISIF": 2,
    "EDIFFG": -0.04, "LREAL": "Auto",
}  # fmt: skip


@pytest.fixture
def kim():
    return load_validation_settings("kim2026")


@pytest.fixture
def mp():
    return load_validation_settings("mp")


def written(job, settings, folder):
    write_vasp_inputs(job, settings, folder)
    return Incar.from_file(folder / "INCAR")


def test_bulk_tag_by_tag(kim, tmp_path):
    atoms = load_crystal("LiNbO3")
    incar = written(job(atoms, relax="cell", kpoints=(2, 2, 1)), kim, tmp_path)
    relax = {"IBRION": 2, "NSW": 200, "ISIF": 3, "EDIFFG": -0.04}
    assert dict(incar) == {**EVERYWHERE, **relax, "MAGMOM": [0.6] * 30}
    kpoints = Kpoints.from_file(tmp_path / "KPOINTS")
    assert kpoints.style.name == "Gamma"
    assert tuple(kpoints.kpts[0]) == (2, 2, 1)
    assert tuple(kpoints.kpts_shift) == (0, 0, 0)


def test_slab_tag_by_tag(kim, tmp_path):
    atoms = by_element(slab())
    incar = written(job(atoms, role="substrate", relax="atoms", slab=True, kpoints=(3, 2, 1)), kim, tmp_path)
    z = atoms.get_scaled_positions()[:, 2]
    symbols = atoms.get_chemical_symbols()
    moments = {"Ni": 1.0, "Co": 0.6, "Mn": 3.0, "Li": 0.6, "O": 0.6}
    u = {"Ni": 6.0, "Co": 3.4, "Mn": 3.9}
    order = list(dict.fromkeys(symbols))
    expected = {
        **EVERYWHERE,
        **SLAB,
        "LDAU": True,
        "LDAUTYPE": 2,
        "LDAUL": [2 if s in u else -1 for s in order],
        "LDAUU": [u.get(s, 0.0) for s in order],
        "LDAUJ": [0.0] * len(order),
        "MAGMOM": [moments[s] for s in symbols],
        "DIPOL": [0.5, 0.5, round((z.min() + z.max()) / 2, 4)],
    }
    assert dict(incar) == expected
    assert (tmp_path / "POTCAR.spec").read_text().split() == [kim.label(s) for s in order]
    assert not (tmp_path / "POTCAR").exists()


def test_band_tag_by_tag(kim, tmp_path):
    images = vacancy_path(3)
    band = job(images[0], role="band", relax="atoms", images=images, details=HopJobDetails(hop=["V0", "Li1"], saddle=2))
    incar = written(band, kim, tmp_path)
    assert dict(incar) == {**EVERYWHERE, **BAND, "IMAGES": 3, "MAGMOM": [0.6] * 29}
    assert sorted(p.name for p in tmp_path.iterdir() if p.is_dir()) == ["00", "01", "02", "03", "04"]
    assert not (tmp_path / "POSCAR").exists()
    for number, image in enumerate(images):
        read = Poscar.from_file(tmp_path / f"{number:02d}" / "POSCAR").structure
        difference = read.cart_coords - image.positions
        np.testing.assert_allclose(difference, 0, atol=1e-9)


def test_end_points_are_computed_like_their_band(kim, tmp_path):
    images = vacancy_path(3)
    end = written(
        job(images[0], role="end", relax="atoms", details=HopJobDetails(hop=["V0", "Li1"], side="a")),
        kim,
        tmp_path / "a",
    )
    path = written(job(images[0], role="band", relax="atoms", images=images), kim, tmp_path / "band")
    moves = {"IBRION", "NSW", "POTIM", "IOPT", "ICHAIN", "LCLIMB", "SPRING", "IMAGES"}
    assert {k: v for k, v in end.items() if k not in moves} == {k: v for k, v in path.items() if k not in moves}


def test_single_point_does_not_move_whatever_it_is(kim, mp, tmp_path):
    images = vacancy_path(1)
    for settings in (kim, mp):
        for number, made in enumerate(
            [job(images[0]), job(slab(), role="interface", slab=True), job(images[0], role="band", images=images)]
        ):
            incar = written(made, settings, tmp_path / f"{settings.name}-{number}")
            assert (incar["NSW"], incar["IBRION"]) == (0, -1)


def test_charged_cell_has_one_electron_more(kim, mp, tmp_path):
    # Li5Nb6O18: 5 x 3 + 6 x 11 + 18 x 6 = 189 valence electrons; a charge of -1 adds one
    vacancy = vacancy_path(1)[0]
    assert vacancy.get_chemical_formula() == "Li5Nb6O18"
    for settings in (kim, mp):
        charged = written(job(vacancy, role="end", charge=-1), settings, tmp_path / f"{settings.name}-1")
        neutral = written(job(vacancy, role="end"), settings, tmp_path / f"{settings.name}0")
        assert charged["NELECT"] == 190
        assert "NELECT" not in neutral
        assert {k: v for k, v in charged.items() if k != "NELECT"} == dict(neutral)


def test_oxygen_is_a_triplet_molecule_in_a_box(kim, mp, tmp_path):
    facts = [f for f in load_phases({"O"}) if f.name == "O2"]
    (oxygen,) = phase_jobs(facts, {}, {})
    assert oxygen.relax == "atoms"
    assert oxygen.atoms.cell.lengths().min() >= 10
    for settings in (kim, mp):
        incar = written(oxygen, settings, tmp_path / settings.name)
        assert incar["NUPDOWN"] == 2
        assert incar["ISPIN"] == 2
        assert incar["ISIF"] == 2


def test_metals_are_smeared_like_metals(kim, tmp_path):
    facts = [f for f in load_phases({"Nb"}) if f.name == "Nb"]
    (niobium,) = phase_jobs(facts, {}, {})
    incar = written(niobium, kim, tmp_path)
    assert (incar["ISMEAR"], incar["SIGMA"], incar["ISIF"], incar["ISYM"]) == (1, 0.2, 3, 2)


def test_fixed_atoms_become_selective_dynamics(kim, tmp_path):
    atoms = by_element(slab())
    write_vasp_inputs(job(atoms, role="substrate", relax="atoms", slab=True), kim, tmp_path)
    poscar = Poscar.from_file(tmp_path / "POSCAR")
    fixed = {int(i) for c in atoms.constraints for i in c.index}
    assert 0 < len(fixed) < len(atoms)
    assert [tuple(flags) for flags in np.asarray(poscar.selective_dynamics)] == [
        (i not in fixed,) * 3 for i in range(len(atoms))
    ]
    assert poscar.site_symbols == list(dict.fromkeys(atoms.get_chemical_symbols()))


def test_atoms_keep_the_order_of_the_job(kim, tmp_path):
    atoms = slab()  # Ni, Co and Mn in turns
    atoms.rattle(0.1, seed=1)
    write_vasp_inputs(job(atoms, role="substrate", slab=True), kim, tmp_path)
    structure = Structure.from_file(tmp_path / "POSCAR")
    assert [site.specie.symbol for site in structure] == atoms.get_chemical_symbols()
    np.testing.assert_allclose(structure.cart_coords, atoms.positions, atol=1e-9)
    np.testing.assert_allclose(structure.lattice.matrix, atoms.cell.array, atol=1e-9)
    blocks = Poscar.from_file(tmp_path / "POSCAR").site_symbols
    assert (tmp_path / "POTCAR.spec").read_text().split() == [kim.label(s) for s in blocks]
    assert len(Incar.from_file(tmp_path / "INCAR")["LDAUU"]) == len(blocks)


@pytest.mark.parametrize("relax", ["cell", "none"])
def test_the_materials_projects_bulk_is_pymatgens(mp, relax, tmp_path):
    atoms = load_crystal("NCM811")
    atoms.symbols[next(i for i, s in enumerate(atoms.get_chemical_symbols()) if s == "Ni")] = "Mn"
    atoms = by_element(atoms)
    grid = mp.grid(atoms, static=relax == "none")
    incar = written(job(atoms, relax=relax, kpoints=grid), mp, tmp_path)
    reference = (MPStaticSet if relax == "none" else MPRelaxSet)(
        AseAtomsAdaptor.get_structure(atoms), sort_structure=False
    ).incar
    extra = {"IBRION": -1} if relax == "none" else {}
    assert dict(incar) == dict(Incar.from_str(str(reference))) | extra
    assert incar["LDAUU"] == [{"Ni": 6.2, "Mn": 3.9}.get(s, 0) for s in dict.fromkeys(atoms.get_chemical_symbols())]


def test_the_materials_projects_slab_gets_its_dipole_and_keeps_its_cell(mp, tmp_path):
    incar = written(job(by_element(slab()), role="interface", relax="atoms", slab=True), mp, tmp_path)
    assert (incar["ENCUT"], incar["ISIF"], incar["IDIPOL"], incar["LDIPOL"]) == (520, 2, 3, True)
    assert incar["EDIFF"] == 1e-4
    assert len(incar["DIPOL"]) == 3


def test_every_tag_is_explained_and_the_job_is_written_beside(kim, tmp_path):
    made = job(
        vacancy_path(1)[0], role="end", charge=-1, relax="atoms", details=HopJobDetails(hop=["V0", "Li1"], side="a")
    )
    incar = written(made, kim, tmp_path)
    lines = (tmp_path / "INCAR.why").read_text().splitlines()
    explained = {line.split(" = ")[0]: line.split(": ", 1)[1] for line in lines if " = " in line and ": " in line}
    assert set(incar) <= set(explained)
    assert "the paper" in explained["ENCUT"]
    fields = json.loads((tmp_path / "job.json").read_text())
    assert fields["settings"] == "kim2026"
    assert (fields["role"], fields["charge"], fields["details"]["hop"]) == ("end", -1, ["V0", "Li1"])


POTCAR = """  PAW_PBE {label} {date}
   {zval:.8f}
 parameters from PSCTR are:
   VRHFIN ={element}: test
   LEXCH  = PE
   TITEL  = PAW_PBE {label} {date}
   POMASS =    1.000; ZVAL   =   {zval:.3f}    mass and valenz
   ENMAX  =  499.034; ENMIN  = 374.276 eV
   END of PSCTR-controll parameters
 local part
   0.1E+01
 End of Dataset
"""


def test_potcars_come_from_the_library_in_the_order_of_the_poscar(kim, tmp_path, monkeypatch):
    library = tmp_path / "library" / "POT_GGA_PAW_PBE_54"
    for label, element, date, zval in [("Li_sv", "Li", "10Sep2004", 3), ("O", "O", "08Apr2002", 6),
                                       ("Nb_pv", "Nb", "08Apr2002", 11)]:  # fmt: skip
        (library / label).mkdir(parents=True)
        (library / label / "POTCAR").write_text(POTCAR.format(label=label, element=element, date=date, zval=zval))
    monkeypatch.setitem(SETTINGS, "PMG_VASP_PSP_DIR", str(tmp_path / "library"))
    atoms = load_crystal("LiNbO3")
    write_vasp_inputs(job(atoms), kim, tmp_path / "job")
    text = (tmp_path / "job" / "POTCAR").read_text()
    titles = [line.split("= ")[1].split()[1] for line in text.splitlines() if "TITEL" in line]
    assert titles == [kim.label(s) for s in Poscar.from_file(tmp_path / "job" / "POSCAR").site_symbols]
    assert not (tmp_path / "job" / "POTCAR.spec").exists()
    with pytest.raises(UserError, match="Ni_pv"):
        write_vasp_inputs(job(Atoms("Ni", cell=[3, 3, 3], pbc=True)), kim, tmp_path / "other")


def test_by_element_moves_nothing_and_takes_everything_along():
    atoms = slab()
    atoms.set_array("plane", np.arange(len(atoms)))
    atoms.info["dopant_indices"] = [0, 5]
    grouped = by_element(atoms)
    order = grouped.arrays["plane"]
    np.testing.assert_array_equal(grouped.positions, atoms.positions[order])
    np.testing.assert_array_equal(grouped.numbers, atoms.numbers[order])
    assert [int(order[i]) for i in grouped.info["dopant_indices"]] == [0, 5]
    fixed = {int(i) for c in atoms.constraints if isinstance(c, FixAtoms) for i in c.index}
    assert {int(order[i]) for c in grouped.constraints for i in c.index} == fixed
    symbols = grouped.get_chemical_symbols()
    assert len([1 for a, b in itertools.pairwise(symbols) if a != b]) == len(set(symbols)) - 1
