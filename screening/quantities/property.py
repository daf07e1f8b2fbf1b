"""What the program has to know of a property: the form that an entry of the table fills in."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Score:
    """How a ranked property counts.

    Attributes
    ----------
    scale
        Difference that counts as one unit of score, in the property's unit. A fixed physical quantity and not the
        spread of the candidates, so that adding or removing candidates never changes a score.
    why
        Where the scale comes from.
    """

    scale: float
    why: str


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """A limit that a user may set, beyond which a candidate is not ranked.

    The setting is called ``max_<property>`` where smaller is better and ``min_<property>`` where larger is.

    Attributes
    ----------
    order
        Where it stands among the settings, which stored runs hold in this order; equal ones follow the table.
    hint
        Behind the unit in the help of its option, for example ``"< 0"``.
    sense, nonsense
        The last limit that removes anything less than every candidate (a barrier is never below 0), and what is said
        of one beyond it. None: every limit makes sense.
    """

    order: int = 100
    hint: str = ""
    sense: float | None = None
    nonsense: str = ""


@dataclass(frozen=True, kw_only=True)
class Interval:
    """What the interval of a property says.

    Attributes
    ----------
    short
        For captions.
    how
        How it is made, for docs/columns.md.
    """

    short: str
    how: str


@dataclass(frozen=True, kw_only=True)
class Header:
    """How a property stands in the tables of the terminal.

    Attributes
    ----------
    text
        Above its column; the unit in a second line. A first line that ends with a full stop is an abbreviation, which
        the caption spells out.
    decimals
        Behind the decimal point.
    up_to
        Name of the property that is the other end of a range, of which this one is the beginning: both share a column.
    beside
        None gives a column of the ranking. The name of a property per state of charge puts the worst value into the
        table by state of charge of that one instead.
    """

    text: str
    decimals: int
    up_to: str | None = None
    beside: str | None = None


@dataclass(frozen=True, kw_only=True)
class Property:
    """One property of a candidate.

    Attributes
    ----------
    name
        That of its records, and what its columns begin with.
    unit
        That of its records.
    meaning
        What docs/columns.md says of it, without a full stop.
    better
        Whether larger or smaller values are better, for the score, thresholds and the comparison of orders; None where
        neither is.
    place
        In ranking.csv: in front (before the score), behind or last.
    per_y
        There is a record for every state of charge; the worst of them is ranked, held against the threshold and shown.
    score
        How it counts in the ranking; None when it is not ranked.
    threshold, interval, header
        None when there is none, its records have none, or it is not shown in the terminal.
    softens
        It is a difference along the potential energy surface, zero where that is flat: the softness of universal
        potentials scales it, and a line fitted to DFT may correct it.
    """

    name: str
    unit: str
    meaning: str
    better: Literal["larger", "smaller"] | None = None
    place: Literal["front", "behind", "last"] = "behind"
    per_y: bool = False
    score: Score | None = None
    threshold: Threshold | None = None
    interval: Interval | None = None
    header: Header | None = None
    softens: bool = False

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise ValueError(f"{self.name!r} becomes the name of a setting; use letters, digits and underscores")
        if self.unit and not unit_in_name(self.unit):
            raise ValueError(f"write the unit {self.unit!r} of {self.name} in letters: names of columns end with it")
        if self.better is None and (self.score or self.threshold or self.per_y):
            raise ValueError(f"say whether larger or smaller values of {self.name} are better: it is compared by that")

    @property
    def sign(self) -> int:
        """+1 when larger is better, -1 when smaller is, 0 when neither is."""
        return {"larger": 1, "smaller": -1, None: 0}[self.better]

    @property
    def limit(self) -> str:
        """Name of the setting of its threshold."""
        return f"{'min' if self.sign > 0 else 'max'}_{self.name}"

    @property
    def limit_help(self) -> str:
        """What is said of the setting of its threshold."""
        hint = self.threshold.hint if self.threshold else ""
        return ", ".join(filter(None, (self.unit, "at the worst y" if self.per_y else "", hint)))

    def nonsense(self, limit: float) -> str:
        """Why a limit would remove every candidate; empty for one that makes sense."""
        threshold = self.threshold
        if threshold is None or threshold.sense is None:
            return ""
        return threshold.nonsense if self.sign * (limit - threshold.sense) > 0 else ""

    @property
    def end(self) -> Literal["min", "max"]:
        """Which end of the values of all states of charge is the worst one."""
        return "min" if self.sign > 0 else "max"

    def worst(self, values: Iterable[float]) -> float:
        """The worst of values of this property, which is the only one of a property without states of charge."""
        return min(values) if self.end == "min" else max(values)

    def column(self, suffix: str | None = None) -> str:
        """Column in ranking.csv; see `column_name`. Without `suffix` the one that is ranked, shown and compared."""
        if suffix is None:
            suffix = self.end if self.per_y else ""
        return column_name(self.name, self.unit, suffix)


def column_name(name: str, unit: str, suffix: str = "") -> str:
    """Column of a property with its unit, for example ``work_of_adhesion_min_J_m2``.

    Parameters
    ----------
    unit
        As in a record, ``"eV/atom"``.
    suffix
        Put between property and unit: which state of charge, or whose value.
    """
    return "_".join(part for part in (name, suffix, unit_in_name(unit)) if part)


def unit_in_name(unit: str) -> str:
    """A unit as names of columns end with it: ``J/m2`` becomes ``J_m2``."""
    return re.sub(r"[^0-9A-Za-z]+", "_", unit).strip("_")
