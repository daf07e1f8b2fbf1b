"""Formulas as people type them: fractions, rounded decimals, hydrates, and text that is none."""

from fractions import Fraction

import pytest

from screening.chemistry.formula import amount_text, read_elements, read_formula
from screening.errors import UserError


def amounts(**texts: str) -> dict[str, Fraction]:
    return {symbol: Fraction(text) for symbol, text in texts.items()}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("LiNbO3", amounts(Li="1", Nb="1", O="3")),
        ("[Li5/6Mg1/12]NbO3", amounts(Li="5/6", Mg="1/12", Nb="1", O="3")),
        ("Li(5/6)Mg(1/12)NbO3", amounts(Li="5/6", Mg="1/12", Nb="1", O="3")),
        ("Li6PS5Cl0.5Br0.5", amounts(Li="6", P="1", S="5", Cl="1/2", Br="1/2")),
        ("Li1.5Al0.5Ge1.5(PO4)3", amounts(Li="3/2", Al="1/2", Ge="3/2", P="3", O="12")),
        ("{[Li(NbO3)]2}3", amounts(Li="6", Nb="6", O="18")),
        ("LiNbO₃", amounts(Li="1", Nb="1", O="3")),
        ("LiNbO{3}", amounts(Li="1", Nb="1", O="3")),
        (" Li1 Nb1 O3 ", amounts(Li="1", Nb="1", O="3")),
        ("CO", amounts(C="1", O="1")),
        ("Co", amounts(Co="1")),
        ("0.75Li2S·0.25P2S5", amounts(Li="3/2", S="2", P="1/2")),
    ],
)
def test_amounts_are_exact(text, expected):
    assert read_formula(text).amounts == expected


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("[Li0.833Mg0.083]NbO3", "[Li5/6Mg1/12]NbO3"),
        ("Li0.8333Mg0.0833NbO3", "Li5/6Mg1/12NbO3"),
        ("Li0.83Mg0.08NbO3", "Li5/6Mg1/12NbO3"),
        ("Li1.083[Nb0.917Zr0.083]O3", "Li13/12[Nb11/12Zr1/12]O3"),
        ("Li[Nb0.833Zr0.167]O2.917", "Li[Nb5/6Zr1/6]O35/12"),
        ("Li[Nb0.792Ta0.208]O3", "Li[Nb19/24Ta5/24]O3"),
        ("Li0.33CoO2", "Li1/3CoO2"),
        ("Li0.917CoO2", "Li11/12CoO2"),
        ("Li0.1667CoO2", "Li1/6CoO2"),
        ("Li0.333333333CoO2", "Li1/3CoO2"),
        ("LiNi0.33Co0.33Mn0.33O2", "LiNi1/3Co1/3Mn1/3O2"),
    ],
)
def test_rounded_numbers_are_read_as_the_fraction_and_said(text, written):
    found = read_formula(text)
    assert found.written == written
    assert found.note == f"{text} is read as {written}, the fractions next to its numbers."
    assert read_formula(written).amounts == found.amounts
    assert read_formula(written).note == ""


@pytest.mark.parametrize(
    "text",
    [
        *("Li0.9Mg0.05NbO3", "Li0.1CoO2", "Li0.125CoO2", "[Li0.92Mg0.04]NbO3", "Li[Nb0.58Ta0.42]O3", "Li0.14CoO2"),
        *("LiNi0.8Co0.1Mn0.1O2", "LiNi.8Co.1Mn.1O2", "Li.5CoO2", "Li1.2Mn0.54Ni0.13Co0.13O2", "Li6.4La3Zr1.4Ta0.6O12"),
        *("Li9.54Si1.74P1.44S11.7Cl0.3", "YBa2Cu3O6.5", "SrFeO2.5F0.5", "Li0.99NbO3", "LiNbO2.997"),
    ],
)
def test_numbers_that_are_meant_stay(text):
    found = read_formula(text)
    assert (found.written, found.note) == (text, "")


