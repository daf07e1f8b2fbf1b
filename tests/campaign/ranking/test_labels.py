import re
from fractions import Fraction

import pytest
from pymatgen.core import Composition

from screening.campaign.ranking.labels import dopant_label, formula, site_label, y_label
from screening.chemistry.candidate import Candidate, Defects, Substitution
from screening.chemistry.formula import read_formula
from screening.chemistry.grid import enumerate_candidates


def make(*substitutions, host="LiNbO3", compensation="self", **counts):
    subs = tuple(Substitution(element=e, charge=q, site=s, count=n) for e, q, s, n in substitutions)
    defects = Defects(substitutions=subs, **counts)
    return Candidate(host=host, n_fu=12, defects=defects, compensation=compensation)


CASES = [
    (make(), "LiNbO3", "", ""),
    (make(("Mg", 2, "Li", 1), li_vacancies=1), "[Li5/6Mg1/12]NbO3", "Mg", "Li"),
    (make(("Mg", 2, "Nb", 1), li_interstitials=3), "Li5/4[Nb11/12Mg1/12]O3", "Mg", "Nb"),
    (make(("Mg", 2, "Li", 3), ("Mg", 2, "Nb", 1)), "[Li3/4Mg1/4][Nb11/12Mg1/12]O3", "Mg", "Li+Nb"),
    (
        make(("Mg", 2, "Li", 2), ("Ta", 5, "Nb", 1), li_vacancies=2),
        "[Li2/3Mg1/6][Nb11/12Ta1/12]O3",
        "Mg:Ta=2:1",
        "Li:Nb",
    ),
    (make(("Zr", 4, "Nb", 2), o_vacancies=1), "Li[Nb5/6Zr1/6]O35/12", "Zr", "Nb"),
    (make(("Nb", 5, "Li", 1), host="Li3NbO4", li_vacancies=4), "[Li31/12Nb1/12]NbO4", "Nb", "Li"),
]


@pytest.mark.parametrize(("candidate", "text", "dopants", "site"), CASES)
def test_formula_and_labels(candidate, text, dopants, site):
    assert formula(candidate) == text
    assert dopant_label(candidate) == dopants
    assert (site_label(candidate) if candidate.dopants else "") == site


def per_formula_unit(candidate: Candidate) -> dict[str, Fraction]:
    """Atoms of the cell, counted and not written."""
    amounts = {e.symbol: Fraction(int(n)) * candidate.n_fu for e, n in Composition(candidate.host).items()}
    d = candidate.defects
    for s in d.substitutions:
        amounts[s.site] -= s.count
        amounts[s.element] = amounts.get(s.element, Fraction(0)) + s.count
    amounts["Li"] += d.li_interstitials - d.li_vacancies
    amounts["O"] -= d.o_vacancies
    return {symbol: n / candidate.n_fu for symbol, n in amounts.items() if n}


def decimals(text: str) -> str:
    """With three decimals, as rankings printed formulas before, and as people copy them."""
    return re.sub(r"\d+/\d+", lambda m: f"{float(Fraction(m[0])):.3f}".rstrip("0"), text)


@pytest.mark.parametrize("n_fu", [12, 24])
@pytest.mark.parametrize(
    ("dopants", "host", "congruent"),
    [
        ("Mg,Zr,Ta", "LiNbO3", False),
        ("Mg:Ta,Mg:Zr=2:1", "LiNbO3", False),
        ("Mg,Zr", "LiNbO3", True),
        ("Mg,Zr", "Li3NbO4", False),
        ("Mg", "LiTaO3", False),
    ],
)
def test_every_formula_can_be_typed_back_exactly(dopants, host, congruent, n_fu):
    schemes = ("li_vacancy", "li_interstitial", "o_vacancy", "self")
    sites = ("auto", "Li", "Ta" if host == "LiTaO3" else "Nb")
    grids = [
        enumerate_candidates(dopants, "0-0.25", host=host, site=s, n_fu=n_fu, compensation=schemes, congruent=congruent)
        for s in sites
    ]
    candidates = {c.name: c for grid in grids for c in grid.candidates}
    assert len(candidates) > 5
    for candidate in candidates.values():
        exact = per_formula_unit(candidate)
        assert read_formula(formula(candidate)).amounts == exact
        assert read_formula(formula(candidate)).note == ""
        assert read_formula(decimals(formula(candidate))).amounts == exact, decimals(formula(candidate))


@pytest.mark.parametrize("candidate", [c for c, *_ in CASES])
def test_formula_counts_the_atoms_of_the_cell(candidate):
    assert read_formula(formula(candidate)).amounts == per_formula_unit(candidate)


@pytest.mark.parametrize(("y", "text"), [(1, "y1"), (1 / 3, "y0.333"), (2 / 3, "y0.667"), (0, "y0"), (0.5, "y0.5")])
def test_y_label(y, text):
    assert y_label(y) == text
