import numpy as np
import pytest

from screening.structures.crystals.crystals import load_crystal
from screening.structures.hops.supercells import isotropic_supercell
from screening.structures.hops.voids import octahedral_voids


@pytest.mark.parametrize("name", ["LiNbO3", "LiTaO3"])
def test_one_void_per_formula_unit_on_the_polar_axis(name: str) -> None:
    """Along c the octahedra are filled Nb, empty, Li, ...; the empty one is centred 1/6 c above the Nb octahedron."""
    atoms = load_crystal(name)
    voids = octahedral_voids(atoms)
    assert len(voids) == 6
    metal = atoms.get_scaled_positions()[atoms.arrays["oxidation_state"] == 5]
    for void in voids:
        delta = (void - metal + 0.5) % 1.0 - 0.5
        on_axis = delta[np.abs(delta[:, :2]).max(axis=1) < 1e-3]
        assert on_axis[:, 2].max() > 0.13
        assert min(abs(on_axis[:, 2])) == pytest.approx(0.148, abs=0.006)


def test_extensive_and_translation_invariant() -> None:
    supercell = isotropic_supercell(load_crystal("LiNbO3"), 12)
    voids = octahedral_voids(supercell)
    assert len(voids) == 12
    moved = supercell.copy()
    step = np.array([0.37, 0.11, 0.73])
    moved.set_scaled_positions((moved.get_scaled_positions() + step) % 1.0)
    delta = (octahedral_voids(moved) - step)[:, None, :] - voids[None]
    delta -= np.rint(delta)
    assert np.abs(delta).max(axis=2).min(axis=1).max() < 1e-6


def test_survives_relaxation_noise() -> None:
    supercell = isotropic_supercell(load_crystal("LiNbO3"), 12)
    supercell.rattle(0.04, seed=3)
    assert len(octahedral_voids(supercell)) == 12


def test_a_li_vacancy_is_an_empty_octahedron_unless_excluded() -> None:
    atoms = isotropic_supercell(load_crystal("LiNbO3"), 12)
    index = int(np.flatnonzero(atoms.symbols == "Li")[0])
    site = atoms.get_scaled_positions()[index]
    del atoms[index]
    assert len(octahedral_voids(atoms)) == 13
    assert len(octahedral_voids(atoms, exclude=[site])) == 12


@pytest.mark.parametrize("name", ["NCM811", "Li3NbO4"])
def test_filled_rock_salt_lattices_have_none(name: str) -> None:
    assert len(octahedral_voids(load_crystal(name))) == 0


def test_slab_has_only_its_inner_voids() -> None:
    slab = load_crystal("LiNbO3").repeat((1, 1, 2))
    bulk = len(octahedral_voids(slab))
    slab.center(vacuum=6.0, axis=2)
    inside = octahedral_voids(slab)
    assert 0 < len(inside) < bulk
    z = inside[:, 2] * slab.cell[2, 2]
    assert z.min() > slab.positions[:, 2].min()
    assert z.max() < slab.positions[:, 2].max()
