"""What a ranking is: rows, and their columns in the order of ranking.csv."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from screening.campaign.ranking.agreement import Agreement
from screening.campaign.ranking.collect import CONTENT_KEYS
from screening.campaign.ranking.frame import csv_text, frame_of
from screening.campaign.ranking.labels import y_label
from screening.quantities import table
from screening.quantities.property import column_name
from screening.quantities.settings import RankingSettings

if TYPE_CHECKING:
    import pandas as pd

LEADING = ("rank", "candidate", "formula", "dopants", "site", "x")
TRAILING = ("score", "pareto", "converged", "flags")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One candidate.

    Attributes
    ----------
    rank
        1 = best; None when the candidate is not ranked (`flags` says why).
    front
        Front of the non-dominated sorting, 1 = Pareto-optimal among the ranked; None when not ranked.
    score
        See `screening.campaign.ranking.score`; None when an objective (its own or the host's) cannot be trusted.
    values, intervals
        Column name to value, and to (low, high), in the unit that the column name ends with.
    rank_interval, score_interval
        Central 95 % of rank and score when the objectives are redrawn within their intervals.
    contents
        x_requested, x_bulk, x_interface, x_barrier, M per formula unit.
    beside
        Column to those beside it: the potential's and DFT's value where the ranked one may be either.
    """

    candidate: str
    formula: str
    dopants: str
    site: str
    x: float
    compensation: str
    rank: int | None = None
    front: int | None = None
    score: float | None = None
    pareto: bool = False
    converged: bool
    flags: tuple[str, ...]
    values: dict[str, float | None]
    intervals: dict[str, tuple[float, float]]
    contents: dict[str, float]
    beside: dict[str, dict[str, float | None]] = field(default_factory=dict)
    rank_interval: tuple[int, int] | None = None
    score_interval: tuple[float, float] | None = None


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """Rows in order (ranked ones first) and what they were ranked with.

    Attributes
    ----------
    fidelity, reference
        The potential's, and that of the DFT values that replace the potential's (empty when none do).
    correction
        What was applied to the potential's values, as in its card.
    agreement
        The potential against DFT, by column.
    notes
        Sentences about the ranking as a whole, for example that there is no pristine reference.
    """

    rows: tuple[Row, ...]
    soc: tuple[float, ...]
    settings: RankingSettings
    fidelity: str = ""
    extra: dict[str, str] = field(default_factory=dict)
    versions: dict[str, list[str]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    reference: str = ""
    correction: dict[str, Any] | None = None
    agreement: tuple[Agreement, ...] = ()

    def __repr__(self) -> str:
        by = self.fidelity or "nothing"
        return f"<ranking of {len(self.rows)} candidates by {by}, {len(self.ranked)} of them ranked>"

    @property
    def ranked(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.rank is not None)

    def columns(self) -> list[str]:
        """Columns in the order of ranking.csv: the fixed ones, intervals, then everything else."""
        main, other = self._of_the_table()
        other += [column_name(p, u) for p, u in self.extra.items()]
        with_interval = {name for row in self.rows for name in row.intervals}
        if any(row.score_interval for row in self.rows):
            with_interval.add("score")
        bounds = [f"{name}_{end}" for name in (*main, "score") if name in with_interval for end in ("low", "high")]
        other_bounds = [f"{name}_{end}" for name in other if name in with_interval for end in ("low", "high")]
        extras = ["x_requested", *CONTENT_KEYS, "compensation", "rank_low", "rank_high", "front"]
        main, other = self._with_beside(main), self._with_beside(other)
        return [*LEADING, *main, *TRAILING, *bounds, *extras, *other, *other_bounds]

    def _of_the_table(self) -> tuple[list[str], list[str]]:
        """Columns of the tabulated properties, in front of the score and behind it.

        Of a property per state of charge the worst value stands at its place; the single values follow it where it is
        ranked and come last where it is not.
        """
        placed: dict[str, list[str]] = {"front": [], "behind": [], "last": []}
        states: list[str] = []
        for entry in table.PROPERTIES:
            single = [entry.column(y_label(y)) for y in self.soc] if entry.per_y else []
            placed[entry.place] += [entry.column(), *(single if entry.score else ())]
            states += () if entry.score else single
        return placed["front"], [*placed["behind"], *placed["last"], *states]

    def _with_beside(self, names: list[str]) -> list[str]:
        """Every column followed by those beside it that hold a value in some row."""
        held: dict[str, list[str]] = {}
        for row in self.rows:
            for name, others in row.beside.items():
                known = held.setdefault(name, [])
                known += [other for other, value in others.items() if value is not None and other not in known]
        return [entry for name in names for entry in (name, *sorted(held.get(name, ()), key=_mlip_first))]

    def flat(self) -> list[dict[str, Any]]:
        """One flat mapping per row with every column of `columns`; absent values are None, flags a list."""
        names = self.columns()
        return [{name: flat.get(name) for name in names} for flat in map(_flatten, self.rows)]

    def to_csv(self) -> str:
        """Text of ranking.csv: absent values empty, flags joined by ``;``, numbers of at most 6 significant digits."""
        return csv_text(self.columns(), self.flat())

    def to_frame(self) -> pd.DataFrame:
        """Columns and values of ranking.csv as pandas reads them: best first, absent values NaN, flags joined by ``;``.

        ``to_frame().set_index("candidate")`` has a row by its name; `flat` has every digit.
        """
        return frame_of(self.to_csv())


def _mlip_first(name: str) -> tuple[bool, str]:
    return "_mlip_" not in name, name


def _flatten(row: Row) -> dict[str, Any]:
    flat: dict[str, Any] = {
        name: getattr(row, name) for name in (*LEADING, "score", "pareto", "converged", "compensation", "front")
    }
    flat |= row.values | row.contents | {"flags": list(row.flags)}
    for others in row.beside.values():
        flat |= others
    intervals = {**row.intervals, "score": row.score_interval, "rank": row.rank_interval}
    for name, interval in intervals.items():
        if interval is not None:
            flat[f"{name}_low"], flat[f"{name}_high"] = interval
    return flat
