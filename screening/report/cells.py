"""The tabulated properties in the terminal: which columns they have, what stands in them and what the caption says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from screening.quantities import table
from screening.quantities.property import Header, Property

FlatRow = Mapping[str, Any]
"""A flat row of a ranking, by the columns of ranking.csv; what is absent is None or not there."""


def shown() -> list[tuple[Property, Header]]:
    """Properties that have a column of the ranking, in order."""
    return [(p, p.header) for p in table.PROPERTIES if p.header is not None and p.header.beside is None]


def beside(name: str) -> list[tuple[Property, Header]]:
    """Properties that are shown in the table by state of charge of another one."""
    return [(p, p.header) for p in table.PROPERTIES if p.header is not None and p.header.beside == name]


def better_values() -> str:
    """Which values are better, for the caption: ``barrier and hull: smaller is better``."""
    groups: dict[tuple[bool, str], list[str]] = {}
    for entry, header in shown():
        if entry.better is not None and header.up_to is None:
            word = header.text.partition("\n")[0]
            full = entry.name.replace("_", " ")
            groups.setdefault((entry.per_y, entry.better), []).append(
                f"{word} ({full})" if word.endswith(".") else word
            )
    parts = []
    for (per_y, better), words in groups.items():
        listed = " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))
        parts.append(f"{listed}: {'worst state of charge, ' if per_y else ''}{better} is better")
    return "; ".join(parts)


def intervals(entries: Iterable[Property]) -> list[str]:
    """What the intervals of some properties are, each kind once."""
    return list(dict.fromkeys(entry.interval.short for entry in entries if entry.interval is not None))


def cell(row: FlatRow, entry: Property, header: Header) -> str:
    """What stands in the column of a property."""
    if header.up_to is not None:
        ends = [row.get(entry.column()), row.get(table.named(header.up_to).column())]
        if ends == [None, None]:
            return "–"
        return "–".join("?" if v is None else f"{v:.{header.decimals}f}" for v in ends)
    text = with_interval(row, entry.column(), header.decimals)
    return f"{text} [{row[own(entry)]:.{header.decimals}f}]" if replaced(row, entry) else text


def with_interval(row: FlatRow, name: str, digits: int) -> str:
    """``1.05 (0.97–1.09)``: the value and the two ends of its interval, which need not lie evenly around it."""
    value = row.get(name)
    if value is None:
        return "–"
    text = format(value, f".{digits}f")
    low, high = row.get(f"{name}_low"), row.get(f"{name}_high")
    if low is None or high is None:
        return text
    return f"{text} ({low:.{digits}f}–{high:.{digits}f})"


def own(entry: Property) -> str:
    """Column of the potential's own value, which stands beside one that DFT or a correction replaces."""
    return entry.column(f"{entry.end}_mlip" if entry.per_y else "mlip")


def replaced(row: FlatRow, entry: Property) -> bool:
    """Whether the value of a row is not the potential's own."""
    return row.get(own(entry)) is not None and row[own(entry)] != row.get(entry.column())
