"""What flags mean: for the terminal, and docs/flags.md (``python -m screening.report.flags > docs/flags.md``)."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from screening.flags import FLAGS, FRAME, HOP, RANKING, explained

HINT = "What the flags mean: {command}"

_SECTIONS = {
    RANKING: "In a ranking",
    HOP: "At a single hop, in the details of a `migration_barrier` record",
    FRAME: "At a frame of the training set",
}

_INTRODUCTION = """A flag stands beside a value and says what a reader should know about it. `screen rank RUN --explain`
explains those of one ranking, `ranking.json` holds their meanings under `flags`. In braces: what differs from case to
case. This file is made from `screening/flags.py` by `python -m screening.report.flags > docs/flags.md`."""


def explanations(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The flags that occur in rows of a ranking, each with its meaning and what to make of it."""
    return [
        f"  {text}: {entry.meaning}; {entry.advice}."
        if entry
        else f"  {text}: not known to this version of coatscreen."
        for text, entry in explained(text for row in rows for text in row["flags"])
    ]


def flags_document() -> str:
    """Markdown of the whole table."""
    parts = ["# Flags", _INTRODUCTION]
    for where, title in _SECTIONS.items():
        lines = ["| flag | meaning | what to make of it |", "|---|---|---|"]
        for entry in (entry for entry in FLAGS.values() if entry.where == where):
            cells = (f"`{entry.form}`", entry.meaning, entry.advice)
            lines.append(f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |")
        parts += [f"## {title}", "\n".join(lines)]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    sys.stdout.write(flags_document())
