"""Make a vasprun.xml with ``****`` readable: what did not fit into its columns becomes NaN, one for each number."""

from __future__ import annotations

import re
from pathlib import Path

STARS = re.compile(r"\*{2,}")
INTEGER = re.compile(r'<([iv])\s[^>]*type="int"[^>]*>[^<]*\*\*[^<]*</\1>')
ROW = re.compile(r"<v>([^<]*)</v>")
VECTOR = 3  # numbers in a row of positions, forces, stress or cell


def has_stars(text: str) -> bool:
    """Whether any number of the text did not fit into its columns."""
    return "**" in text


def with_nan(text: str) -> str:
    """The same vasprun.xml with NaN for ``****``; whole numbers that did not fit are left out.

    Two columns of stars touch, so that their number in a row cannot be told: such a row becomes NaN as a whole.
    """
    return "\n".join(_line(line) if "**" in line else line for line in text.split("\n"))


def text_of_vasprun(path: Path) -> str:
    """Text of a plain or compressed file."""
    from monty.io import zopen

    with zopen(path, mode="rb") as file:
        return bytes(file.read()).decode("iso-8859-1")


def _line(line: str) -> str:
    line = ROW.sub(_row, INTEGER.sub("", line))
    return STARS.sub(" nan ", line)


def _row(match: re.Match[str]) -> str:
    values = STARS.sub(" nan ", match[1])
    if "nan" in values and len(values.split()) < VECTOR:
        values = " nan" * VECTOR
    return f"<v>{values}</v>"
