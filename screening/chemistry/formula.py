"""Formulas as people write them, read exactly, and compositions written so that they can be typed back.

Amounts are whole numbers, decimals or fractions (``Li5/6``, ``Li(5/6)``), groups stand in any brackets, and ``·``,
``*`` or a dot joins molecules: ``LiNbO3``, ``[Li5/6Mg1/12]NbO3``, ``Li6PS5Cl0.5Br0.5``, ``CaSO4·1/2H2O``. What was
rounded is read as what it was rounded from (`rounded_amounts`), and `Formula.note` says so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod

from screening.chemistry.charges import assignments, excess, has_several_valences, is_neutral
from screening.chemistry.formula_text import JOIN, Chemistry, plain_text, refuse
from screening.chemistry.rounded_amounts import DENOMINATORS, Rounded, balanced_within_rounding, nearby_fractions
from screening.errors import UserError

MOST_ATOMS = 1000
"""Largest amount of an element in a formula."""

MOST_OF_ONE = 100
"""Largest amount of an element in a formula of that element alone; molecules and cages hold up to 84."""

LEAST_SHARE = 1e-5
"""Smallest share of the atoms that an element may have; a hull does not resolve less."""

_TOKEN = re.compile(
    r"(?P<element>[A-Z][a-z]?)|(?P<number>\d+/\d+|\d*\.\d+|\d+)|(?P<open>[(\[{])|(?P<close>[)\]}])"
    rf"|(?P<join>{JOIN})|(?P<space>\s+)"
)
_PAIRS = {"(": ")", "[": "]", "{": "}"}
_ISOTOPES = {"D": "H", "T": "H"}
_NONMETALS = {"H", "C", "N", "O", "F", "S", "Cl", "Br", "I"}
_VARIABLES = "xyznd"


@dataclass(frozen=True, kw_only=True)
class Formula:
    """A formula as it was read.

    Attributes
    ----------
    typed
        What was given.
    written
        The same with the numbers that it was read with; where these are whole or fractions it gives `amounts` exactly.
    amounts
        Atoms of each element per formula as written.
    note
        Why `written` differs from `typed`, as a sentence; empty when it does not.
    """

    typed: str
    written: str
    amounts: dict[str, Fraction]
    note: str = ""

    @property
    def composition(self) -> dict[str, float]:
        return {symbol: float(amount) for symbol, amount in self.amounts.items()}


@dataclass(frozen=True, kw_only=True)
class _Token:
    kind: str
    text: str


@dataclass(frozen=True, kw_only=True)
class _Parsed:
    """Tokens, and the terms whose sum is the formula: an element and the numbers (tokens) that multiply it."""

    tokens: list[_Token]
    terms: list[tuple[str, list[int]]]

    def amounts(self, numbers: Mapping[int, Fraction]) -> dict[str, Fraction]:
        total: dict[str, Fraction] = {}
        for symbol, factors in self.terms:
            total[symbol] = total.get(symbol, Fraction(0)) + prod((numbers[i] for i in factors), start=Fraction(1))
        return total

    def slope(self, number: int, numbers: Mapping[int, Fraction], charges: Mapping[str, int]) -> Fraction:
        """Charge (e) that one more of a number adds."""
        return sum(
            (
                charges[symbol] * prod((numbers[i] for i in factors if i != number), start=Fraction(1))
                for symbol, factors in self.terms
                if number in factors
            ),
            Fraction(0),
        )

    def written(self, numbers: Mapping[int, Fraction]) -> str:
        return "".join(
            token.text if token.kind != "number" or numbers[i] == Fraction(token.text) else _number(numbers[i])
            for i, token in enumerate(self.tokens)
        )


def read_formula(text: str) -> Formula:
    """Read a formula.

    Raises
    ------
    UserError
        When the text is no formula of real elements with positive amounts, or can be read in two ways.
    """
    plain = plain_text(text, Chemistry(is_compound=_is_compound, is_molecule=_is_molecule))
    parsed = _parse(plain, text)
    typed = {i: Fraction(t.text) for i, t in enumerate(parsed.tokens) if t.kind == "number"}
    _check(parsed.amounts(typed), text)
    numbers, reason = _unrounded(parsed, typed)
    written = parsed.written(numbers)
    shown = " ".join(text.split())
    note = "" if written == shown else f"{shown} is read as {written}{reason}."
    return Formula(typed=shown, written=written, amounts=parsed.amounts(numbers), note=note)


def read_elements(text: str) -> set[str]:
    """Symbols of a comma-separated list.

    Raises
    ------
    UserError
        When one is no element, or there are none.
    """
    from pymatgen.core import Element

    symbols = {part.strip() for part in text.split(",") if part.strip()}
    if not symbols:
        raise UserError("no element is given; write some such as Li,Nb,O.")
    if wrong := sorted(s for s in symbols if not Element.is_valid_symbol(s) or s in _ISOTOPES):
        raise UserError(f"{', '.join(wrong)[:80]} in {text[:80]!r} is no element; write symbols such as Li,Nb,O.")
    return symbols


def amount_text(symbol: str, amount: Fraction) -> str:
    """An element with its amount, exact: ``Li5/6``, ``O3``, ``Nb``."""
    return symbol if amount == 1 else f"{symbol}{amount}"


def _unrounded(parsed: _Parsed, typed: dict[int, Fraction]) -> tuple[dict[int, Fraction], str]:
    """Numbers of the tokens, and why they are not those that were typed."""
    slots = [i for i, token in enumerate(parsed.tokens) if token.kind == "number" and "." in token.text]
    if not slots:
        return typed, ""
    rounded = [Rounded(value=typed[i], half=_half_unit(parsed.tokens[i].text)) for i in slots]

    def with_values(values: Sequence[Fraction]) -> dict[int, Fraction]:
        return {**typed, **dict(zip(slots, values, strict=True))}

    def neutral(values: Sequence[Fraction]) -> bool:
        return is_neutral(parsed.amounts(with_values(values)))

    values = nearby_fractions(rounded, neutral)
    if values is not None:
        return with_values(values), ", the fractions next to its numbers"
    amounts = parsed.amounts(typed)
    # a metal that changes its charge balances any amounts, LiNi0.8Co0.1Mn0.1O2
    if is_neutral(amounts) or any(has_several_valences(symbol) for symbol in amounts):
        return typed, ""
    choices = [
        (excess(amounts, charges), [parsed.slope(i, typed, charges) for i in slots]) for charges in assignments(amounts)
    ]
    values = balanced_within_rounding(rounded, choices)
    # numbers that multiply each other are not moved to the point that the slopes promise
    if values is not None and neutral(values):
        return with_values(values), ", its charges balanced within the rounding of its numbers"
    return typed, ""


def _half_unit(text: str) -> Fraction:
    return Fraction(1, 2 * 10 ** len(text.partition(".")[2]))


def _number(value: Fraction) -> str:
    """A whole number, a fraction, or a decimal where the fraction would be unreadable."""
    return str(value) if value.denominator <= max(DENOMINATORS) else f"{float(value):.5g}"


def _is_compound(text: str) -> bool:
    """Whether a text without dots is a neutral compound with whole amounts."""
    amounts = _whole_amounts(text)
    return len(amounts) > 1 and is_neutral(amounts)


def _is_molecule(text: str) -> bool:
    """Whether a text without dots is what crystals are solvated with: H2O, NH3, HF, CH3OH, CO2."""
    amounts = _whole_amounts(text)
    if len(amounts) < 2 or not amounts.keys() <= _NONMETALS:
        return False
    if "H" not in amounts:
        return amounts in ({"C": 1, "O": 2}, {"S": 1, "O": 2})
    return "C" in amounts or is_neutral(amounts)


def _whole_amounts(text: str) -> dict[str, Fraction]:
    """Amounts of a text without dots; empty when it is no formula, or not one of whole numbers."""
    try:
        parsed = _parse(text, text)
    except UserError:
        return {}
    numbers = {i: Fraction(t.text) for i, t in enumerate(parsed.tokens) if t.kind == "number"}
    return parsed.amounts(numbers) if all(n.denominator == 1 for n in numbers.values()) else {}


def _parse(plain: str, text: str) -> _Parsed:
    tokens = _tokens(plain, text)
    terms: list[tuple[str, list[int]]] = []
    part = 0  # first term of the molecule
    opened: list[tuple[str, int]] = []  # bracket, first term of its group
    last: slice | None = None  # terms that a number would multiply
    coefficient: int | None = None
    for i, token in enumerate(tokens):
        previous = tokens[i - 1].kind if i else "join"
        if token.kind == "element":
            terms.append((token.text, []))
            last = slice(len(terms) - 1, len(terms))
        elif token.kind == "open":
            opened.append((token.text, len(terms)))
        elif token.kind == "close":
            if not opened or _PAIRS[opened[-1][0]] != token.text:
                refuse(text, f"its bracket {token.text!r} closes nothing; check the brackets")
            if len(terms) == opened[-1][1]:
                refuse(text, "a bracket holds no element; check the brackets")
            last = slice(opened.pop()[1], len(terms))
        elif token.kind == "number" and previous == "join":
            coefficient = i
        elif token.kind == "number":
            if last is None or previous not in ("element", "close"):
                refuse(text, f"{token.text} follows no element or bracket; write one such as Li6PS5Cl0.5Br0.5")
            for _, factors in terms[last]:
                factors.append(i)
        if token.kind == "join" or i == len(tokens) - 1:
            if opened or len(terms) == part:
                refuse(text, "a bracket is not closed" if opened else "a part of it holds no element")
            if coefficient is not None:
                for _, factors in terms[part:]:
                    factors.append(coefficient)
            part, coefficient, last = len(terms), None, None
    if tokens[-1].kind == "join":
        refuse(text, "nothing follows the dot at its end")
    return _Parsed(tokens=tokens, terms=terms)


def _tokens(plain: str, text: str) -> list[_Token]:
    from pymatgen.core import Element

    tokens: list[_Token] = []
    position = 0
    while position < len(plain):
        match = _TOKEN.match(plain, position)
        if match is None:
            wrong = plain[position]
            if wrong == "/":
                refuse(text, "a slash stands between whole numbers only, as in Li5/6; give one formula at a time")
            hint = "; elements start with a capital, as in LiNbO3" if wrong.isalpha() else ""
            if wrong == ":":
                hint = "; give a doped crystal's own amounts, as in Li0.9Mg0.05NbO3"
            if wrong in _VARIABLES and not plain[position + 1 : position + 2].islower():
                hint = "; give a number in its place"
            refuse(text, f"{wrong!r} is no element and no amount{hint}; write one such as LiNbO3 or Li6PS5Cl0.5Br0.5")
        position = match.end()
        kind, token = str(match.lastgroup), match.group()
        if kind == "space":
            if tokens and not re.match(r"[A-Z(\[{]", plain[position:]):
                refuse(text, "a space stands inside it; leave it out, or write · or * between molecules")
            continue
        if kind == "element":
            if token in _ISOTOPES:
                refuse(text, f"{token} is an isotope; write {_ISOTOPES[token]}, energies do not tell them apart")
            if not Element.is_valid_symbol(token):
                refuse(text, f"{token} is no element; write one such as LiNbO3 or Li6PS5Cl0.5Br0.5")
        if kind == "number":
            _check_number(token, text)
        tokens.append(_Token(kind=kind, text=token))
        kinds = [t.kind for t in tokens[-4:]]
        if kinds[1:] == ["open", "number", "close"] and kinds[0] in ("element", "close"):
            tokens[-3:] = [tokens[-2]]  # Li(1/3)
    return tokens


def _check_number(number: str, text: str) -> None:
    if len(number) > 20:
        refuse(text, f"{number[:17]}... has too many digits; write the smallest formula")
    if re.search(r"/0+$", number):
        refuse(text, f"{number} divides by zero")
    if re.match(r"0\d", number):
        refuse(
            text,
            f"the amount {number} begins with a zero; write O for oxygen, or 0.{number.lstrip('0.')} for a decimal",
        )
    if Fraction(number) == 0:
        refuse(text, f"an amount in it is {number}; leave out what is not there (oxygen is the letter O)")


def _check(amounts: Mapping[str, Fraction], text: str) -> None:
    total = sum(amounts.values())
    for symbol, amount in amounts.items():
        if len(amounts) == 1 and amount > MOST_OF_ONE:  # Nb205 for Nb2O5
            refuse(text, f"it is {float(amount):g} of {symbol} alone; write {symbol}, or the letter O for oxygen")
        if amount > MOST_ATOMS:
            refuse(text, f"it holds {float(amount):g} {symbol}, more than {MOST_ATOMS}; write the smallest formula")
        if amount < LEAST_SHARE * total:
            refuse(text, f"{symbol} is a trace that no hull resolves; leave it out")
