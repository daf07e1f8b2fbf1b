from itertools import pairwise

import numpy as np
import pytest
from ase.build import make_supercell

from screening.errors import UserError
from screening.structures.crystals.crystals import load_crystal
from screening.structures.interfaces.cathode import (
    cathode_bulk,
    cathode_composition,
    decorate_cathode,
    delithiate,
    layered_cell,
    realisable_counts,
)


@pytest.mark.parametrize(
    ("name", "n_sites", "counts"),
    [
        ("NCM811", 10, {"Ni": 8, "Co": 1, "Mn": 1}),
        ("NCM811", 14, {"Ni": 11, "Co": 2, "Mn": 1}),
        ("NCM955", 20, {"Ni": 18, "Co": 1, "Mn": 1}),
        ("LiCoO2", 7, {"Co": 7}),
    ],
)
def test_counts_are_the_nearest_whole_atoms(name: str, n_sites: int, counts: dict[str, int]) -> None:
    assert realisable_counts(cathode_composition(name), n_sites) == counts


@pytest.mark.parametrize("name", ["NCM811", "NCM955", "NCM622", "LiCoO2"])
def test_bulk_realises_the_composition_exactly(name: str) -> None:
    atoms = cathode_bulk(name)
    counts = atoms.symbols.formula.count()
    n = counts["Li"]
    for element, share in cathode_composition(name).items():
        assert counts[element] / n == pytest.approx(share)
    assert counts["O"] == 2 * n


def test_two_minority_atoms_end_up_as_far_apart_as_the_cell_allows() -> None:
    """Square lattice of 4x4 sites: two atoms repel to the (2, 2) neighbour, 2 sqrt 2 lattice constants away."""
    from ase import Atoms

    square = Atoms(
        "Ni16", positions=[[2.9 * i, 2.9 * j, 0] for i in range(4) for j in range(4)], cell=[11.6, 11.6, 20], pbc=True
    )
    square.set_array("oxidation_state", np.full(16, 3))
    for seed in range(3):
        assert decorate_cathode(square, {"Ni": 14, "Mn": 2}, seed) == "Ni14Mn2"
        first, second = np.flatnonzero(square.symbols == "Mn")
        assert square.get_distance(first, second, mic=True) == pytest.approx(2.9 * 2 * np.sqrt(2))


def test_layered_cell_returns_the_lattice_and_oxygen_height_of_a_deformed_supercell() -> None:
    start, crystal = cathode_bulk("NCM811", 1), load_crystal("NCM811")
    relaxed = start.copy()
    relaxed.set_cell(start.cell.array * [1.01, 1.01, 1.02], scale_atoms=True)
    c0 = crystal.cell.lengths()[2]
    up = (start.positions[:, 2] / (c0 / 3)) % 1.0 < 0.5
    oxygen = relaxed.symbols == "O"
    relaxed.positions[oxygen, 2] += np.where(up, 0.03, -0.03)[oxygen]
    found = layered_cell("NCM811", relaxed, 1)
    a, _, c = found.cell.lengths()
    assert a == pytest.approx(1.01 * crystal.cell.lengths()[0])
    assert c == pytest.approx(1.02 * c0)
    z = found.positions[found.symbols == "O", 2] % (c / 3)
    expected = 1.02 * (1 / 3 - 0.2590) * c0 + 0.03
    np.testing.assert_allclose(np.minimum(z, c / 3 - z), expected, atol=1e-6)


def _slab(n_planes: int = 4, per_plane: int = 7):
    atoms = make_supercell(load_crystal("NCM811"), np.diag([per_plane, n_planes, 1]))
    lithium = np.flatnonzero(atoms.symbols == "Li")[: n_planes * per_plane]
    atoms = atoms[lithium]
    atoms.set_array("plane", np.arange(len(atoms)) // per_plane)
    return atoms


def test_delithiation_is_nested_and_reproducible() -> None:
    slab = _slab()
    slab.set_array("tag0", np.arange(len(slab)))
    left = {y: set(delithiate(slab, y, order=1, seed=4).arrays["tag0"]) for y in (1.0, 2 / 3, 0.5, 1 / 3, 0.0)}
    ordered = sorted(left, reverse=True)
    for higher, lower in pairwise(ordered):
        assert left[lower] < left[higher]
    assert set(delithiate(slab, 0.5, order=1, seed=4).arrays["tag0"]) == left[0.5]
    assert set(delithiate(slab, 0.5, order=2, seed=4).arrays["tag0"]) != left[0.5]


@pytest.mark.parametrize("y", [1.0, 2 / 3, 0.5, 1 / 3, 0.1, 0.0])
def test_every_plane_holds_y_as_nearly_as_counts_allow(y: float) -> None:
    slab = _slab()
    result = delithiate(slab, y, order=0, seed=0)
    assert result.info["y_realised"] == pytest.approx(y, abs=0.5 / 28 + 1e-9)
    assert result.info["y_contact"] == pytest.approx(y, abs=0.5 / 7 + 0.5 / 28)
    for plane in range(4):
        assert abs((result.arrays["plane"] == plane).sum() - 7 * y) < 1.01


def test_state_of_charge_outside_its_range_is_refused() -> None:
    with pytest.raises(UserError, match=r"outside 0\.\.1"):
        delithiate(_slab(), 1.2)


def test_delithiation_renumbers_the_lists_of_atom_indices() -> None:
    slab = cathode_bulk("LiCoO2")
    last = len(slab) - 1
    slab.set_array("region", np.zeros(len(slab), dtype=int))
    slab.arrays["region"][last] = 1
    slab.info["dopant_indices"] = [last]
    charged = delithiate(slab, 0.5)
    assert len(charged) < len(slab)
    assert charged.info["dopant_indices"] == [len(charged) - 1]
    np.testing.assert_allclose(charged.positions[charged.info["dopant_indices"][0]], slab.positions[last])
