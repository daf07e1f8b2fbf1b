"""A ranking as the text of ranking.csv, and as the table that a reader of that file has."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def csv_text(names: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """Rows as CSV: an absent value is empty, lists are joined by ``;``, numbers have at most 6 significant digits."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_cell(row[name]) for name in names] for row in rows)
    return text.getvalue()


def frame_of(text: str) -> pd.DataFrame:
    """What pandas makes of CSV text, one row per candidate in order; an empty cell is NaN."""
    import pandas as pd

    return pd.read_csv(io.StringIO(text))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, float):
        return format(value + 0.0, ".6g")
    if isinstance(value, list | tuple):
        return ";".join(str(item) for item in value)
    return str(value)
