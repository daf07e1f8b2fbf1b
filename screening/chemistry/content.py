"""Dopant content as users write it, realised as whole dopants in a cell."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import ceil, floor

from screening.errors import UserError
from screening.typed.values import FRACTION, check_decimal_comma, plain_text, read_fraction

CONTENT_TOLERANCE = 0.02
"""A realised content further than this from the requested one is flagged: a cell of 12 formula units errs by up
to 0.042, and a ranking over contents must show where two candidates were asked for and one was computed."""

_ROUNDING = 5e-4
"""Slack of range ends, which are often written with three digits (0.083 for 1/12)."""


@dataclass(frozen=True, kw_only=True)
class ContentPoint:
    """A requested content (per formula unit) and the whole number of dopants that realises it in `n_fu` units."""

    requested: float
    n: int
    n_fu: int

    @property
    def realised(self) -> float:
        return self.n / self.n_fu


def is_off(requested: float, realised: float) -> bool:
    """Whether two contents differ by more than `CONTENT_TOLERANCE`."""
    return abs(realised - requested) > CONTENT_TOLERANCE + 1e-12


def parse_content(text: str) -> list[tuple[float, float]]:
    """Parse the value of ``--x``: comma-separated values and ranges, as (low, high) pairs; low == high for a value.

    Raises
    ------
    UserError
        For anything that is not a number or a fraction, for what may be a decimal comma, for values outside 0..1 and
        for ranges written backwards.
    """
    pairs: list[tuple[float, float]] = []
    typed = plain_text(text)
    check_decimal_comma(typed, "--x", "contents", largest=1)
    for part in typed.split(","):
        ends = _split_range(part.strip())
        values = [_number(end, text) for end in ends]
        for end, value in zip(ends, values, strict=True):
            if value < 0:
                raise UserError(f"x = {end} is negative: the content per formula unit lies between 0 and 1.")
            if value > 1:
                raise UserError(f"x = {end} is above 1: the content per formula unit lies between 0 and 1.")
        low, high = values[0], values[-1]
        if low > high:
            raise UserError(f"The range {part.strip()} is written backwards: write {ends[-1]}-{ends[0]}.")
        pairs.append((low, high))
    return pairs


def realise(text: str, n_fu: int) -> tuple[list[ContentPoint], list[tuple[float, str]]]:
    """Contents of ``--x`` as whole dopants in a cell of `n_fu` formula units.

    A range gives every n/n_fu inside it; a single value gives the nearest n/n_fu, the higher one in a tie. Values that
    realise the same n are merged into the one closest to it. A value above zero whose nearest n is 0 is skipped: it
    would repeat the pristine host.

    Returns
    -------
    points
        Ascending in n, which starts at 0 only where x = 0 was asked for.
    skipped
        Requested contents without a realisation, each with its reason.
    """
    best: dict[int, float] = {}
    skipped: list[tuple[float, str]] = []
    for low, high in parse_content(text):
        if low == high:
            n = floor(low * n_fu + 0.5)
            if n == 0 and low > 0:
                skipped.append((low, f"the nearest content of {n_fu} formula units is 0; the smallest is 1/{n_fu}"))
                continue
            requests = [(n, low)]
        else:
            first, last = ceil((low - _ROUNDING) * n_fu), floor((high + _ROUNDING) * n_fu)
            requests = [(n, n / n_fu) for n in range(max(first, 0), min(last, n_fu) + 1)]
            if not requests:
                skipped.append((low, f"no multiple of 1/{n_fu} lies between {low:g} and {high:g}"))
        for n, requested in requests:
            if n not in best or abs(requested - n / n_fu) < abs(best[n] - n / n_fu):
                best[n] = requested
    return [ContentPoint(requested=best[n], n=n, n_fu=n_fu) for n in sorted(best)], skipped


def _split_range(part: str) -> list[str]:
    """One value or the two ends of a range. A minus sign may also belong to an exponent or to a negative number."""
    part = re.sub(r"\s+to\s+", "-", part).replace(" ", "")
    if FRACTION.fullmatch(part):
        return [part]
    for match in re.finditer("-", part):
        low, high = part[: match.start()], part[match.end() :]
        if FRACTION.fullmatch(low) and FRACTION.fullmatch(high):
            return [low, high]
    return [part]


def _number(value: str, text: str) -> float:
    try:
        return read_fraction(value)
    except ZeroDivisionError as error:
        raise UserError(f"x = {value} divides by zero: write for example 1/12.") from error
    except OverflowError as error:
        raise UserError(f"x = {value} is above 1: the content per formula unit lies between 0 and 1.") from error
    except ValueError as error:
        raise UserError(
            f"{value!r} in --x {text!r} is not a number: write for example 0-0.25, 0,1/12,0.1 or 0.05."
        ) from error
