import pytest
from pymatgen.core import Composition

from screening.campaign.labels import column, dopant_label, formula, site_label, y_label
from screening.chemistry.candidate import Candidate, Defects, Substitution


def make(*substitutions, host="LiNbO3", compensation="self", **counts):
    subs = tuple(Substitution(element=e, charge=q, site=s, count=n) for e, q, s, n in substitutions)
    defects = Defects(substitutions=subs, **counts)
    return Candidate(host=host, n_fu=12, defects=defects, compensation=compensation)


CASES = [
    (make(), "LiNbO3", "", ""),
    (make(("Mg", 2, "Li", 1), li_vacancies=1), "[Li0.833Mg0.083]NbO3", "Mg", "Li"),
    (make(("Mg", 2, "Nb", 1), li_interstitials=3), "Li1.25[Nb0.917Mg0.083]O3", "Mg", "Nb"),
    (make(("Mg", 2, "Li", 3), ("Mg", 2, "Nb", 1)), "[Li0.75Mg0.25][Nb0.917Mg0.083]O3", "Mg", "Li+Nb"),
    (
        make(("Mg", 2, "Li", 2), ("Ta", 5, "Nb", 1), li_vacancies=2),
        "[Li0.667Mg0.167][Nb0.917Ta0.083]O3",
        "Mg:Ta=2:1",
        "Li:Nb",
    ),
    (make(("Zr", 4, "Nb", 2), o_vacancies=1), "Li[Nb0.833Zr0.167]O2.917", "Zr", "Nb"),
    (make(("Nb", 5, "Li", 1), host="Li3NbO4", li_vacancies=4), "[Li2.583Nb0.083]NbO4", "Nb", "Li"),
]


@pytest.mark.parametrize(("candidate", "text", "dopants", "site"), CASES)
def test_formula_and_labels(candidate, text, dopants, site):
    assert formula(candidate) == text
    assert dopant_label(candidate) == dopants
    assert (site_label(candidate) if candidate.dopants else "") == site


@pytest.mark.parametrize("candidate", [c for c, *_ in CASES])
def test_formula_counts_the_atoms_of_the_cell(candidate):
    written = Composition(formula(candidate).replace("[", "").replace("]", ""))
    atoms = Composition(candidate.host) * candidate.n_fu
    amounts = {e.symbol: n for e, n in atoms.items()}
    d = candidate.defects
    for s in d.substitutions:
        amounts[s.site] -= s.count
        amounts[s.element] = amounts.get(s.element, 0) + s.count
    amounts["Li"] += d.li_interstitials - d.li_vacancies
    amounts["O"] -= d.o_vacancies
    for element, amount in amounts.items():
        assert written[element] == pytest.approx(amount / 12, abs=1e-3)


@pytest.mark.parametrize(("y", "text"), [(1, "y1"), (1 / 3, "y0.333"), (2 / 3, "y0.667"), (0, "y0"), (0.5, "y0.5")])
def test_y_label(y, text):
    assert y_label(y) == text


def test_columns_end_with_their_unit():
    assert column("work_of_adhesion", suffix="y0.333") == "work_of_adhesion_y0.333_J_m2"
    assert column("e_above_hull") == "e_above_hull_eV_atom"
    assert column("window_oxidation") == "window_oxidation_V"
