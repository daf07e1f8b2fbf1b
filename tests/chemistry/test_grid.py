import pytest

from screening.chemistry.grid import CandidateGrid, enumerate_candidates
from screening.errors import UserError


def names(grid: CandidateGrid) -> list[str]:
    return [c.name for c in grid.candidates]


def test_the_main_job() -> None:
    grid = enumerate_candidates("Mg,Zr,Ta", "0-0.25")
    assert names(grid) == [
        "LiNbO3",
        *(f"Mg_Li-vLi-{n}of12" for n in (1, 2, 3)),
        *(f"Mg_Nb-iLi-{n}of12" for n in (1, 2, 3)),
        *(f"Zr_Li-vLi-{n}of12" for n in (1, 2)),
        *(f"Zr_Nb-iLi-{n}of12" for n in (1, 2, 3)),
        *(f"Ta_Nb-iso-{n}of12" for n in (1, 2, 3)),
    ]
    skipped = {(s.label, s.x): s.reason for s in grid.skipped}
    assert "no Li" in skipped["Zr_Li-vLi", 0.25]
    assert "charge" in skipped["Ta_Li", None]
    assert "multiples of 4" in skipped["3 Mg_Li+1 Mg_Nb-self", None]


def test_self_compensation_where_the_content_allows_it() -> None:
    candidate = enumerate_candidates("Mg", "4/12", compensation=["self"]).candidates[1]
    assert candidate.name == "Mg3_Li+Mg1_Nb-self-4of12"
    assert (candidate.x, candidate.defects.li_vacancies) == (pytest.approx(1 / 3), 0)


def test_oxygen_vacancies_need_an_even_charge() -> None:
    grid = enumerate_candidates("Zr", "0-0.25", site="Nb", compensation=["o_vacancy"])
    assert names(grid) == ["LiNbO3", "Zr_Nb-vO-2of12"]
    assert "1/12, 3/12" in grid.skipped[0].reason


def test_co_doping_takes_the_best_sites_and_those_that_balance() -> None:
    assert names(enumerate_candidates("Mg:Ta", "0-0.25"))[1:] == ["Mg1_Li+Ta1_Nb-vLi-2of12"]
    assert names(enumerate_candidates("Mg:W=1:3", "4/12"))[1:] == [
        "Mg1_Li+W3_Nb-vLi-4of12",
        "Mg1_Nb+W3_Nb-self-4of12",
    ]
    assert names(enumerate_candidates("Mg:W=1:3", "4/12", site="Nb"))[1:] == ["Mg1_Nb+W3_Nb-self-4of12"]


def test_requested_and_realised_content() -> None:
    candidate = enumerate_candidates("Mg", "0.05", site="Li").candidates[1]
    assert (candidate.x_requested, candidate.x) == (0.05, pytest.approx(1 / 12))


def test_charges_of_one_element_have_names_of_their_own() -> None:
    grid = enumerate_candidates("Fe,Fe2+", "1/12", site="Li")
    assert names(grid)[1:] == ["Fe_Li-vLi-1of12", "FeII_Li-vLi-1of12"]


def test_x_zero_is_the_pristine_host_alone() -> None:
    assert names(enumerate_candidates("Mg", "0")) == ["LiNbO3"]


def test_congruent_host() -> None:
    grid = enumerate_candidates("Mg", "1/12", site="Li", congruent=True)
    pristine, mg = grid.candidates
    assert (pristine.name, pristine.x, pristine.defects.li_vacancies) == ("LiNbO3-congruent", 0.0, 4)
    assert (mg.name, mg.x, mg.defects.li_vacancies) == ("LiNbO3-congruent-Mg_Li-vLi-1of12", pytest.approx(1 / 12), 5)


def test_tantalum_on_li_of_a_congruent_niobate_is_a_dopant() -> None:
    grid = enumerate_candidates("Ta", "1/12", site="Li", congruent=True)
    assert names(grid) == ["LiNbO3-congruent", "LiNbO3-congruent-Ta_Li-vLi-1of12"]


def test_a_host_without_empty_octahedra_takes_no_interstitials() -> None:
    grid = enumerate_candidates("Zr", "1/12", host="Li3NbO4", site="Nb")
    assert names(grid) == ["Li3NbO4"]
    assert "empty octahedra" in grid.skipped[0].reason


def test_a_scheme_left_out_is_reported() -> None:
    grid = enumerate_candidates("Mg", "1/12", site="Li", compensation=["li_interstitial"])
    assert [s.label for s in grid.skipped] == ["Mg_Li"]
    assert "li_interstitial" in grid.skipped[0].reason


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"site": "K"}, "Unknown site"),
        ({"host": "linbo3"}, "nearest valid name is 'LiNbO3'"),
        ({"compensation": ["li_vacancies"]}, "nearest valid name is 'li_vacancy'"),
        ({"host": "Li3NbO4", "congruent": True}, "no congruent"),
        ({"n_fu": 4, "congruent": True}, "more formula units"),
        ({"n_fu": 0}, "at least 1"),
    ],
)
def test_bad_options(options: dict[str, object], word: str) -> None:
    with pytest.raises(UserError, match=word):
        enumerate_candidates("Mg", "0-0.25", **options)  # type: ignore[arg-type]
