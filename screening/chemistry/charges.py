"""Which charges the elements of a formula can have, and whether they balance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from functools import cache
from itertools import product
from math import prod

_MOST_COMBINATIONS = 20_000
"""Combinations of charges that are tried; beyond that (a dozen elements with many states) nothing is claimed."""

_REDOX = {"Ni", "Cu"}
"""Metals of battery materials that change their charge although pymatgen lists one common state."""


def is_neutral(amounts: Mapping[str, Fraction]) -> bool:
    """Whether common oxidation states, one per element, balance these amounts exactly."""
    return any(excess(amounts, charges) == 0 for charges in assignments(amounts))


def smallest_excess(amounts: Mapping[str, Fraction]) -> Fraction:
    """Charge (e) that is left over with the common oxidation states, one per element, that balance best.

    0 where nothing can be said: no such states, or a metal of several valences, which balances any amounts.
    """
    left = [excess(amounts, charges) for charges in assignments(amounts)]
    if not left or any(has_several_valences(symbol) for symbol in amounts):
        return Fraction(0)
    return min(left, key=abs)


def excess(amounts: Mapping[str, Fraction], charges: Mapping[str, int]) -> Fraction:
    """Charge (e) of amounts of ions."""
    return sum((amounts[symbol] * charge for symbol, charge in charges.items()), Fraction(0))


def assignments(elements: Iterable[str]) -> list[dict[str, int]]:
    """Every choice of one common oxidation state (pymatgen's list) per element that can make a compound.

    Some element is negative and some positive, and no negative one is less electronegative than a positive one; a
    metal alone, or several, have no such choice.
    """
    symbols = sorted(set(elements))
    states = [_states(symbol) for symbol in symbols]
    if prod(len(choices) for choices in states) > _MOST_COMBINATIONS:
        return []
    return [
        dict(zip(symbols, chosen, strict=True))
        for chosen in product(*states)
        if min(chosen) < 0 < max(chosen) and _ordered(symbols, chosen)
    ]


def _ordered(symbols: list[str], charges: tuple[int, ...]) -> bool:
    pairs = [(_electronegativity(s), q) for s, q in zip(symbols, charges, strict=True)]
    return max(x for x, q in pairs if q > 0) <= min(x for x, q in pairs if q < 0)


def has_several_valences(symbol: str) -> bool:
    """Whether an element is a metal that is common in more than one charge, and so balances many amounts."""
    from pymatgen.core import Element

    return bool(Element(symbol).is_metal) and (symbol in _REDOX or sum(q > 0 for q in _states(symbol)) > 1)


@cache
def _states(symbol: str) -> tuple[int, ...]:
    from pymatgen.core import Element

    return tuple(q for q in Element(symbol).common_oxidation_states if q != 0)


@cache
def _electronegativity(symbol: str) -> float:
    from pymatgen.core import Element

    return float(Element(symbol).X)
