"""Settings of GPAW: grids, methods, reasons."""

from __future__ import annotations

import pytest
from ase import Atoms
from pymatgen.io.ase import AseAtomsAdaptor

from screening.errors import UserError
from screening.structures.crystals.crystals import load_crystal
from screening.validation.gpaw.settings import GpawSettings
from screening.validation.programs import load_validation_settings

NOT_A_CHOICE = {"name", "engine", "functional", "why"}


def gpaw_settings(name: str) -> GpawSettings:
    settings = load_validation_settings(name)
    assert isinstance(settings, GpawSettings)
    return settings


@pytest.mark.parametrize("name", ["gpaw-pbe", "gpaw-gamma", "gpaw-lcao"])
def test_every_choice_has_its_reason(name: str):
    settings = gpaw_settings(name)
    assert settings.model_fields_set - NOT_A_CHOICE == set(settings.why)


def test_grid_of_the_ten_atom_cell_is_the_converged_one():
    primitive = AseAtomsAdaptor.get_structure(load_crystal("LiNbO3")).get_primitive_structure()
    atoms = AseAtomsAdaptor.get_atoms(primitive, msonable=False)
    settings = gpaw_settings("gpaw-pbe")
    assert settings.grid(atoms) == (3, 3, 3)
    assert settings.grid(atoms.repeat((1, 1, 3))) == (3, 3, 1)
    assert settings.grid(atoms, slab=True)[2] == 1


def test_method_names_u_and_spin_only_where_they_apply():
    settings = gpaw_settings("gpaw-pbe").model_copy(update={"hubbard": {"Ni": 6.0}})
    nickel = settings.expected(Atoms("NiO", cell=[3, 3, 3], pbc=True))
    assert (nickel.label, nickel.hubbard, nickel.spin) == ("pbe+u", {"Ni": 6.0}, True)
    magnesia = settings.expected(Atoms("MgO", cell=[3, 3, 3], pbc=True))
    assert (magnesia.label, magnesia.hubbard, magnesia.spin) == ("pbe", {}, False)


def test_unknown_settings_name_the_nearest():
    with pytest.raises(UserError, match="gpaw-pbe"):
        load_validation_settings("gpaw-pbes")


def test_misspelt_setting_is_named(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\nengine: gpaw\nkpoint_spacing: 0.5\ncutof: 500\n")
    with pytest.raises(UserError, match="cutof"):
        load_validation_settings(str(path))
