import numpy as np
import pytest

from screening.chemistry.crystal_facts import available_crystals, crystal_facts
from screening.errors import UserError
from screening.structures.crystals.crystals import formula_units, load_crystal

SHORTEST_BOND = {"LiNbO3": (1.8, 2.0), "Li3NbO4": (1.9, 2.2), "NCM811": (1.9, 2.05), "LPSCB": (1.95, 2.15)}


@pytest.mark.parametrize("name", available_crystals())
def test_crystal_is_neutral_and_has_no_overlapping_atoms(name: str) -> None:
    atoms = load_crystal(name)
    distances = atoms.get_all_distances(mic=True)[~np.eye(len(atoms), dtype=bool)]
    assert atoms.arrays["oxidation_state"].sum() == 0
    low, high = SHORTEST_BOND.get(name, (1.8, 2.2))
    assert low < distances.min() < high


@pytest.mark.parametrize(
    ("name", "formula", "n"),
    [("LiNbO3", "LiNbO3", 6), ("LiTaO3", "LiO3Ta", 6), ("Li3NbO4", "Li3NbO4", 8), ("LiCoO2", "CoLiO2", 3)],
)
def test_composition(name: str, formula: str, n: int) -> None:
    atoms = load_crystal(name)
    assert atoms.symbols.formula.reduce()[0].format("hill") == formula
    assert formula_units(atoms) == n


def test_electrolyte_has_the_papers_halogens() -> None:
    counts = load_crystal("LPSCB").symbols.formula.count()
    assert counts == {"Li": 24, "P": 4, "S": 20, "Cl": 2, "Br": 2}


def test_ncm811_lattice_is_the_refined_one_of_the_paper() -> None:
    """doi:10.1016/j.ensm.2026.105167: a = 2.86731(6), c = 14.1747(7) A."""
    a, _, c = load_crystal("NCM811").cell.lengths()
    assert a == pytest.approx(2.86731, abs=6e-5)
    assert c == pytest.approx(14.1747, abs=7e-4)


@pytest.mark.parametrize("name", [*available_crystals("host"), *available_crystals("cathode")])
def test_space_group_is_what_the_entry_says(name: str) -> None:
    """Of an electrolyte the entry has that of the disordered crystal, which no ordered cell of it can have."""
    import spglib

    atoms = load_crystal(name)
    found = spglib.get_spacegroup((atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers), symprec=1e-3)
    assert found.split()[0] == crystal_facts(name)["space_group"]


def test_unknown_name_gives_the_nearest() -> None:
    with pytest.raises(UserError, match="nearest valid name is 'NCM811'"):
        load_crystal("NCM881")
