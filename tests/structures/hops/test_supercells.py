import numpy as np
import pytest
from ase import Atoms

from screening.errors import UserError
from screening.structures.crystals.crystals import formula_units, load_crystal
from screening.structures.hops.supercells import (
    _hermite_normal_forms,
    isotropic_supercell,
    primitive_cell,
    shortest_image_distance,
)


def test_shortest_image_of_a_skewed_cubic_lattice() -> None:
    cell = np.array([[3.0, 0, 0], [3.0, 3.0, 0], [-3.0, 6.0, 3.0]])
    assert shortest_image_distance(cell) == pytest.approx(3.0)


@pytest.mark.parametrize(("index", "count"), [(1, 1), (2, 7), (3, 13), (4, 35), (6, 91), (12, 455)])
def test_number_of_sublattices(index: int, count: int) -> None:
    """Sum over d | n of d sigma(d): sequence A001001, for example Hart and Forcade 2008, table 1."""
    assert len(list(_hermite_normal_forms(index))) == count


def test_fcc_index_four_is_the_cube() -> None:
    """Of all sublattices of fcc with index 4, the simple cube has the longest shortest vector: a."""
    fcc = Atoms("Cu", cell=[[0, 2, 2], [2, 0, 2], [2, 2, 0]], pbc=True)
    supercell = isotropic_supercell(fcc, 4)
    assert len(supercell) == 4
    assert shortest_image_distance(supercell.cell) == pytest.approx(4.0)


@pytest.mark.parametrize(("n_fu", "reach"), [(12, 9.1), (24, 10.9)])
def test_niobate_images_are_farther_apart_than_in_simple_multiples(n_fu: int, reach: float) -> None:
    """Barrier cells need 9 A: 12 formula units suffice, while the 2x1x1 and 2x2x1 cells reach 5.1 and 10.3 A."""
    host = load_crystal("LiNbO3")
    supercell = isotropic_supercell(host, n_fu)
    assert formula_units(supercell) == n_fu
    assert len(supercell) == 5 * n_fu
    assert shortest_image_distance(supercell.cell) > reach
    assert supercell.get_volume() / n_fu == pytest.approx(host.get_volume() / 6)
    assert supercell.arrays["oxidation_state"].sum() == 0


def test_supercell_keeps_every_environment() -> None:
    host = load_crystal("LiNbO3")
    supercell = isotropic_supercell(host, 12)

    def nb_o(atoms: Atoms) -> np.ndarray:
        from ase.neighborlist import neighbor_list

        return np.sort(neighbor_list("d", atoms, {("Nb", "O"): 2.4}))

    expected = np.sort(np.tile(nb_o(host), 2))
    np.testing.assert_allclose(nb_o(supercell), expected, atol=1e-6)


def test_deterministic_and_primitive() -> None:
    host = load_crystal("LiNbO3")
    assert len(primitive_cell(host)) == 10
    first, second = isotropic_supercell(host, 8), isotropic_supercell(host.repeat((1, 2, 1)), 8)
    np.testing.assert_allclose(np.sort(first.cell.lengths()), np.sort(second.cell.lengths()), atol=1e-6)


def test_impossible_size_is_refused() -> None:
    with pytest.raises(UserError, match="multiple of 2"):
        isotropic_supercell(load_crystal("LiNbO3"), 5)
