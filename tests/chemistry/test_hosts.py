"""Hosts are what datasets/crystals holds: one file more is one host more."""

from pathlib import Path

import pytest
from toy_host import ANTIMONATE, put_beside_the_shipped

from screening.chemistry.candidate import Candidate, Defects, Substitution
from screening.chemistry.grid import enumerate_candidates
from screening.chemistry.hosts import host_facts, host_names
from screening.errors import UserError
from screening.structures.crystals.crystals import formula_units, load_crystal
from screening.structures.hops.voids import octahedral_voids


def test_shipped_hosts_come_smallest_formula_first() -> None:
    of_before = ["LiNbO3", "LiTaO3", "Li3NbO4"]
    assert [name for name in host_names() if name in of_before] == of_before
    sizes = [sum(host_facts(name).amounts.values()) for name in host_names()]
    assert sizes == sorted(sizes)


@pytest.mark.parametrize("name", host_names())
def test_what_a_host_states_holds_for_its_crystal(name: str) -> None:
    """Its formula, its framework and its empty octahedra, each counted in the atoms that its sites make."""
    facts = host_facts(name)
    atoms = load_crystal(name)
    n_fu = formula_units(atoms)
    assert atoms.symbols.formula.count() == {symbol: n * n_fu for symbol, n in facts.amounts.items()}
    assert facts.framework_cation in facts.amounts
    assert facts.framework_cation != "Li"
    assert facts.cations["Li"] == 1
    assert sum(facts.cations[site] * n for site, n in facts.n_cations.items()) == 2 * facts.n_oxygen
    assert facts.n_voids * n_fu == len(octahedral_voids(atoms))


def test_facts_follow_from_the_crystal() -> None:
    facts = host_facts("Li3NbO4")
    assert facts.amounts == {"Li": 3, "Nb": 1, "O": 4}
    assert facts.cations == {"Li": 1, "Nb": 5}
    assert facts.n_cations == {"Li": 3, "Nb": 1}
    assert (facts.n_oxygen, facts.n_voids, facts.can_be_congruent) == (4, 0, False)


def test_elements_of_a_candidate_are_those_of_its_host_and_dopants() -> None:
    mg = Substitution(element="Mg", charge=2, site="Li", count=1)
    assert Candidate(host="LiTaO3", n_fu=12).elements == {"Li", "Ta", "O"}
    doped = Candidate(host="Li3NbO4", n_fu=12, defects=Defects(substitutions=(mg,), li_vacancies=1))
    assert doped.elements == {"Li", "Nb", "O", "Mg"}


def test_a_new_file_is_a_new_host_with_sites_and_elements_of_its_own(antimonate: str) -> None:
    assert antimonate in host_names()
    grid = enumerate_candidates("Mg,Ta", "1/12", host=antimonate)
    assert grid.candidates[0].elements == {"Li", "Sb", "O"}
    sites = {s.site for c in grid.candidates for s in c.defects.substitutions}
    assert sites == {"Li", "Sb"}
    names = [c.name for c in grid.candidates]
    assert names[:2] == ["ToyLSO", "ToyLSO-Mg_Li-vLi-1of12"]
    assert "ToyLSO-Ta_Sb-iso-1of12" in names


def test_antisites_of_a_congruent_host_are_its_framework_cation_and_no_dopants(antimonate: str) -> None:
    host = enumerate_candidates("Mg", "0", host=antimonate, congruent=True).candidates[0]
    (antisite,) = host.defects.substitutions
    assert (antisite.element, antisite.charge, antisite.site) == ("Sb", 5, "Li")
    assert host.is_pristine


def test_nb_on_the_command_line_means_the_framework_of_any_host(antimonate: str) -> None:
    grid = enumerate_candidates("Ti", "1/12", host=antimonate, site="Nb")
    assert {s.site for c in grid.candidates for s in c.defects.substitutions} == {"Sb"}


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("Unframed", ("framework_cation: Sb\n", ""), "set `framework_cation`"),
        ("Anionic", ("framework_cation: Sb", "framework_cation: O"), "set `framework_cation`"),
        ("Misspelt", ("formula: LiSbO3", "formula: LiNbO3"), "the formula and the sites hold other elements"),
    ],
)
def test_a_file_that_lacks_what_a_host_needs_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, change: tuple[str, str], says: str
) -> None:
    put_beside_the_shipped(tmp_path / "assets", monkeypatch, {f"{name}.yaml": ANTIMONATE.replace(*change)})
    with pytest.raises(UserError, match=says):
        host_facts(name)
