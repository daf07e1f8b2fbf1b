"""Values as a notebook holds them, in the words that a command line takes; text stays as it was typed."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from numbers import Integral, Real
from pathlib import Path

from screening.errors import UserError

PathLike = str | os.PathLike[str]
Number = float | Fraction | str
Numbers = Number | Sequence[Number]
Names = str | Sequence[str]

LARGEST_DENOMINATOR = 1000
SHORT = 8
"""Characters of a decimal number that was meant as it stands; 1/12 as a float has more."""


def as_path(value: PathLike | None) -> Path | None:
    """A path, or None for None."""
    return None if value is None else Path(value)


def as_text(value: PathLike | None) -> str | None:
    """A name, or the path of a file in its place, as text; None for None."""
    return None if value is None else os.fspath(value)


def as_paths(value: PathLike | Iterable[PathLike]) -> list[Path]:
    """One path or several, as a list."""
    return [Path(value)] if isinstance(value, str | os.PathLike) else [Path(item) for item in value]


def comma_separated(value: Names) -> str:
    """Names with commas between them."""
    return value if isinstance(value, str) else ",".join(str(name) for name in value)


def typed_numbers(value: Numbers, name: str) -> str:
    """Numbers as they are typed: ``0.25``, ``1/12`` (also for the float nearest to it), ``0,1/12,0.1``.

    Raises
    ------
    UserError
        For what is neither a number, text nor a list of these.
    """
    if getattr(value, "ndim", None) == 0:  # one number of numpy's, as an array
        return _number(value.item(), name)  # type: ignore[union-attr]
    if isinstance(value, str | Real | Fraction):
        return _number(value, name)
    if not isinstance(value, Iterable) or isinstance(value, bytes | Mapping):
        raise UserError(f"{name} is {value!r}; give a number, a text such as '0-0.25' or '1/12', or a list of these.")
    texts = [_number(item, name) for item in value]
    # 0,1 may be a decimal comma for whoever reads it as text, 0,1.0 is none
    return ",".join(text + ".0" if i and text.isdecimal() else text for i, text in enumerate(texts))


def _number(value: object, name: str) -> str:
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool) or not isinstance(value, Real):
        raise UserError(f"{name} holds {value!r}; give numbers, or text such as '1/12'.")
    if isinstance(value, Integral | Fraction):
        return str(value)
    number = float(value)
    shortest = repr(number)
    if len(shortest) <= SHORT or not math.isfinite(number):
        return shortest
    fraction = Fraction(number).limit_denominator(LARGEST_DENOMINATOR)
    return str(fraction) if math.isclose(float(fraction), number, rel_tol=1e-12, abs_tol=0.0) else shortest
