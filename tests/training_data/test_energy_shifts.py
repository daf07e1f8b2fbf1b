import numpy as np
import pytest
from ase import Atoms

from screening.training_data.energy_shifts import fit_shifts

SHIFTS = {"Li": -1.25, "Nb": 3.5, "O": 0.375, "Mg": -0.0625}


def total(formula):
    return sum(SHIFTS[s] for s in Atoms(formula).get_chemical_symbols())


def fit(formulas, noise=0.0, seed=0):
    rng = np.random.default_rng(seed)
    structures = [Atoms(f) for f in formulas]
    return fit_shifts(
        structures, [total(f) + noise * len(a) * rng.normal() for f, a in zip(formulas, structures, strict=True)]
    )


def test_a_constant_per_element_is_found_exactly():
    found = fit(["LiNbO3", "Li2O", "MgO", "NbO2", "Mg4Nb2O9", "Li", "O2"])
    assert found.per_element == pytest.approx(SHIFTS, abs=1e-9)
    assert found.undetermined == 0
    assert found.rms_residual == pytest.approx(0, abs=1e-9)


def test_cell_size_does_not_matter():
    formulas = ["LiNbO3", "Li2O", "MgO", "NbO2"]
    small, large = (
        fit(formulas, noise=0.01),
        fit_shifts(
            [Atoms(f) + Atoms(f) + Atoms(f) for f in formulas],
            [
                3 * (total(f) + 0.01 * len(Atoms(f)) * n)
                for f, n in zip(formulas, np.random.default_rng(0).normal(size=4), strict=True)
            ],
        ),
    )
    assert large.per_element == pytest.approx(small.per_element, abs=1e-9)


def test_charge_balanced_oxides_determine_sums_and_not_elements():
    """Numbers of atoms obey n_Li + 2 n_Mg + 5 n_Nb = 2 n_O, so one combination stays open."""
    found = fit(["LiNbO3", "Li2O", "MgO", "Nb2O5", "Mg4Nb2O9", "Li3NbO4"])
    assert found.undetermined == 1
    for formula in ("MgNb2O6", "LiNb3O8", "Li4Mg2Nb6O19"):
        assert found.determine(Atoms(formula))
        assert found.of(Atoms(formula)) == pytest.approx(total(formula), abs=1e-9)
    for formula in ("Li", "O2", "LiNbO2", "NbO2"):
        assert not found.determine(Atoms(formula))


def test_the_open_combination_gets_the_smallest_norm():
    found = fit(["LiNbO3", "Li2Nb2O6"])
    (li, nb, o) = (found.per_element[s] for s in ("Li", "Nb", "O"))
    assert li + nb + 3 * o == pytest.approx(total("LiNbO3"))
    assert (li, nb, o) == pytest.approx(np.array([1, 1, 3]) * total("LiNbO3") / 11), "along the composition itself"
    assert found.undetermined == 2


def test_an_element_without_data_is_neither_shifted_nor_determined():
    found = fit(["Li2O", "Li", "O2"])
    assert found.of(Atoms("MgO")) == pytest.approx(SHIFTS["O"])
    assert not found.determine(Atoms("MgO"))
    assert set(found.per_element) == {"Li", "O"}
