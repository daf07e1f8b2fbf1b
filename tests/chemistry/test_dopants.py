import pytest

from screening.chemistry.dopants import cation_radius, default_charge, parse_dopants
from screening.errors import UserError


@pytest.mark.parametrize(
    ("element", "charge"),
    [
        ("Mg", 2),
        ("Zr", 4),
        ("Ta", 5),
        ("Ti", 4),
        ("W", 6),
        ("Mo", 6),
        ("V", 5),
        ("Al", 3),
        ("Sn", 4),
        ("Fe", 3),
        ("Ni", 2),
        ("Co", 2),
        ("Na", 1),
        ("La", 3),
        ("Cu", 2),
    ],
)
def test_default_charge_is_the_usual_oxide_cation(element: str, charge: int) -> None:
    assert default_charge(element) == charge


def test_radii_are_shannons() -> None:
    """Shannon, Acta Cryst. A32 (1976) 751, table 1, six-fold coordination."""
    assert cation_radius("Mg", 2) == pytest.approx(0.72)
    assert cation_radius("Nb", 5) == pytest.approx(0.64)
    assert cation_radius("Li", 1) == pytest.approx(0.76)
    assert cation_radius("Fe", 3) == pytest.approx(0.645)  # high spin; low spin would be 0.55
    assert cation_radius("Mn", 5) == pytest.approx(0.33)  # tetrahedral: no octahedral entry


def test_entries() -> None:
    plain, explicit, co, ratio = parse_dopants(" Mg, Zr4+ ,Mg:Ta,Mg:Ta=4:2")
    assert (plain.label, plain.dopants[0].charge, plain.ratio) == ("Mg", 2, (1,))
    assert (explicit.label, explicit.dopants[0].is_default) == ("Zr", True)
    assert (co.label, co.ratio) == ("Mg:Ta=1:1", (1, 1))
    assert ratio.ratio == (2, 1)


def test_other_ways_to_write_a_charge_and_a_list_that_only_looks_like_a_decimal_comma() -> None:
    assert [e.label for e in parse_dopants("Zr⁴⁺,Fe²⁺")] == ["Zr", "Fe2+"]
    assert [e.label for e in parse_dopants("Mg:Ta=2:1,Zr")] == ["Mg:Ta=2:1", "Zr"]


def test_explicit_charge_shows_in_the_label() -> None:
    iron, alkali = parse_dopants("Fe2+,Na+")
    assert (iron.label, iron.dopants[0].charge) == ("Fe2+", 2)
    assert alkali.dopants[0].charge == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Mgg", ["'Mgg'", "Mg."]),
        ("mg", ["'mg'", "Mg."]),
        ("Mg,Zz", ["'Zz'", "Z"]),
        ("O", ["O forms anions", "cation"]),
        ("F", ["anions"]),
        ("Cl", ["anions"]),
        ("S6+", ["anions"]),
        ("N", ["anions"]),
        ("He", ["noble gas"]),
        ("Xe", ["noble gas"]),
        ("Li", ["host"]),
        ("Mg:Nb", ["Nb", "host"]),
        ("", ["No dopant"]),
        ("Mg,", ["not a dopant"]),
        ("Mg,,Zr", ["not a dopant"]),
        ("Mg Zr", ["not a dopant"]),
        ("Zr4", ["not a dopant", "Zr4+"]),
        ("Mg:Ta=2", ["ratio", "Mg:Ta=2:1"]),
        ("Mg=2", ["ratio"]),
        ("Mg:Ta=0:1", ["positive integers"]),
        ("Mg:Ta=a:1", ["positive integers"]),
        ("Mg:Ta=1.5:1", ["positive integers"]),
        ("Mg:Ta=-1:1", ["positive integers"]),
        ("Mg:Ta=1,5:1", ["comma", "whole numbers", "3:2"]),
        ("Mg:Ta=2:1,5", ["comma", "whole numbers"]),
        ("Mg9+", ["Mg9+", "Mg2+"]),
        ("Mg" + "9" * 5000 + "+", ["not a dopant"]),
        ("Zr4-", ["not a cation", "Zr4+"]),
        ("Zr0+", ["not a cation"]),
        ("Mg3+", ["Mg3+", "Mg2+"]),
        ("Ra", ["Ra", "Shannon"]),
        ("Mg,Mg", ["twice"]),
        ("Mg,Mg2+", ["twice"]),
        ("Mg:Ta,Ta:Mg=2:2", ["twice"]),
        ("Mg:Mg", ["repeats"]),
    ],
)
def test_bad_dopants_are_refused_in_one_sentence(text: str, words: list[str]) -> None:
    with pytest.raises(UserError) as error:
        parse_dopants(text, host_cations=("Li", "Nb"))
    message = str(error.value)
    assert all(word in message for word in words), message
    assert message.endswith((".", ").")), message
    assert "\n" not in message
