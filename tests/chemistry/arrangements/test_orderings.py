from functools import cache
from itertools import combinations

import numpy as np
import pytest
from ase import Atoms
from ase.constraints import FixAtoms
from hypothesis import given, settings
from hypothesis import strategies as st

from screening.chemistry.arrangements.draws import draw, find_pools, settle
from screening.chemistry.arrangements.ewald import ewald_energy, ewald_matrix
from screening.chemistry.arrangements.orderings import decorate, ranked_orderings, site_charges
from screening.chemistry.candidate import Compensation, Defects, Substitution
from screening.chemistry.compensation import rescale
from screening.chemistry.grid import enumerate_candidates
from screening.errors import CandidateFailed
from screening.structures.crystals.crystals import load_crystal
from screening.structures.hops.voids import octahedral_voids

SCHEMES: tuple[Compensation, ...] = ("li_vacancy", "li_interstitial", "o_vacancy", "self")
MG = Substitution(element="Mg", charge=2, site="Li", count=1)
MG_ON_NB = Substitution(element="Mg", charge=2, site="Nb", count=1)


@cache
def _cell(host: str, repeat: tuple[int, int, int]) -> Atoms:
    atoms = load_crystal(host) * repeat
    atoms.info["void_sites"] = octahedral_voids(atoms).tolist()
    return atoms


def cell(host: str = "LiNbO3", repeat: tuple[int, int, int] = (2, 1, 1)) -> Atoms:
    """12 formula units of LiNbO3 with their empty octahedra."""
    return _cell(host, repeat).copy()


