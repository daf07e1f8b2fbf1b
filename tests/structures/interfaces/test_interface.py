import numpy as np
import pytest
from ase import Atoms
from ase.neighborlist import neighbor_list

from screening.config import InterfaceSettings
from screening.errors import UserError
from screening.structures.crystals.crystals import load_crystal
from screening.structures.interfaces.cathode import delithiate
from screening.structures.interfaces.interface import Parent, combine, find_parents, gap_of, pull_apart, shift, split
from screening.structures.interfaces.slabs import assign_planes, is_polar, make_slab, primitive_with_miller


def _vacuum(atoms: Atoms) -> float:
    return float(atoms.cell[2, 2] - np.ptp(atoms.positions[:, 2]))


def _distances(atoms: Atoms) -> np.ndarray:
    return np.sort(neighbor_list("d", atoms, 3.0))


def _histogram(atoms: Atoms) -> np.ndarray:
    """Distances across the contact, counted in bins of 0.25 A."""
    i, j, d = neighbor_list("ijd", atoms, 5.0)
    across = atoms.arrays["region"][i] != atoms.arrays["region"][j]
    return np.histogram(d[across] + 0.0123, bins=np.arange(0, 5.01, 0.25))[0]


def test_thin_pair_is_the_known_one(thin_parent: Parent) -> None:
    """136 atoms, about 2 % strain at 160-180 A^2 (first measurements with CHGNet's lattice)."""
    assert len(thin_parent.atoms) == 136
    assert 160 < thin_parent.area < 180
    assert thin_parent.von_mises_strain == pytest.approx(0.02, abs=0.005)
    assert (thin_parent.coating_fu, thin_parent.cathode_fu) == (16, 14)
    assert (thin_parent.coating_planes, thin_parent.cathode_planes) == (2, 2)
    assert thin_parent.coating_thickness == pytest.approx(5.2, abs=0.1)
    assert thin_parent.cathode_thickness == pytest.approx(2.87, abs=0.05)
    assert "thin_slab" in thin_parent.flags
    assert thin_parent.cathode_realised == "Ni11Co2Mn1"


def test_standard_pair_is_thick_enough(standard_parent: Parent) -> None:
    p = standard_parent
    assert min(p.coating_planes, p.cathode_planes) >= 4
    assert min(p.coating_thickness, p.cathode_thickness) >= 8.0
    assert p.flags == ()
    assert len(p.atoms) <= 400
    assert _vacuum(p.atoms) >= 15.0 - 1e-6


def test_both_sides_are_stoichiometric_and_neutral(standard_parent: Parent) -> None:
    substrate, coating = split(standard_parent.atoms)
    counts = substrate.symbols.formula.count()
    assert counts["Li"] == counts["Ni"] + counts["Co"] + counts["Mn"] == counts["O"] / 2 == standard_parent.cathode_fu
    assert coating.symbols.formula.count() == {"Li": 32, "Nb": 32, "O": 96}
    assert substrate.arrays["oxidation_state"].sum() == coating.arrays["oxidation_state"].sum() == 0


def test_the_cathode_is_not_strained(standard_parent: Parent) -> None:
    """M-O and O-O distances inside the substrate are those of the bulk crystal; the coating's are within the strain."""
    crystal = load_crystal("NCM811")
    substrate, coating = split(standard_parent.atoms)
    metal = np.flatnonzero(substrate.arrays["oxidation_state"] == 3)
    lengths = neighbor_list("d", substrate[np.union1d(metal, np.flatnonzero(substrate.symbols == "O"))], 2.2)
    bulk = neighbor_list("d", crystal[~(crystal.symbols == "Li")], 2.2)
    np.testing.assert_allclose(lengths, bulk[0], atol=1e-6)
    assert standard_parent.atoms.cell[2, :2] == pytest.approx([0, 0])
    volume = standard_parent.area * standard_parent.coating_thickness / standard_parent.coating_fu
    low, high = standard_parent.principal_strains
    assert volume == pytest.approx(52.7 * 1.06 * (1 + low) * (1 + high), rel=0.02)
    inner = np.isin(coating.arrays["plane"], [1, 2]) & (coating.symbols == "Nb")
    i = neighbor_list("i", coating, {("Nb", "O"): 2.5})
    assert set(np.bincount(i, minlength=len(coating))[inner]) == {6}