@pytest.mark.parametrize(
    ("text", "charges"),
    [
        ("Li0.34La0.51TiO2.94", {"Li": 1, "La": 3, "Ti": 4, "O": -2}),
        ("[Li0.66Zr0.08]NbO3", {"Li": 1, "Zr": 4, "Nb": 5, "O": -2}),
        ("Li0.7913Mg0.1043NbO3", {"Li": 1, "Mg": 2, "Nb": 5, "O": -2}),
    ],
)
def test_without_a_simple_fraction_the_charges_balance_within_the_rounding(text, charges):
    found = read_formula(text)
    assert "balanced within the rounding" in found.note
    assert sum(amount * charges[symbol] for symbol, amount in found.amounts.items()) == 0
    for symbol, amount in found.amounts.items():
        typed = text.strip("[").partition(symbol)[2]
        digits = typed[: next((i for i, c in enumerate(typed) if not (c.isdigit() or c == ".")), len(typed))]
        if "." in digits:
            assert abs(amount - Fraction(digits)) <= Fraction(1, 2 * 10 ** len(digits.partition(".")[2]))


MG = amounts(Mg="1", Cl="2", H="12", O="6")
CU = amounts(Cu="1", S="1", O="9", H="10")
CA = amounts(Ca="1", S="1", O="9/2", H="1")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *((text, MG) for text in ("MgCl2.6H2O", "MgCl2·6H2O", "MgCl2*6H2O", "MgCl2 . 6 H2O", "MgCl2.6(H2O)")),
        *((text, CU) for text in ("CuSO4.5H2O", "CuSO4•5H2O", "CuSO4 * 5H2O")),
        *((text, CA) for text in ("CaSO4.0.5H2O", "CaSO4·1/2H2O", "CaSO4·½H2O", "CaSO4.1/2H2O", "CaSO4*0.5H2O")),
        ("Li2SO4.H2O", amounts(Li="2", S="1", O="5", H="2")),
        ("Na2S.9H2O", amounts(Na="2", S="1", H="18", O="9")),
        ("LiNi0.5.H2O", amounts(Li="1", Ni="1/2", H="2", O="1")),
        ("3CdSO4.8H2O", amounts(Cd="3", S="3", O="20", H="16")),
        ("CaCl2.8NH3", amounts(Ca="1", Cl="2", N="8", H="24")),
        ("MgCl2.6CH3OH", amounts(Mg="1", Cl="2", C="6", H="24", O="6")),
        ("K2O.Al2O3.6SiO2", amounts(K="2", O="16", Al="2", Si="6")),
        ("0.25Li2O.0.75Nb2O5", amounts(Li="1/2", O="4", Nb="3/2")),
    ],
)
def test_hydrates_and_adducts_are_never_read_as_decimals(text, expected):
    assert read_formula(text).amounts == expected


