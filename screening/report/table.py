"""The ranking as a table for the terminal (readable from 100 columns on), and the list of skipped candidates."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from screening.quantities.property import Header, Property, unit_in_name
from screening.report.cells import beside, better_values, cell, intervals, replaced, shown, with_interval
from screening.report.flags import HINT, explanations

CAPTION = (
    "{better}; score: gain over the pristine host; * = Pareto-optimal; (low–high) = {intervals}, no standard error; "
    "– = not ranked, see the flags below"
)
CAPTION_REPLACED = "; [ ] = the potential's own value where {what} or a correction replaces it"
DFT, NO_DFT = "DFT", "a simulated value (no DFT)"


def ranking_table(rows: Sequence[Mapping[str, Any]], *, title: str = "Ranking") -> Table:
    """Table of the ranking; where the terminal is narrow an interval moves below its value.

    Parameters
    ----------
    rows
        Flat rows in order, with the columns of ranking.csv (absent values None, flags a list).
    """
    columns = shown()
    kinds = " or ".join(intervals(entry for entry, _ in columns))
    caption = CAPTION.format(better=better_values(), intervals=kinds)
    if any(replaced(row, entry) for row in rows for entry, _ in columns):
        caption += CAPTION_REPLACED.format(what=_replacement(rows))
    table = _table(title, caption=caption)
    table.add_column("rank", justify="right")
    table.add_column("candidate", overflow="fold")
    table.add_column("x", justify="right", no_wrap=True)
    for _, header in columns:
        whole = header.up_to is not None
        table.add_column(header.text, justify="right", no_wrap=whole, overflow="ellipsis" if whole else "fold")
    table.add_column("score", justify="right", no_wrap=True)
    for row in rows:
        numbers = [cell(row, entry, header) for entry, header in columns]
        score = "–" if row["score"] is None else format(row["score"], "+.2f" if row["score"] else ".2f")
        cells = [_rank(row), str(row["candidate"]), format(row["x"], ".3f"), *numbers, score]
        # Text, not str: rich would read a formula in brackets as markup
        table.add_row(*(Text(text) for text in cells), style="dim" if row["rank"] is None else None)
    return table


def flag_lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Flags below the table: those of every candidate once, then each candidate's own."""
    everywhere = [f for f in (rows[0]["flags"] if rows else []) if all(f in row["flags"] for row in rows)]
    lines = [f"all candidates: {', '.join(everywhere)}"] if everywhere else []
    for row in rows:
        own = [f for f in row["flags"] if f not in everywhere]
        if own:
            lines.append(f"{row['candidate']}: {', '.join(own)}")
    return lines


def states_table(rows: Sequence[Mapping[str, Any]], entry: Property, header: Header) -> Table:
    """A property at each state of charge, one column per y in the order of ranking.csv."""
    prefix, unit = f"{entry.name}_y", f"_{unit_in_name(entry.unit)}"
    form = re.compile(rf"{re.escape(prefix)}\d.*{re.escape(unit)}")
    found = [name for name in (rows[0] if rows else {}) if form.fullmatch(name)]
    # where DFT replaces the potential the first column holds it; the potential's own stands beside it
    names = [name for name in found if not name.removesuffix(unit).endswith(("_dft", "_simulated"))]
    title = entry.name.replace("_", " ").capitalize()
    table = _table(f"{title}, {entry.unit}, at y Li per cathode formula unit")
    table.add_column("candidate", overflow="fold")
    table.add_column("formula", overflow="fold")
    for name in names:
        table.add_column(f"y = {name.removeprefix(prefix).removesuffix(unit).replace('_', ' ')}", justify="right")
    others = beside(entry.name)
    for _, other in others:
        table.add_column(other.text, justify="right")
    for row in rows:
        values = [with_interval(row, name, header.decimals) for name in names]
        values += [with_interval(row, of.column(), other.decimals) for of, other in others]
        cells = [str(row["candidate"]), str(row["formula"]), *values]
        table.add_row(*(Text(text) for text in cells), style="dim" if row["rank"] is None else None)
    return table


def _table(title: str, caption: str | None = None) -> Table:
    return Table(
        title=Text(title), title_justify="left", caption=caption, caption_justify="left", box=box.SIMPLE_HEAD,
        show_edge=False, pad_edge=False, padding=0,
    )  # fmt: skip