def test_planes_count_from_the_contact_and_have_one_composition(standard_parent: Parent) -> None:
    atoms = standard_parent.atoms
    region, plane, z = atoms.arrays["region"], atoms.arrays["plane"], atoms.positions[:, 2]
    for r, sign, n in ((0, -1, standard_parent.cathode_planes), (1, 1, standard_parent.coating_planes)):
        heights = [z[(region == r) & (plane == p)].mean() for p in range(n)]
        assert (sign * np.diff(heights) > 1.0).all()
        sizes = [((region == r) & (plane == p)).sum() for p in range(n)]
        assert len(set(sizes)) == 1
    assert gap_of(atoms) == pytest.approx(2.0)
    assert (np.diff(region) >= 0).all()


def test_outer_half_of_the_substrate_is_frozen(standard_parent: Parent) -> None:
    atoms = standard_parent.atoms
    frozen = np.zeros(len(atoms), dtype=bool)
    frozen[atoms.constraints[0].index] = True
    assert (frozen == ((atoms.arrays["region"] == 0) & (atoms.arrays["plane"] >= 3))).all()


def test_minority_metals_are_spread_over_the_planes(standard_parent: Parent) -> None:
    substrate, _ = split(standard_parent.atoms)
    minority = np.isin(substrate.get_chemical_symbols(), ["Co", "Mn"])
    per_plane = np.bincount(substrate.arrays["plane"][minority], minlength=standard_parent.cathode_planes)
    assert per_plane.max() - per_plane.min() <= 1


def test_empty_octahedra_move_with_the_coating(thin_parent: Parent) -> None:
    atoms = thin_parent.atoms
    assert len(atoms.info["void_sites"]) == thin_parent.coating_fu

    def to_coating(a: Atoms) -> np.ndarray:
        probe = split(a)[1] + Atoms(
            f"He{len(a.info['void_sites'])}", scaled_positions=a.info["void_sites"], cell=a.cell
        )
        return np.sort(neighbor_list("d", probe, {("He", "Nb"): 4.0, ("He", "O"): 4.0}))

    expected = to_coating(atoms)
    assert expected[0] > 1.7
    np.testing.assert_allclose(to_coating(shift(atoms, 0.3, 0.6, 2.7)), expected, atol=1e-4)


def test_shift_sets_the_gap_and_keeps_each_slab(thin_parent: Parent) -> None:
    atoms = thin_parent.atoms
    moved = shift(atoms, 0.4, 0.7, 2.6)
    assert gap_of(moved) == pytest.approx(2.6)
    assert _vacuum(moved) == pytest.approx(_vacuum(atoms))
    np.testing.assert_allclose(moved.cell.array[:2], atoms.cell.array[:2])
    for before, after in zip(split(atoms), split(moved), strict=True):
        np.testing.assert_allclose(_distances(after), _distances(before), atol=1e-9)
    assert (moved.constraints[0].index == atoms.constraints[0].index).all()


@pytest.mark.parametrize(("dx", "dy"), [(1, 0), (0, 1), (2, -1)])
def test_registry_cell_holds_every_distinct_shift(thin_parent: Parent, dx: int, dy: int) -> None:
    """A whole registry vector gives back the same contact (metals told apart only by being metals)."""
    atoms = thin_parent.atoms.copy()
    atoms.numbers[atoms.arrays["oxidation_state"] == 3] = 28
    n_cells = thin_parent.area / abs(np.linalg.det(np.array(atoms.info["registry_cell"])))
    assert n_cells == pytest.approx(28)  # 4 surface cells of the coating times 7 of the cathode
    start, whole, half = (_histogram(shift(atoms, f * dx, f * dy, 1.5)) for f in (0.0, 1.0, 0.5))
    np.testing.assert_array_equal(whole, start)
    assert (half != start).any()


