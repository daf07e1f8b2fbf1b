"""Values of a notebook as the command line would have them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from screening.door.typed import Numbers, as_paths, comma_separated, typed_numbers
from screening.errors import UserError


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("0-0.25", "0-0.25"),
        (" 1/12 ", "1/12"),
        (0.25, "0.25"),
        (0.083, "0.083"),
        (0.0833333, "0.0833333"),
        (1 / 12, "1/12"),
        (Fraction(1, 12), "1/12"),
        (0, "0"),
        (np.float64(1 / 3), "1/3"),
        ([0, 1 / 12, 0.1], "0,1/12,0.1"),
        (("0", "1/12"), "0,1/12"),
        ([0, 1], "0,1.0"),
        (np.array([0.05, 0.1]), "0.05,0.1"),
        (0.123456789, "0.123456789"),
    ],
)
def test_numbers_are_written_as_somebody_would_type_them(value: Numbers, text: str) -> None:
    assert typed_numbers(value, "x") == text


@pytest.mark.parametrize("value", [None, [None], [True], [[0.1]], {"x": 1}.values])
def test_what_is_no_number_is_refused_by_name(value: object) -> None:
    with pytest.raises(UserError, match=r"^x "):
        typed_numbers(value, "x")  # type: ignore[arg-type]


def test_names_and_paths_come_alone_or_in_lists() -> None:
    assert comma_separated("Mg,Zr") == comma_separated(["Mg", "Zr"]) == "Mg,Zr"
    assert as_paths("a") == as_paths(Path("a")) == as_paths(["a"]) == [Path("a")]