@pytest.mark.parametrize("text", ["Li2O.2SiO2", "Li2O.5Nb2O5", "MgO.3Al2O3", "MgCl2.05H2O", "Li.5H2O"])
def test_a_dot_that_can_be_either_is_refused_with_both_spellings(text):
    with pytest.raises(UserError, match=r"two ways: write .*·.* or \(.*\).*\.$") as refusal:
        read_formula(text)
    joined, decimal = str(refusal.value).split("write ")[1].split(" (or")[0], str(refusal.value).split(", or ")[1]
    assert read_formula(joined).amounts != read_formula(decimal.split(" for")[0]).amounts


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "it is empty"),
        ("  ", "it is empty"),
        ("Li2Xx", "Xx is no element"),
        ("X2O", "X is no element"),
        ("hello", "start with a capital"),
        ("linbo3", "start with a capital"),
        ("x", "a number in its place"),
        ("MgCl2·xH2O", "a number in its place"),
        ("LiNb03", "03 begins with a zero; write O for oxygen, or 0.3 for"),
        ("Li2C03", "begins with a zero"),
        ("Li6PS5Cl05", "or 0.5 for a decimal"),
        ("Li00.5CoO2", "or 0.5 for a decimal"),
        ("Nb205", "205 of Nb alone"),
        ("Al203", "the letter O for oxygen"),
        ("Mg0", "oxygen is the letter O"),
        ("LiNbO3:Mg", "own amounts"),
        ("Li2O-Nb2O5", "between molecules"),
        ("Li-2S", "sign"),
        ("Li-1NbO3", "sign"),
        ("LiNbO3-d", "sign"),
        ("Li1-xCoO2", "sign"),
        ("LiNbO3+", "sign"),
        ("O2-", "sign"),
        ("PO4^3-", "sign"),
        ("Li⁺", "leave charges out"),
        ("SO₄²⁻", "leave charges out"),
        ("LiNbO3-δ", "no part of one"),
        ("LiNbО3", "CYRILLIC"),
        ("Li0", "is 0; leave out"),
        ("Li0NbO3", "is 0; leave out"),
        ("Li0.000NbO3", "leave out"),
        ("Li1e400NbO3", "power of ten"),
        ("Li1e5NbO3", "power of ten"),
        ("Li1E-5NbO3", "sign"),
        ("Li1000000NbO3", "more than 1000"),
        ("Li" + 30 * "9" + "O", "too many digits"),
        ("Li0.0000001NbO3", "a trace"),
        (500 * "Li", "1000 characters"),
        ("()", "a bracket holds no element"),
        ("Li()2", "a bracket holds no element"),
        ("Li(NbO3", "a bracket is not closed"),
        ("LiNbO3)", "closes nothing"),
        ("(Li]NbO3", "closes nothing"),
        ("Li0,5CoO2", "comma"),
        ("LiNbO3/LiCoO2", "one formula at a time"),
        ("Li1/0O", "divides by zero"),
        ("Li0.5/3O", "no number"),
        ("Li1.2.3O", "no number"),
        ("LiNbO_3", "no amount"),
        ("LiNbO3.", "no amount"),
        ("MgCl2 6H2O", "a space stands inside"),
        ("2", "holds no element"),
        ("D2O", "write H"),
        ("Li\x00", "no part of one"),
        ("[bold]Li", "no amount"),
    ],
)
def test_text_that_is_no_formula_is_refused_in_one_sentence(text, says):
    with pytest.raises(UserError, match="is not a chemical formula") as refusal:
        read_formula(text)
    assert says in str(refusal.value)
    assert str(refusal.value).endswith(".")
    assert len(str(refusal.value)) < 250


def test_brackets_nest_as_deep_as_a_formula_may_be_long():
    assert read_formula(90 * "(" + "Li" + 90 * ")" + "NbO3").amounts == amounts(Li="1", Nb="1", O="3")


def test_elements_of_a_system_are_checked():
    assert read_elements(" Li, Nb,O ") == {"Li", "Nb", "O"}
    with pytest.raises(UserError, match="Xx in 'Li,Xx' is no element"):
        read_elements("Li,Xx")
    with pytest.raises(UserError, match="no element is given"):
        read_elements(" , ")


def test_amounts_are_printed_as_fractions():
    assert [amount_text("Li", Fraction(n)) for n in ("1", "3", "5/6", "13/12")] == ["Li", "Li3", "Li5/6", "Li13/12"]


def test_numbers_that_fill_a_site_are_not_taken_for_rounded_ones():
    """Ni 0.83, Co 0.11 and Mn 0.06 are near 15/18, 2/18 and 1/18, and make 1.00 as they are."""
    found = read_formula("LiNi0.83Co0.11Mn0.06O2")
    assert (found.amounts["Ni"], found.amounts["Co"], found.note) == (Fraction(83, 100), Fraction(11, 100), "")