def test_split_and_combine_round_trip(thin_parent: Parent) -> None:
    atoms = thin_parent.atoms
    whole = combine(*split(atoms))
    np.testing.assert_array_equal(whole.numbers, atoms.numbers)
    np.testing.assert_allclose(whole.positions, atoms.positions)
    for name in ("region", "plane", "oxidation_state"):
        np.testing.assert_array_equal(whole.arrays[name], atoms.arrays[name])
    assert (whole.constraints[0].index == atoms.constraints[0].index).all()
    assert whole.info == atoms.info


def test_split_renumbers_defect_indices(thin_parent: Parent) -> None:
    atoms = thin_parent.atoms.copy()
    index = int(np.flatnonzero(atoms.symbols == "Nb")[3])
    atoms.info["dopant_indices"] = [index]
    substrate, coating = split(atoms)
    assert "dopant_indices" not in substrate.info
    np.testing.assert_allclose(coating.positions[coating.info["dopant_indices"][0]], atoms.positions[index])
    assert combine(substrate, coating).info["dopant_indices"] == [index]


def test_pulled_apart_slabs_do_not_touch(thin_parent: Parent) -> None:
    apart = pull_apart(thin_parent.atoms, 15.0)
    assert gap_of(apart) == pytest.approx(gap_of(thin_parent.atoms) + 15.0)
    assert _vacuum(apart) + 15 + gap_of(thin_parent.atoms) > 30
    pairs = neighbor_list("ij", apart, 6.0)
    assert (apart.arrays["region"][pairs[0]] == apart.arrays["region"][pairs[1]]).all()


def test_delithiation_of_the_interface_and_of_its_slab_agree(standard_parent: Parent) -> None:
    atoms = standard_parent.atoms.copy()
    atoms.set_array("tag0", np.arange(len(atoms)))
    for order in (0, 1):
        whole = delithiate(atoms, 1 / 3, order=order, seed=5)
        slab = delithiate(split(atoms)[0], 1 / 3, order=order, seed=5)
        np.testing.assert_array_equal(split(whole)[0].arrays["tag0"], slab.arrays["tag0"])
        assert len(split(whole)[1]) == len(split(atoms)[1])
        assert whole.info["y_contact"] == pytest.approx(1 / 3, abs=0.5 / 7)
        kept = set(whole.arrays["tag0"][whole.constraints[0].index])
        assert kept <= set(atoms.constraints[0].index)
        assert ((whole.arrays["region"] == 0) & (whole.arrays["plane"] >= 3)).sum() == len(kept)


@pytest.mark.parametrize(
    ("caps", "says"),
    [
        ({"max_area": 100.0}, r"max_area = 100 A\^2 stops it \(16\d A\^2 would pass\)"),
        ({"max_atoms": 100}, r"max_atoms = 100 stops it \(136 would pass\)"),
        ({"max_strain": 0.01}, r"max_strain = 0.010 stops it \(0\.03\d would pass\)"),
    ],
)
def test_no_match_names_the_cap_and_a_value_that_passes(niobate: Atoms, caps: dict[str, float], says: str) -> None:
    settings = InterfaceSettings(min_planes=2, min_thickness=0, **caps)
    with pytest.raises(UserError, match=says):
        find_parents(niobate, load_crystal("NCM811"), "NCM811", settings, 0)


def test_planes_of_a_toy_slab() -> None:
    """Two A2B sheets, each rumpled by 0.2 A."""
    heights = [0.0, 0.2, 0.1, 2.0, 2.2, 2.1]
    assert assign_planes(heights, list("AABABA")).tolist() == [0, 0, 0, 1, 1, 1]


def test_polarity_of_layered_surfaces() -> None:
    """(001) of a layered oxide is a stack of charged sheets (Tasker III); its (110) planes are neutral."""
    cathode = load_crystal("NCM811")
    structure, miller = primitive_with_miller(cathode, (0, 0, 1))
    assert is_polar(make_slab(structure, miller, 0.0, 1))
    structure, miller = primitive_with_miller(cathode, (1, 1, 0))
    assert not is_polar(make_slab(structure, miller, 0.5, 1))
