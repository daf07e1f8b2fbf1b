import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from pymatgen.analysis.ewald import EwaldSummation
from pymatgen.io.ase import AseAtomsAdaptor

from screening.chemistry.arrangements.ewald import ewald_energy, ewald_matrix

COULOMB = 14.399645  # eV A / e^2


def with_charges(atoms: Atoms, charges: list[int]) -> Atoms:
    atoms.set_array("oxidation_state", np.array(charges))
    return atoms


@pytest.mark.parametrize(
    ("structure", "madelung"),
    [("rocksalt", 1.747564594633), ("cesiumchloride", 1.762674773070), ("zincblende", 1.638055053388)],
)
def test_madelung_constants(structure: str, madelung: float) -> None:
    """Madelung constants referred to the shortest distance (Sakamoto, J. Chem. Phys. 28 (1958) 164)."""
    pair = with_charges(bulk("NaCl", structure, a=5.64), [1, -1])
    shortest = pair.get_all_distances(mic=True)[0, 1]
    assert ewald_energy(pair) == pytest.approx(-madelung * COULOMB / shortest, rel=1e-6)


def test_quadratic_form_equals_a_direct_sum_for_other_charges_on_the_same_sites() -> None:
    rng = np.random.default_rng(1)
    atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True) * (2, 1, 1)
    atoms.rattle(0.2, seed=2)
    matrix = ewald_matrix(atoms.cell.array, atoms.get_scaled_positions())
    for total in (0, 3):
        charges = rng.integers(-2, 6, len(atoms))
        charges[-1] += total - charges.sum()
        structure = AseAtomsAdaptor.get_structure(atoms)
        structure.add_oxidation_state_by_site([int(q) for q in charges])
        assert charges @ matrix @ charges == pytest.approx(EwaldSummation(structure).total_energy, abs=1e-5)


def test_empty_sites_do_not_count() -> None:
    pair = with_charges(bulk("NaCl", "rocksalt", a=5.64), [1, -1])
    sites = np.vstack([pair.get_scaled_positions(), [[0.25, 0.25, 0.25]]])
    charges = np.array([1.0, -1.0, 0.0])
    assert charges @ ewald_matrix(pair.cell.array, sites) @ charges == pytest.approx(ewald_energy(pair), abs=1e-6)


def test_energy_is_extensive() -> None:
    pair = with_charges(bulk("NaCl", "rocksalt", a=5.64), [1, -1])
    assert ewald_energy(pair * (3, 2, 1)) == pytest.approx(6 * ewald_energy(pair), abs=1e-5)
