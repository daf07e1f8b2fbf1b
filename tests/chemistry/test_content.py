from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from screening.chemistry.content import ContentPoint, is_off, parse_content, realise
from screening.errors import UserError


def contents(text: str, n_fu: int = 12) -> list[tuple[int, float]]:
    return [(p.n, round(p.requested, 6)) for p in realise(text, n_fu)[0]]


def test_range_takes_every_whole_number_of_dopants() -> None:
    assert [n for n, _ in contents("0-0.25")] == [0, 1, 2, 3]
    assert [n for n, _ in contents("1/12-3/12")] == [1, 2, 3]
    assert [n for n, _ in contents("0 – 0.083")] == [0, 1]
    assert [n for n, _ in contents("1e-2-0.2")] == [1, 2]
    assert [n for n, _ in contents("0-0.25", 24)] == [0, 1, 2, 3, 4, 5, 6]


def test_list_takes_the_nearest_and_keeps_what_was_asked() -> None:
    assert contents("0,1/12,0.1") == [(0, 0.0), (1, round(1 / 12, 6))]  # 0.1 also realises 1/12, from further away
    assert contents("0.05") == [(1, 0.05)]
    assert contents("0.125") == [(2, 0.125)]
    assert contents("0") == [(0, 0.0)]
    assert contents("1") == [(12, 1.0)]


def off(text: str) -> bool:
    point = realise(text, 12)[0][0]
    return is_off(point.requested, point.realised)


def test_off_contents_are_flagged() -> None:
    """A difference above 0.02 is flagged."""
    assert off("0.05")
    assert not off("0.1")
    assert not is_off(0.03, ContentPoint(requested=0.03, n=1, n_fu=20).realised)


def test_contents_without_realisation_are_listed() -> None:
    points, skipped = realise("0.01,1/12", 12)
    assert [p.n for p in points] == [1]
    assert skipped[0][0] == 0.01
    assert "1/12" in skipped[0][1]
    points, skipped = realise("0.01-0.05", 12)
    assert points == []
    assert "between 0.01 and 0.05" in skipped[0][1]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("-0.1", "negative"),
        ("-0.1-0.2", "negative"),
        ("0--1", "negative"),
        ("1.1", "above 1"),
        ("0-12", "above 1"),
        ("1e999", "above 1"),
        ("nan", "not a number"),
        ("inf", "not a number"),
        ("abc", "not a number"),
        ("", "not a number"),
        ("0,,1/12", "not a number"),
        ("0.1-0.2-0.3", "not a number"),
        ("0.25-0", "backwards"),
        ("3/12-1/12", "write 1/12-3/12"),
        ("1/0", "divides by zero"),
        ("1e999/1e999", "above 1"),
        ("8%", "not a number"),
        ("0..0.25", "not a number"),
        ("0,1", "write 0.1 for the one number, or 0,1.0 for the two contents 0 and 1"),
        ("0,1,1/12", "write 0.1 for the one number"),
        ("0,1-0,2", "write 0.1 for the one number"),
        ("0,083", "write 0.083 for the one number"),
        ("0,05-0,25", "write 0.05 for the one number"),
        ("0,25", "write 0.25 for the one number"),
        ("0-0,25", "write 0.25 for the one number"),
        ("1,0,5", "write 0.5 for the one number"),
        ("1,000", "write 1.000 for the one number"),
        ("０,１", "write 0.1 for the one number"),
        ("083", "write 0.083 or 83"),
        ("0.1,05", "write 0.05 or 5"),
    ],
)
def test_bad_content_is_refused(text: str, word: str) -> None:
    with pytest.raises(UserError, match=word):
        realise(text, 12)


@given(st.fractions(0, 1, max_denominator=60), st.integers(1, 60))
def test_nearest_whole_number(x: Fraction, n_fu: int) -> None:
    points, skipped = realise(f"{x.numerator}/{x.denominator}", n_fu)
    if skipped:
        assert 0 < x * n_fu < Fraction(1, 2)
    else:
        assert abs(points[0].n - x * n_fu) <= Fraction(1, 2)
        assert parse_content(str(x))[0][0] == pytest.approx(float(x))


@given(st.text(alphabet="0123456789.-/,enaif x", max_size=12))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        pairs = parse_content(text)
    except UserError:
        return
    assert all(0 <= low <= high <= 1 for low, high in pairs)


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("0,1.0", [(0, 0), (1, 1)]),
        ("0, 1", [(0, 0), (1, 1)]),
        ("0,1,0.5", [(0, 0), (1, 1), (0.5, 0.5)]),
        ("0,1/12,0.1", [(0, 0), (1 / 12, 1 / 12), (0.1, 0.1)]),
        ("1/12,1", [(1 / 12, 1 / 12), (1, 1)]),
        ("0–0.25", [(0, 0.25)]),
        ("0 to 0.25", [(0, 0.25)]),
        ("1e-05-0.25", [(1e-05, 0.25)]),
        ("½", [(0.5, 0.5)]),
        ("０．１", [(0.1, 0.1)]),
    ],
)
def test_content_that_is_clear_is_read(text: str, pairs: list[tuple[float, float]]) -> None:
    assert parse_content(text) == pairs
