"""The ranking as a table for the terminal (readable from 100 columns on), and the list of skipped candidates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from screening.report.flags import HINT, explanations

COLUMNS: tuple[tuple[str, str, str, int], ...] = (
    ("work_of_adhesion_min_J_m2", "work_of_adhesion_min_mlip_J_m2", "adhesion\nmin J/m2", 2),
    ("migration_barrier_eV", "migration_barrier_mlip_eV", "barrier\neV", 2),
    ("oxidation_driving_force_eV_atom", "oxidation_driving_force_mlip_eV_atom", "oxid.\neV/atom", 3),
    ("e_above_hull_eV_atom", "e_above_hull_mlip_eV_atom", "hull\neV/atom", 3),
)
"""Ranked columns: name in ranking.csv, that of the potential's own value beside it, header, decimals."""

CAPTION = (
    "adhesion: worst state of charge, larger is better; barrier, oxid. (oxidation driving force) and hull: "
    "smaller is better; score: gain over the pristine host; * = Pareto-optimal; (low–high) = 95 % interval of the "
    "selection rule or spread over hops, no standard error; – = not ranked, see the flags below"
)

CAPTION_REPLACED = "; [ ] = the potential's own value where {what} or a correction replaces it"
DFT, SIMULATED = "DFT", "a simulated value (no DFT)"


def ranking_table(rows: Sequence[Mapping[str, Any]], *, title: str = "Ranking") -> Table:
    """Table of the ranking; where the terminal is narrow an interval moves below its value.

    Parameters
    ----------
    rows
        Flat rows in order, with the columns of ranking.csv (absent values None, flags a list).
    """
    replaced = any(_replaced(row, name, own) for row in rows for name, own, _, _ in COLUMNS)
    table = _table(title, caption=CAPTION + CAPTION_REPLACED.format(what=_replacement(rows)) if replaced else CAPTION)
    table.add_column("rank", justify="right")
    table.add_column("candidate", overflow="fold")
    table.add_column("x", justify="right", no_wrap=True)
    for _, _, header, _ in COLUMNS:
        table.add_column(header, justify="right", overflow="fold")
    table.add_column("window\nV", justify="right", no_wrap=True)
    table.add_column("score", justify="right", no_wrap=True)
    for row in rows:
        numbers = [with_potential(row, name, own, digits) for name, own, _, digits in COLUMNS]
        score = "–" if row["score"] is None else format(row["score"], "+.2f" if row["score"] else ".2f")
        cells = [_rank(row), str(row["candidate"]), format(row["x"], ".3f"), *numbers, _window(row), score]
        # Text, not str: rich would read a formula in brackets as markup
        table.add_row(*(Text(cell) for cell in cells), style="dim" if row["rank"] is None else None)
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


def adhesion_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Work of adhesion at each state of charge, one column per y in the order of ranking.csv."""
    prefix, unit = "work_of_adhesion_y", "_J_m2"
    found = [name for name in (rows[0] if rows else {}) if name.startswith(prefix) and name.endswith(unit)]
    # where DFT replaces the potential the first column holds it; the potential's own stands beside it
    names = [name for name in found if not name.removesuffix(unit).endswith(("_dft", "_simulated"))]
    table = _table("Work of adhesion, J/m2, at y Li per cathode formula unit")
    table.add_column("candidate", overflow="fold")
    table.add_column("formula", overflow="fold")
    for name in names:
        table.add_column(f"y = {name.removeprefix(prefix).removesuffix(unit).replace('_', ' ')}", justify="right")
    table.add_column("re-equilibrated\nmin", justify="right")
    for row in rows:
        values = [with_interval(row, name, 2) for name in (*names, "work_of_adhesion_eq_min_J_m2")]
        cells = [str(row["candidate"]), str(row["formula"]), *values]
        table.add_row(*(Text(cell) for cell in cells), style="dim" if row["rank"] is None else None)
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
        table.add_row(*(Text(cell) for cell in cells))
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
    shown = [r for r in rows if top is None or r["rank"] is None or r["rank"] <= top or not r["dopants"]]
    console.print(ranking_table(shown, title=title))
    lines = flag_lines(shown)
    for line in lines:
        console.print(Text(line))
    if lines and not explain:
        console.print(Text(HINT.format(command=explain_command), style="dim"))
    if len(shown) < len(rows):
        console.print(f"{len(rows) - len(shown)} more ranked candidates are in ranking.csv.")
    console.print(adhesion_table(shown))
    for note in ranking.notes:
        console.print(Text(f"note: {note}", style="yellow"))
    if agreement:
        console.print(agreement_table(agreement, simulated=_replacement(rows) == SIMULATED))
    left_out = list(skipped)
    if left_out:
        console.print(skipped_table(left_out))
    if explain:
        console.print("What the flags mean")
        for line in explanations(shown):
            console.print(Text(line))


def with_interval(row: Mapping[str, Any], name: str, digits: int) -> str:
    """``1.05 (0.97–1.09)``: the value and the two ends of its interval, which need not lie evenly around it."""
    value = row.get(name)
    if value is None:
        return "–"
    text = format(value, f".{digits}f")
    low, high = row.get(f"{name}_low"), row.get(f"{name}_high")
    if low is None or high is None:
        return text
    return f"{text} ({low:.{digits}f}–{high:.{digits}f})"


def with_potential(row: Mapping[str, Any], name: str, own: str, digits: int) -> str:
    """`with_interval`, and the potential's own value in brackets where another one replaces it."""
    text = with_interval(row, name, digits)
    return f"{text} [{row[own]:.{digits}f}]" if _replaced(row, name, own) else text


def _replacement(rows: Sequence[Mapping[str, Any]]) -> str:
    """What stands in the place of the potential's values; the columns of ranking.csv tell."""
    return SIMULATED if any("_simulated_" in name for row in rows for name in row) else DFT


def _replaced(row: Mapping[str, Any], name: str, own: str) -> bool:
    return row.get(own) is not None and row[own] != row.get(name)


def _rank(row: Mapping[str, Any]) -> str:
    if row["rank"] is None:
        return "–"
    low, high = row.get("rank_low"), row.get("rank_high")
    span = f" ({low}–{high})" if low is not None and low != high else ""
    return f"{row['rank']}{'*' if row['pareto'] else ''}{span}"


def _window(row: Mapping[str, Any]) -> str:
    low, high = row.get("window_reduction_V"), row.get("window_oxidation_V")
    if low is None and high is None:
        return "–"
    return "–".join("?" if v is None else f"{v:.2f}" for v in (low, high))
