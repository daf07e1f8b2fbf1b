"""Dopants as users write them: ``Mg``, ``Zr4+``, ``Mg:Ta``, ``Mg:Ta=2:1``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from math import gcd

from screening.errors import UserError
from screening.names import closest
from screening.typed.values import plain_text

ANION_FORMERS = frozenset({"H", "C", "N", "O", "F", "S", "Cl", "Se", "Br", "I", "At"})
NOBLE_GASES = frozenset({"He", "Ne", "Ar", "Kr", "Xe", "Rn", "Og"})

_DOPANT = re.compile(r"(?P<symbol>[A-Za-z]+)(?P<charge>\d{1,2}[+-]|[+-]\d{0,2})?")
_SPINS = ("High Spin", "", "Low Spin")
_COORDINATIONS = ("VI", "VIII", "VII", "V", "IV")


@dataclass(frozen=True, kw_only=True)
class Dopant:
    """A cation with its formal charge (e); `is_default` says that the charge is the one its bare symbol stands for."""

    element: str
    charge: int
    is_default: bool = True

    @property
    def label(self) -> str:
        """``Mg``, or ``Fe2+`` where the charge is not the default one."""
        return self.element if self.is_default else f"{self.element}{self.charge}+"


@dataclass(frozen=True, kw_only=True)
class DopantEntry:
    """One comma-separated entry of ``--dopants``: one dopant, or several at a fixed ratio (smallest integers)."""

    dopants: tuple[Dopant, ...]
    ratio: tuple[int, ...]

    @property
    def label(self) -> str:
        """Canonical text of the entry, for example ``Mg:Ta=2:1``."""
        names = ":".join(d.label for d in self.dopants)
        return names if len(self.dopants) == 1 else f"{names}={':'.join(str(r) for r in self.ratio)}"


def parse_dopants(text: str, *, host_cations: tuple[str, ...] = ()) -> list[DopantEntry]:
    """Parse the value of ``--dopants``.

    Parameters
    ----------
    text
        Comma-separated entries; co-dopants are joined by ``:``, optionally with ``=`` and a ratio (else 1:1).
    host_cations
        Elements of the host, which are not dopants.

    Raises
    ------
    UserError
        For malformed text, unknown elements, anions, host cations, zero ratios and repeated entries.
    """
    if not text.strip():
        raise UserError("No dopant is given: write for example --dopants Mg,Zr,Ta.")
    text = plain_text(text)
    if re.search(r"=[\d:]*?(\d+),(\d+)(?=:|,|$)", text):
        raise UserError(f"The ratio in {text!r} has a comma: write it in whole numbers, such as 3:2 for 1.5:1.")
    entries: list[DopantEntry] = []
    seen: set[frozenset[tuple[str, int, int]]] = set()
    for part in text.split(","):
        entry = _parse_entry(part.strip(), text, host_cations)
        identity = frozenset((d.element, d.charge, r) for d, r in zip(entry.dopants, entry.ratio, strict=True))
        if identity in seen:
            raise UserError(f"The dopant {part.strip()!r} is given twice in {text!r}: write each once.")
        seen.add(identity)
        entries.append(entry)
    return entries


def default_charge(element: str) -> int:
    """Charge that a bare symbol stands for.

    The rule: of the element's common positive oxidation states (pymatgen) that have an octahedral Shannon radius,
    the one most frequent in the ICSD (the counts of pymatgen's bond-valence analyser); when none is common, of all
    positive ones with such a radius; without counts, the highest.

    Raises
    ------
    UserError
        When the element has no octahedral cation.
    """
    from pymatgen.analysis.bond_valence import PRIOR_PROB
    from pymatgen.core import Element, Species

    charges = octahedral_charges(element)
    if not charges:
        raise UserError(f"{element} has no cation with an octahedral Shannon radius: choose another dopant.")
    common = [q for q in charges if q in Element(element).common_oxidation_states]
    return max(common or charges, key=lambda q: (PRIOR_PROB.get(Species(element, q), 0), q))


def octahedral_charges(element: str) -> list[int]:
    """Positive charges (e) for which Shannon's table has a radius in six-fold coordination, ascending."""
    return sorted(q for q, by_coordination in _radii(element).items() if q > 0 and "VI" in by_coordination)


def cation_radius(element: str, charge: int) -> float:
    """Shannon's effective ionic radius in octahedral coordination, A (doi:10.1107/S0567739476001551).

    High spin where the table knows spins, as in oxides. A charge without an octahedral radius takes the nearest
    coordination that the table has, in the order VIII, VII, V, IV.

    Raises
    ------
    UserError
        When the table has no such cation; names the charges it has.
    """
    table = _radii(element)
    for coordination in _COORDINATIONS:
        by_spin = table.get(charge, {}).get(coordination, {})
        for spin in _SPINS:
            if spin in by_spin:
                return float(by_spin[spin]["ionic_radius"])
    known = ", ".join(f"{element}{q}+" for q in octahedral_charges(element)) or "none"
    raise UserError(f"{element}{charge}+ has no Shannon radius: choose another charge (octahedral ones: {known}).")


def _parse_entry(entry: str, text: str, host_cations: tuple[str, ...]) -> DopantEntry:
    names, equals, ratio_text = entry.partition("=")
    dopants = tuple(_parse_dopant(name.strip(), text, host_cations) for name in names.split(":"))
    if len({d.element for d in dopants}) < len(dopants):
        raise UserError(f"The co-doping {entry!r} repeats an element: name each element once.")
    if not equals:
        return DopantEntry(dopants=dopants, ratio=(1,) * len(dopants))
    parts = [r.strip() for r in ratio_text.split(":")]
    if len(parts) != len(dopants) or len(dopants) == 1:
        raise UserError(f"The ratio in {entry!r} does not match its dopants: write for example Mg:Ta=2:1.")
    if not all(r.isascii() and r.isdigit() and 0 < len(r) < 7 and int(r) > 0 for r in parts):
        raise UserError(f"The ratio in {entry!r} is not made of positive integers: write for example Mg:Ta=2:1.")
    ratio = [int(r) for r in parts]
    return DopantEntry(dopants=dopants, ratio=tuple(r // gcd(*ratio) for r in ratio))


def _parse_dopant(name: str, text: str, host_cations: tuple[str, ...]) -> Dopant:
    match = _DOPANT.fullmatch(name)
    if match is None:
        raise UserError(f"{name!r} in {text!r} is not a dopant: write for example Mg, Zr4+ or Mg:Ta=2:1.")
    element = _check_element(match["symbol"], host_cations)
    default = default_charge(element)
    if match["charge"] is None:
        return Dopant(element=element, charge=default)
    charge = int(match["charge"].strip("+-") or 1)
    if "-" in match["charge"] or charge == 0:
        raise UserError(f"{name!r} is not a cation: a dopant's charge has to be positive, as in {element}{default}+.")
    cation_radius(element, charge)
    return Dopant(element=element, charge=charge, is_default=charge == default)


def _check_element(symbol: str, host_cations: tuple[str, ...]) -> str:
    from pymatgen.core import Element

    if not Element.is_valid_symbol(symbol):
        nearest = closest(symbol, sorted(_usable_symbols(host_cations)))
        raise UserError(f"{symbol!r} is not an element: the nearest valid dopant is {nearest}.")
    if symbol in NOBLE_GASES:
        raise UserError(f"{symbol} is a noble gas: a dopant has to be a cation, such as Mg, Zr or Ta.")
    if symbol in ANION_FORMERS:
        raise UserError(f"{symbol} forms anions: a dopant has to be a cation, such as Mg, Zr or Ta.")
    if symbol in host_cations:
        raise UserError(f"{symbol} is a cation of the host itself: choose another dopant.")
    return symbol


@cache
def _usable_symbols(host_cations: tuple[str, ...]) -> tuple[str, ...]:
    from pymatgen.core import Element

    refused = NOBLE_GASES | ANION_FORMERS | set(host_cations)
    return tuple(e.symbol for e in Element if e.symbol not in refused and octahedral_charges(e.symbol))


@cache
def _radii(element: str) -> dict[int, dict[str, dict[str, dict[str, float]]]]:
    """Shannon's table for one element: charge -> coordination -> spin -> radii (A)."""
    from pymatgen.core import Element

    table = Element(element).data.get("Shannon radii")
    if not isinstance(table, dict):
        return {}
    # a few entries of pymatgen's table carry no charge
    return {int(q): by_coordination for q, by_coordination in table.items() if q.lstrip("+-").isdigit()}
