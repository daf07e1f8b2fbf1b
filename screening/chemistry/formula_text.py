"""A typed formula as plain text: one spelling of digits, brackets and separators, and every dot decided.

A dot is a decimal point, or joins two molecules (MgCl2.6H2O). With H2O, NH3, CH3OH after its number it joins; where the
text before or after is no compound it is a decimal point (LiNi.8Co.1Mn.1O2); and where both make sense (Li2O.2SiO2) the
text is refused.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from screening.errors import UserError

JOIN = "·"
"""What joins the parts of a hydrate or adduct."""

LONGEST = 200
"""Characters of a formula."""

_JOINS = re.compile(r"\s*[·•⋅∙‧・*]\s*")
_SPACED_DOT = re.compile(r"\s*\.\s+|\s+\.\s*")
_SLASHES = str.maketrans({"⁄": "/", "∕": "/", "−": "-", "–": "-", "—": "-", "‐": "-"})
_DOTTED = re.compile(r"(?P<number>\d*(?:\.\d+)+)(?P<over>/\d+)?")


@dataclass(frozen=True, kw_only=True)
class Chemistry:
    """What a text without dots is, as far as that decides what a dot before it means."""

    is_compound: Callable[[str], bool]
    is_molecule: Callable[[str], bool]


def refuse(text: str, reason: str) -> NoReturn:
    """End with one sentence about a text that is no formula."""
    shown = text if len(text) <= 60 else text[:57] + "..."
    raise UserError(f"{shown!r} is not a chemical formula: {reason}.")


def plain_text(text: str, chemistry: Chemistry) -> str:
    """The formula in ASCII and `JOIN`, where a dot is a decimal point only.

    Raises
    ------
    UserError
        For signs, variables and characters that no formula has, and where a dot could be either.
    """
    if len(text) > LONGEST:
        refuse(text, f"it has {len(text)} characters, and {LONGEST} is the most; give a formula such as LiNbO3")
    plain = _ascii(text)
    if not plain:
        refuse(text, "it is empty; write one such as LiNbO3 or Li6PS5Cl0.5Br0.5")
    plain = _SPACED_DOT.sub(JOIN, _JOINS.sub(JOIN, plain))
    if re.search(r"[+-]|\^", plain):
        refuse(text, "it holds a sign; leave charges and variables out, and write · or * between molecules")
    if "," in plain:
        refuse(text, "it holds a comma; write decimals with a point, and one formula at a time")
    if re.search(r"\d[eE][+-]?\d", plain):
        refuse(text, "an amount is written as a power of ten; write it out, as in Li0.05NbO3")
    # a dot before a letter can only join
    return _decide_dots(re.sub(r"\.(?=[A-Za-z(\[{])", JOIN, plain), text, chemistry)


def _ascii(text: str) -> str:
    """Subscripts, full-width letters and fractions of one character in ASCII."""
    characters: list[str] = []
    spaced = " ".join(text.split())
    for index, character in enumerate(spaced):
        name = unicodedata.name(character, "")
        if name.startswith("SUPERSCRIPT"):
            refuse(text, f"it holds {character}; leave charges out")
        if name.startswith("VULGAR FRACTION") and index and spaced[index - 1].isdigit():
            refuse(text, f"a number stands before {character}; write a fraction such as 5/2")
        characters.append(unicodedata.normalize("NFKC", character) if not _JOINS.fullmatch(character) else JOIN)
    plain = "".join(characters).translate(_SLASHES)
    if foreign := next((c for c in plain if not (c.isascii() and c.isprintable()) and c != JOIN), None):
        refuse(text, f"{foreign!r} ({unicodedata.name(foreign, 'no letter')}) is no part of one; type it in ASCII")
    return plain


def _decide_dots(plain: str, text: str, chemistry: Chemistry) -> str:
    """Turn every dot that joins two molecules into `JOIN`."""
    done, position = "", 0
    for match in _DOTTED.finditer(plain):
        done += plain[position : match.start()]
        position = match.end()
        before = done.rpartition(JOIN)[2].lstrip()
        after = re.split(rf"[.{JOIN}]", plain[match.end() :])[0].strip()
        number = match.group()
        if not before or not after or any(before.count(a) != before.count(b) for a, b in ("()", "[]", "{}")):
            reading = number
        else:
            reading = _read_dot(number, before, after, text, chemistry, others=JOIN in plain)
        if not re.fullmatch(rf"\d*\.\d+|\d*{JOIN}\d+(\.\d+|/\d+)?", reading):
            refuse(text, f"{number} is no number; write one such as 0.5 or 1/2")
        done += reading
    return done + plain[position:]


def _read_dot(number: str, before: str, after: str, text: str, chemistry: Chemistry, *, others: bool) -> str:
    """A number with a dot, between two pieces of a formula, as it is or with `JOIN` for its (first) dot.

    Parameters
    ----------
    others
        Whether other dots of the formula join, which makes this one clear.
    """
    head, _, tail = number.partition(".")
    joined = f"{head}{JOIN}{tail}"
    single = tail.isdigit()  # 2.6, not 4.0.5 or 4.1/2
    if head == "0" and single:
        return number
    if chemistry.is_molecule(after):
        # CaSO4.05H2O, and Li.5H2O, where nothing before the dot is a compound
        clear = not (single and tail.startswith("0")) and len(re.findall("[A-Z]", before)) > 1
    else:
        # nobody writes an amount of 1, and no molecule is counted as 05
        if not single and not head and tail.startswith("0."):
            return joined  # Li2O.0.5Nb2O5
        if not single or head == "1" or tail.startswith("0") or tail == "1":
            return number
        if not chemistry.is_compound(before + head) or not chemistry.is_compound(after):
            return number
        clear = False
    if clear or others:
        return joined
    raise UserError(
        f"{text.strip()!r} can be read in two ways: write {before}{head}{JOIN}{tail.lstrip('0')}{after} "
        f"(or * for {JOIN}) for a second molecule, or ({before}{head or 0}.{tail}){after} for the amount "
        f"{head or 0}.{tail}."
    )
