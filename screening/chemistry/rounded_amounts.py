"""What numbers of a formula stand for that were rounded when they were written down: 0.833 for 5/6, 0.083 for 1/12.

Taken as they are, such numbers leave a charge behind, and with it 0.0005 of some phase that decides a window. So they
are read together as n/q with one small q where they are all that near to it, and otherwise moved within their rounding
to where the charges balance. A number that is simple already (0.05, 0.125, 0.8) stays what it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

DENOMINATORS = (*range(1, 17), 18, 24, 30, 32, 36, 42, 48)
"""Formula units of the cells that such numbers come from; more of them would find a fraction near any number."""

_SIMPLER = 5
"""How many times smaller than the typed numbers' own denominator q has to be: 23/25 stays, 22/24 is no simpler."""

_CHANCE = Fraction(65, 1000)
"""Largest share of arbitrary numbers that would lie that near to n/q; 0.17 for 1/6 passes, 0.14 for 1/7 does not."""


@dataclass(frozen=True, kw_only=True)
class Rounded:
    """A number with a decimal point: what was typed, and half a unit of its last digit."""

    value: Fraction
    half: Fraction


Neutral = Callable[[Sequence[Fraction]], bool]


def nearby_fractions(typed: Sequence[Rounded], neutral: Neutral) -> list[Fraction] | None:
    """The numbers as n/q with the smallest q that explains all of them; None when they are better left alone.

    Parameters
    ----------
    neutral
        Whether the formula with given numbers is neutral; a q for which it is goes first, and neutral numbers are not
        given up for fractions that are not, nor are numbers that add up to a whole.
    """
    own = lcm(*(t.value.denominator for t in typed))
    found = [values for q in DENOMINATORS if _SIMPLER * q <= own and (values := _over(typed, q)) is not None]
    for values in found:
        if neutral(values):
            return values
    # numbers that fill a site are what was meant: LiNi0.83Co0.11Mn0.06O2, but LiNi0.33Co0.33Mn0.33O2
    whole = len(typed) > 1 and sum(t.value for t in typed).denominator == 1
    return found[0] if found and not whole and not neutral([t.value for t in typed]) else None


def _over(typed: Sequence[Rounded], q: int) -> list[Fraction] | None:
    """Every number as n/q within its rounding, if that is more than chance."""
    values, chance = [], Fraction(1)
    for number in typed:
        value = Fraction(round(number.value * q), q)
        if value <= 0 or abs(value - number.value) > number.half:
            return None
        if value != number.value:
            chance *= min(Fraction(1), 2 * number.half * q)
        values.append(value)
    return values if chance <= _CHANCE else None


def balanced_within_rounding(
    typed: Sequence[Rounded], choices: Sequence[tuple[Fraction, Sequence[Fraction]]]
) -> list[Fraction] | None:
    """The nearest numbers within their rounding at which the charges balance; None when there are none.

    Parameters
    ----------
    choices
        One per assignment of oxidation states: the charge (e) that is left over, and what one more of each number adds
        to it. Numbers with one decimal, which are mostly meant as they are, move only where finer ones do not suffice.
    """
    for finest in (True, False):
        halves = [t.half if not finest or t.half < Fraction(1, 20) else Fraction(0) for t in typed]
        best: tuple[Fraction, list[Fraction]] | None = None
        for left, slopes in choices:
            room = sum((abs(s) * h for s, h in zip(slopes, halves, strict=True)), Fraction(0))
            if room == 0 or abs(left) > room:
                continue
            share = left / room  # of its half unit that every number moves
            if best is None or abs(share) < best[0]:
                signs = [(s > 0) - (s < 0) for s in slopes]
                moved = [t.value - sign * share * h for t, sign, h in zip(typed, signs, halves, strict=True)]
                best = abs(share), moved
        if best is not None and all(value > 0 for value in best[1]):
            return best[1]
    return None
