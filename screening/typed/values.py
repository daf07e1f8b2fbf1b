"""Numbers and lists as people type them: other dashes and digits are read, a decimal comma is asked about."""

from __future__ import annotations

import re
import unicodedata
from math import isfinite

from screening.errors import UserError

_DECIMAL = r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
FRACTION = re.compile(rf"([+-]?{_DECIMAL})(?:/({_DECIMAL}))?", re.ASCII)
"""What `read_fraction` reads."""

_DASHES = dict.fromkeys(map(ord, "‐‑‒–—−﹣-"), "-") | {ord("⁄"): "/"}
_NO_EXPONENT = r"(?<![\d.])(?<![eE])(?<![eE][+-])"
_LEADING_ZERO = re.compile(rf"{_NO_EXPONENT}(?:(?P<before>\d+),)?(?P<token>0\d+)", re.ASCII)
_PAIR = re.compile(rf"(?<!/){_NO_EXPONENT}(?=(?P<left>\d+),(?P<right>\d+)(?![\d./eE]))", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_COMMA_NUMBER = re.compile(r"([+-]?\d+),(\d+)", re.ASCII)


def plain_text(text: str) -> str:
    """The text in ASCII digits, commas, slashes and minus signs where it has others that mean the same."""
    return unicodedata.normalize("NFKC", text).translate(_DASHES).strip()


def check_decimal_comma(
    text: str, option: str, items: str, *, largest: int | None = None, every_pair: bool = False
) -> None:
    """Refuse a list of numbers whose commas may be decimal signs, and numbers with a leading zero.

    ``0,083`` and ``0,1`` are lists of two numbers for this program and one number for half of the world. The first can
    only be meant as one number; the second may be either, unless a decimal point elsewhere says how the writer writes.

    Parameters
    ----------
    text
        What `plain_text` returned.
    option, items
        For the message: ``--x`` and ``contents``.
    largest
        Whole numbers above it cannot be meant, None when all can.
    every_pair
        Two whole numbers beside a comma are never two of the items.

    Raises
    ------
    UserError
        Names the spelling of the one number and, where it can be meant, that of the list.
    """
    if match := _LEADING_ZERO.search(text):
        before, token = match["before"], match["token"]
        if before is not None:
            raise UserError(_one_number(text, option, items, f"{before}.{token}"))
        bare = token.lstrip("0") or "0"
        # 00.1 and 01/12 are numbers with a zero too many; 083 may be a decimal without its point
        in_number = text[match.end() : match.end() + 1] in (".", "/") or text[: match.start()].endswith("/")
        advice = bare if in_number or bare == "0" else f"0.{token} or {bare}"
        raise UserError(f"{option} {text!r}: {token!r} begins with a zero; write {advice} in its place.")
    if "." in text:
        return
    for match in _PAIR.finditer(text):
        left, right = match["left"], match["right"]
        if every_pair or (largest is not None and float(right) > largest >= float(left)):
            raise UserError(_one_number(text, option, items, f"{left}.{right}"))
        if left == "0":
            raise UserError(
                f"{option} {text!r} can be read in two ways: write {left}.{right} for the one number, or "
                f"{left},{right}.0 for the two {items} {left} and {right}."
            )


def _one_number(text: str, option: str, items: str, number: str) -> str:
    return (
        f"{option} {text!r}: write {number} for the one number; the decimal sign is a point, commas separate {items}."
    )


def read_fraction(text: str) -> float:
    """A decimal number, or one divided by another, such as ``1/12``.

    Raises
    ------
    ValueError
        When it is neither.
    ArithmeticError
        When it divides by zero (ZeroDivisionError), or is too large for a float (OverflowError).
    """
    match = FRACTION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no number")
    numerator, denominator = float(match[1]), float(match[2] or 1)
    if not isfinite(numerator) or not isfinite(denominator):
        raise OverflowError(f"{text!r} is too large")
    return numerator / denominator


def check_number(text: str) -> str:
    """A number that was typed as text, for example quoted in YAML, or a fraction such as 2/3.

    Returns
    -------
    str
        Digits that `float` and `int` read as the writer meant them.

    Raises
    ------
    ValueError
        Says what to write.
    """
    number = plain_text(text)
    if _NUMBER.fullmatch(number):
        return number
    if "/" in number and all(_NUMBER.fullmatch(part) for part in number.split("/", 1)):
        try:
            return repr(read_fraction(number))
        except ArithmeticError as error:
            raise ValueError("it is no number: it divides by zero, or is too large") from error
    if match := _COMMA_NUMBER.fullmatch(number):
        raise ValueError(f"the decimal sign is a point: write {match[1]}.{match[2]}")
    raise ValueError("it should be a number such as 3, 0.05 or 5e-2")
