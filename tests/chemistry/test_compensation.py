import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from screening.chemistry.candidate import Candidate, Compensation, Defects, Substitution
from screening.chemistry.compensation import (
    congruent_defects,
    effective_charge,
    infeasible,
    neutral_units,
    rescale,
    self_unit,
)
from screening.chemistry.dopants import Dopant
from screening.chemistry.grid import enumerate_candidates
from screening.chemistry.hosts import host_facts, host_names
from screening.errors import CandidateFailed

LNO = host_facts("LiNbO3")
SCHEMES: tuple[Compensation, ...] = ("li_vacancy", "li_interstitial", "o_vacancy", "self")


def charge_of(candidate: Candidate) -> int:
    """Formal charge (e) of a candidate's cell."""
    return effective_charge(candidate.defects, host_facts(candidate.host))


def units(charge: int, site: str) -> dict[str, tuple[int, int, int, int]]:
    found = neutral_units([(Dopant(element="Mn", charge=charge), site, 1)], LNO, SCHEMES)
    return {
        scheme: (u.substitutions[0].count, u.li_vacancies, u.li_interstitials, u.o_vacancies) for scheme, u in found
    }


def test_units_on_li() -> None:
    assert units(1, "Li") == {"none": (1, 0, 0, 0)}
    assert units(2, "Li") == {"li_vacancy": (1, 1, 0, 0)}
    assert units(4, "Li") == {"li_vacancy": (1, 3, 0, 0)}


def test_units_on_nb() -> None:
    assert units(5, "Nb") == {"none": (1, 0, 0, 0)}
    assert units(6, "Nb") == {"li_vacancy": (1, 1, 0, 0)}
    assert units(4, "Nb") == {"li_interstitial": (1, 0, 1, 0), "o_vacancy": (2, 0, 0, 1)}
    assert units(3, "Nb") == {"li_interstitial": (1, 0, 2, 0), "o_vacancy": (1, 0, 0, 1)}
    assert units(2, "Nb") == {"li_interstitial": (1, 0, 3, 0), "o_vacancy": (2, 0, 0, 3)}


@pytest.mark.parametrize(("charge", "on_li", "on_nb"), [(2, 3, 1), (3, 1, 1), (4, 1, 3)])
def test_self_compensation(charge: int, on_li: int, on_nb: int) -> None:
    unit = self_unit(Dopant(element="Mn", charge=charge), LNO)
    assert unit is not None
    assert {s.site: s.count for s in unit.substitutions} == {"Li": on_li, "Nb": on_nb}
    assert effective_charge(unit, LNO) == 0


@pytest.mark.parametrize("charge", [1, 5, 6])
def test_no_self_compensation_of_one_sign(charge: int) -> None:
    assert self_unit(Dopant(element="Mn", charge=charge), LNO) is None


def test_co_dopants_that_balance_each_other() -> None:
    placement = [(Dopant(element="Mg", charge=2), "Nb", 1), (Dopant(element="W", charge=6), "Nb", 3)]
    assert [scheme for scheme, _ in neutral_units(placement, LNO, [])] == ["self"]


def test_congruent_host_is_neutral_with_at_least_one_antisite() -> None:
    for n_fu, antisites in [(8, 1), (12, 1), (100, 1), (200, 2)]:
        defects = congruent_defects(LNO, n_fu)
        assert defects.substitutions[0].count == antisites
        assert defects.li_vacancies == 4 * antisites
        assert effective_charge(defects, LNO) == 0


def test_infeasible_cells() -> None:
    zr = Substitution(element="Zr", charge=4, site="Li", count=3)
    assert "no Li" in infeasible(Defects(substitutions=(zr,), li_vacancies=9), LNO, 12)
    assert infeasible(Defects(substitutions=(zr,), li_vacancies=9), LNO, 13) == ""
    assert "empty octahedra" in infeasible(Defects(li_interstitials=13), LNO, 12)
    assert "Nb sites" in infeasible(
        Defects(substitutions=(Substitution(element="Ta", charge=5, site="Nb", count=13),)), LNO, 12
    )


def test_rescale_keeps_the_content_where_it_can() -> None:
    mg = enumerate_candidates("Mg", "1/12", site="Li").candidates[1]
    assert [rescale(mg, n).defects.substitutions[0].count for n in (4, 12, 16, 24, 36)] == [1, 1, 1, 2, 3]
    larger = rescale(mg, 24)
    assert (larger.n_fu, larger.x, larger.x_requested) == (24, mg.x, mg.x_requested)
    assert rescale(larger, 12) == mg


def test_rescale_keeps_the_ratio_of_co_dopants() -> None:
    co = enumerate_candidates("Mg:Ta=2:1", "3/12").candidates[1]
    assert {s.element: s.count for s in rescale(co, 16).dopants} == {"Mg": 2, "Ta": 1}
    assert {s.element: s.count for s in rescale(co, 24).dopants} == {"Mg": 4, "Ta": 2}


def test_rescale_steps_down_rather_than_empty_the_cell_of_li() -> None:
    zr = enumerate_candidates("Zr", "2/12", site="Li").candidates[1]
    assert rescale(zr, 8).defects.li_vacancies == 3
    assert rescale(zr, 9).defects.li_vacancies == 6
    with pytest.raises(CandidateFailed, match="no Li"):
        rescale(zr, 4)


def test_rescale_of_the_hosts() -> None:
    assert rescale(Candidate(host="LiNbO3", n_fu=12), 7).defects.is_empty
    congruent = enumerate_candidates("Mg", "0", congruent=True).candidates[0]
    assert rescale(congruent, 40).defects == congruent.defects
    assert rescale(congruent, 40).is_pristine


DOPANTS = ["Mg", "Zr", "Ta", "Al", "W", "Fe2+", "Fe", "Na", "Ti", "Mo6+", "Sn", "Y", "Mg:Ta", "Mg:W=1:3", "Al:Zr=2:1"]


@settings(deadline=None, max_examples=150)
@given(
    dopants=st.lists(st.sampled_from(DOPANTS), min_size=1, max_size=3, unique=True),
    x=st.sampled_from(["0-0.25", "0.05", "1/12,0.3", "0-1", "0.5"]),
    site=st.sampled_from(["auto", "Li", "Nb"]),
    host=st.sampled_from(sorted(host_names())),
    congruent=st.booleans(),
    n_fu=st.integers(6, 24),
    cell=st.integers(8, 40),
)
def test_every_candidate_is_neutral_in_every_cell(
    dopants: list[str], x: str, site: str, host: str, congruent: bool, n_fu: int, cell: int
) -> None:
    congruent = congruent and host_facts(host).can_be_congruent
    text = ",".join(dopants).replace("Ta", "Nb" if host == "LiTaO3" else "Ta")
    grid = enumerate_candidates(text, x, host=host, site=site, n_fu=n_fu, compensation=SCHEMES, congruent=congruent)
    assert len({c.name for c in grid.candidates}) == len(grid.candidates)
    assert grid.candidates[0].is_pristine
    for candidate in grid.candidates:
        assert charge_of(candidate) == 0
        assert infeasible(candidate.defects, host_facts(host), n_fu) == ""
        try:
            other = rescale(candidate, cell)
        except CandidateFailed:
            continue
        assert charge_of(other) == 0
        assert infeasible(other.defects, host_facts(host), cell) == ""
        assert other.is_pristine == candidate.is_pristine
        shares, wanted = (
            {(s.element, s.site, s.charge): s.count / (c.x * c.n_fu) for s in c.dopants} for c in (other, candidate)
        )
        assert shares == pytest.approx(wanted)