def skipped_table(skipped: Iterable[Mapping[str, Any] | Any]) -> Table:
    """Candidates that were never computed, each with its reason.

    Parameters
    ----------
    skipped
        Objects or mappings with `label`, `x` and `reason`.
    """
    table = _table("Skipped")
    table.add_column("candidate", overflow="fold")
    table.add_column("x", justify="right", no_wrap=True)
    table.add_column("reason", overflow="fold")
    for item in skipped:
        fields = item if isinstance(item, Mapping) else vars(item)
        x = fields.get("x")
        number = format(x, ".3g") if isinstance(x, int | float) else str(x or "")
        table.add_row(Text(str(fields.get("label", ""))), number, Text(str(fields.get("reason", ""))))
    return table


class AgreementLike(Protocol):
    """How a potential's order compares with DFT's in one column."""

    @property
    def column(self) -> str: ...
    @property
    def n(self) -> int: ...
    @property
    def mean_signed_difference(self) -> float | None: ...
    @property
    def spearman(self) -> float | None: ...
    @property
    def kendall(self) -> float | None: ...
    @property
    def pairs_in_order(self) -> float | None: ...
    @property
    def top(self) -> int | None: ...
    @property
    def top_agreement(self) -> float | None: ...


def agreement_table(agreement: Sequence[AgreementLike], *, simulated: bool = False) -> Table:
    """How often the potential's order was that of DFT; below three candidates nothing can be said.

    Parameters
    ----------
    simulated
        Another potential ran in the place of the DFT program, and what it gave must not be called DFT.
    """
    other = "simulated values (no DFT)" if simulated else DFT
    table = _table(f"The potential's order against {other}", caption=f"difference: mean of potential minus {other}")
    table.add_column("column", overflow="fold")
    for header in ("candidates", "difference", "Spearman", "Kendall", "pairs in order", "best k also best"):
        table.add_column(header, justify="right")
    for entry in agreement:
        cells = [entry.column, str(entry.n), _number(entry.mean_signed_difference, "+.3f")]
        if entry.top is None:
            cells += ["too few to say", "–", "–", "–"]
        else:
            cells += [
                _number(entry.spearman, ".2f"),
                _number(entry.kendall, ".2f"),
                _number(entry.pairs_in_order, ".0%"),
            ]
            cells.append(f"{_number(entry.top_agreement, '.0%')} of {entry.top}")
        table.add_row(*(Text(text) for text in cells))
    return table


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


class RankingLike(Protocol):
    """What is printed: the campaign's ranking."""

    @property
    def notes(self) -> tuple[str, ...]: ...

    def flat(self) -> list[dict[str, Any]]: ...


def print_ranking(
    console: Console,
    ranking: RankingLike,
    *,
    top: int | None = None,
    skipped: Iterable[Any] = (),
    title: str = "Ranking",
    agreement: Sequence[AgreementLike] = (),
    explain: bool = False,
    explain_command: str = "screen rank RUN --explain",
) -> None:
    """Print everything the terminal shows at the end of a run.

    Parameters
    ----------
    top
        Ranked candidates shown (the pristine host always is); all when None. Those without a rank are always shown,
        because nobody should have to look for what is missing.
    skipped
        Candidates that were never computed: objects or mappings with `label`, `x` and `reason`.
    agreement
        The potential against DFT, column by column.
    explain
        Also print what each flag means.
    explain_command
        What prints that for this ranking.
    """
    rows = ranking.flat()
    printed = [r for r in rows if top is None or r["rank"] is None or r["rank"] <= top or not r["dopants"]]
    console.print(ranking_table(printed, title=title))
    lines = flag_lines(printed)
    for line in lines:
        console.print(Text(line))
    if lines and not explain:
        console.print(Text(HINT.format(command=explain_command), style="dim"))
    if len(printed) < len(rows):
        console.print(f"{len(rows) - len(printed)} more ranked candidates are in ranking.csv.")
    for entry, header in shown():
        if entry.per_y:
            console.print(states_table(printed, entry, header))
    for note in ranking.notes:
        console.print(Text(f"note: {note}", style="yellow"))
    if agreement:
        console.print(agreement_table(agreement, simulated=_replacement(rows) == NO_DFT))
    left_out = list(skipped)
    if left_out:
        console.print(skipped_table(left_out))
    if explain:
        console.print("What the flags mean")
        for line in explanations(printed):
            console.print(Text(line))


def _replacement(rows: Sequence[Mapping[str, Any]]) -> str:
    """What stands in the place of the potential's values; the columns of ranking.csv tell."""
    return NO_DFT if any("_simulated_" in name for row in rows for name in row) else DFT


def _rank(row: Mapping[str, Any]) -> str:
    if row["rank"] is None:
        return "–"
    low, high = row.get("rank_low"), row.get("rank_high")
    span = f" ({low}–{high})" if low is not None and low != high else ""
    return f"{row['rank']}{'*' if row['pareto'] else ''}{span}"