def coating() -> Atoms:
    """The same cell with its lower half as a frozen substrate."""
    atoms = cell()
    upper = atoms.get_scaled_positions()[:, 2] >= 0.5
    atoms.set_array("region", upper.astype(int))
    atoms.set_array("plane", np.arange(len(atoms)) // 5)
    atoms.set_constraint(FixAtoms(indices=np.flatnonzero(~upper)))
    return atoms


@settings(deadline=None, max_examples=40)
@given(
    dopants=st.sampled_from(["Mg", "Zr", "Ta", "W", "Al", "Mg:Ta", "Mg:W=1:3"]),
    host=st.sampled_from(["LiNbO3", "Li3NbO4"]),
    congruent=st.booleans(),
    pick=st.integers(0, 100),
    seed=st.integers(0, 2**31),
)
def test_decorated_cells_are_neutral_and_hold_what_was_asked(
    dopants: str, host: str, congruent: bool, pick: int, seed: int
) -> None:
    atoms = cell(host, (2, 1, 1) if host == "LiNbO3" else (1, 1, 1))
    n_fu = atoms.get_chemical_symbols().count("Nb")
    grid = enumerate_candidates(
        dopants, "0-0.34", host=host, n_fu=12, compensation=SCHEMES, congruent=congruent and host == "LiNbO3"
    )
    candidate = rescale(grid.candidates[pick % len(grid.candidates)], n_fu)
    defects = candidate.defects
    new = decorate(atoms, defects, np.random.default_rng(seed))

    assert new.get_array("oxidation_state").sum() == 0
    counts = {s: new.get_chemical_symbols().count(s) for s in set(new.get_chemical_symbols())}
    for s in candidate.dopants:
        assert counts[s.element] == sum(d.count for d in candidate.dopants if d.element == s.element)
    antisites = sum(s.count for s in defects.substitutions) - sum(s.count for s in candidate.dopants)
    assert len(new.info["antisite_indices"]) == antisites
    on_li = sum(s.count for s in defects.substitutions if s.site == "Li")
    host_li = atoms.get_chemical_symbols().count("Li")
    assert counts["Li"] == host_li - on_li - defects.li_vacancies + defects.li_interstitials
    assert counts["O"] == atoms.get_chemical_symbols().count("O") - defects.o_vacancies
    assert len(new.info["vacant_li_sites"]) == defects.li_vacancies
    assert len(new.info["void_sites"]) == len(atoms.info["void_sites"]) - defects.li_interstitials
    assert [new[i].symbol for i in new.info["interstitial_indices"]] == ["Li"] * defects.li_interstitials
    marked = sorted(new[i].symbol for i in new.info["dopant_indices"])
    assert marked == sorted(s.element for s in candidate.dopants for _ in range(s.count))
    assert new.get_all_distances(mic=True)[np.triu_indices(len(new), 1)].min() > 1.4


def test_decorate_leaves_its_input_alone() -> None:
    atoms = cell()
    before = atoms.copy()
    decorate(atoms, Defects(substitutions=(MG,), li_vacancies=1), np.random.default_rng(0))
    assert atoms == before
    assert atoms.info.keys() == before.info.keys()


def test_only_the_coating_is_changed_and_constraints_follow() -> None:
    atoms = coating()
    frozen = atoms.positions[atoms.constraints[0].index]
    defects = Defects(substitutions=(MG, MG_ON_NB), li_vacancies=1, li_interstitials=3)
    new = decorate(atoms, defects, np.random.default_rng(3), voids=np.array(atoms.info["void_sites"]))
    assert (new.get_array("region")[new.info["dopant_indices"]] == 1).all()
    assert new.info["interstitial_indices"] == list(range(len(new) - 3, len(new)))
    assert (new.get_array("region")[-3:] == 1).all()
    assert np.allclose(new.positions[new.constraints[0].index], frozen)
    fixed_li = sum(new[i].symbol == "Li" for i in new.constraints[0].index)
    assert fixed_li == sum(atoms[i].symbol == "Li" for i in atoms.constraints[0].index)
    distances = new.get_distances(len(new) - 1, range(len(new) - 3), mic=True)
    distances[new.get_array("region")[:-3] == 0] = np.inf
    planes = set(new.get_array("plane")[:-3][np.isclose(distances, distances.min(), atol=1e-6)])
    assert new.get_array("plane")[-1] in planes


def test_masks_are_respected() -> None:
    atoms = cell()
    li = [a.index for a in atoms if a.symbol == "Li"]
    substitutable, removable = np.zeros(len(atoms), bool), np.zeros(len(atoms), bool)
    substitutable[li[:2]] = True
    removable[li[2:4]] = True
    for k in range(5):
        new = decorate(
            atoms,
            Defects(substitutions=(MG,), li_vacancies=1),
            np.random.default_rng(k),
            substitutable=substitutable,
            removable=removable,
        )
        gap = np.array(new.info["vacant_li_sites"][0])
        sites = atoms.get_scaled_positions()
        assert np.abs(sites[li[2:4]] - gap).sum(axis=1).min() < 1e-9
        mg = new.get_scaled_positions()[new.info["dopant_indices"][0]]
        assert np.abs(sites[li[:2]] - mg).sum(axis=1).min() < 1e-9


def test_dopants_leave_enough_removable_li() -> None:
    """Two sites may hold dopants, only one of them may become a vacancy: the draw has to keep that one."""
    atoms = cell()
    li = [a.index for a in atoms if a.symbol == "Li"]
    substitutable, removable = np.zeros(len(atoms), bool), np.zeros(len(atoms), bool)
    substitutable[li[:2]] = True
    removable[li[0]] = True
    for k in range(10):
        options = {"substitutable": substitutable, "removable": removable}
        new = decorate(atoms, Defects(substitutions=(MG,), li_vacancies=1), np.random.default_rng(k), **options)
        assert np.allclose(new.info["vacant_li_sites"][0], atoms.get_scaled_positions()[li[0]])


def test_decorating_again_keeps_the_first_defects() -> None:
    first = decorate(cell(), Defects(substitutions=(MG,), li_vacancies=1), np.random.default_rng(0))
    again = decorate(first, Defects(li_vacancies=1), np.random.default_rng(1))
    assert len(again.info["vacant_li_sites"]) == 2
    assert [again[i].symbol for i in again.info["dopant_indices"]] == ["Mg"]


@pytest.mark.parametrize(
    ("defects", "words"),
    [
        (Defects(li_vacancies=13), "13 removable Li"),
        (Defects(li_interstitials=13), "13 empty octahedra"),
        (Defects(substitutions=(MG,), li_vacancies=12), "together"),
        (Defects(substitutions=(Substitution(element="Ta", charge=5, site="Nb", count=13),)), "13 Nb sites"),
    ],
)
def test_a_cell_with_too_few_sites_fails_the_candidate(defects: Defects, words: str) -> None:
    with pytest.raises(CandidateFailed, match=words):
        decorate(cell(), defects, np.random.default_rng(0))


def test_missing_charges_are_an_error() -> None:
    with pytest.raises(ValueError, match="oxidation_state"):
        decorate(Atoms("Li"), Defects(), np.random.default_rng(0))


@pytest.mark.parametrize(
    "defects",
    [
        Defects(substitutions=(MG,), li_vacancies=1),
        Defects(substitutions=(MG_ON_NB,), li_interstitials=3),
        Defects(substitutions=(Substitution(element="Al", charge=3, site="Nb", count=2),), o_vacancies=2),
    ],
)
def test_ranked_energies_equal_a_direct_sum_and_ascend(defects: Defects) -> None:
    found = ranked_orderings(cell(), defects, k=4, n_draws=20, seed=5)
    energies = [o.ewald_energy for o in found]
    assert len(found) > 1
    assert energies == sorted(energies)
    for ordering in found:
        assert ordering.ewald_energy == pytest.approx(ewald_energy(ordering.atoms), abs=1e-4)


def test_one_vacancy_beside_one_dopant_finds_the_lowest_of_all_pairs() -> None:
    """All 132 placements of Mg_Li + V_Li can be enumerated; the ranking has to start with the best of them."""
    atoms = cell()
    li = [a.index for a in atoms if a.symbol == "Li"]
    matrix = ewald_matrix(atoms.cell.array, atoms.get_scaled_positions())
    energies = []
    for pair in combinations(li, 2):
        for mg, vacancy in (pair, pair[::-1]):
            q = atoms.get_array("oxidation_state").astype(float)
            q[mg], q[vacancy] = 2, 0
            energies.append(q @ matrix @ q)
    lowest = ranked_orderings(atoms, Defects(substitutions=(MG,), li_vacancies=1), k=1, n_draws=4, seed=0)[0]
    assert lowest.ewald_energy == pytest.approx(min(energies), abs=1e-3)


def test_settling_only_lowers_the_energy() -> None:
    atoms = cell()
    defects = Defects(substitutions=(MG_ON_NB,), li_interstitials=3)
    found = ranked_orderings(atoms, defects, k=40, n_draws=30, seed=2)
    random = [o.ewald_energy for o in found if o.label.startswith("random")]
    near = [o.ewald_energy for o in found if o.label.startswith("near")]
    assert min(near) <= min(random)
    pools = find_pools(atoms, defects, None, None, None)
    matrix = ewald_matrix(atoms.cell.array, np.vstack([atoms.get_scaled_positions(), pools.voids]))
    base = np.concatenate([atoms.get_array("oxidation_state"), np.zeros(len(pools.voids))])
    choice = draw(defects, pools, np.random.default_rng(7))
    before = site_charges(base, defects, choice, len(atoms))
    settled = settle(choice, pools, before, matrix)
    after = site_charges(base, defects, settled, len(atoms))
    assert settled.substitutions == choice.substitutions
    assert after.sum() == before.sum() == 0
    assert after @ matrix @ after <= before @ matrix @ before


def test_equivalent_orderings_are_merged() -> None:
    one_ta = Defects(substitutions=(Substitution(element="Ta", charge=5, site="Nb", count=1),))
    assert len(ranked_orderings(cell(), one_ta, k=5, n_draws=20, seed=0)) == 1


def test_same_seed_same_orderings() -> None:
    defects = Defects(substitutions=(MG,), li_vacancies=1)
    first = ranked_orderings(cell(), defects, k=3, n_draws=10, seed=11)
    second = ranked_orderings(cell(), defects, k=3, n_draws=10, seed=11)
    assert [o.label for o in first] == [o.label for o in second]
    assert all(np.array_equal(a.atoms.positions, b.atoms.positions) for a, b in zip(first, second, strict=True))


def test_pristine_gives_one_copy() -> None:
    atoms = cell()
    (only,) = ranked_orderings(atoms, Defects(), k=3, n_draws=10, seed=0)
    assert only.atoms is not atoms
    assert np.array_equal(only.atoms.numbers, atoms.numbers)
    assert only.ewald_energy == pytest.approx(2 * ewald_energy(load_crystal("LiNbO3")), abs=1e-3)
    assert only.atoms.info["void_sites"] == atoms.info["void_sites"]
