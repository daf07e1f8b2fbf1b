"""What a command finds when it starts, made safe: encoding, width, home, backend of plots."""

from __future__ import annotations

import codecs
import io
import os
import sys
import unicodedata
from pathlib import Path

SUBSTITUTES = {
    "±": "+/-", "–": "-", "—": "-", "−": "-", "…": "...", "×": "x", "·": "*", "→": "->", "≤": "<=", "≥": ">=",
    "µ": "u", "μ": "u", "°": " deg", "‘": "'", "’": "'", "“": '"', "”": '"', "•": "*",
}  # fmt: skip
"""How characters are written where the encoding of the terminal has none for them."""

ERRORS = "coatscreen.nearest"
NO_HOME = "/nonexistent"
"""What Debian gives users without a home: there is nothing to read there, and nothing can be written."""

WIDE = 10_000
"""Columns beyond which a width is none."""
NARROW = 60
"""Columns below which help texts would be cut; they are laid out for 80 then, and the terminal breaks the lines."""


def prepare() -> None:
    """Let nothing that is printed raise, whatever the locale; `main` calls it before anything else."""
    codecs.register_error(ERRORS, _nearest)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=ERRORS)
    _prepare_width()
    _prepare_home()
    # plots go into files; a notebook hands its own backend down to what it starts, which may not be installed here
    os.environ["MPLBACKEND"] = "agg"


def _nearest(error: UnicodeError) -> tuple[str, int]:
    """Handler of codecs: the nearest characters that the encoding has; odd bytes of file names are spelt out."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = "".join(_written(character, error.encoding) for character in error.object[error.start : error.end])
    return text, error.end


def _written(character: str, encoding: str) -> str:
    if "\udc80" <= character <= "\udcff":  # how Python carries a byte of a file name that is no text
        return f"\\x{ord(character) - 0xDC00:02x}"
    plain = SUBSTITUTES.get(character) or unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    # '?' is what every program prints that has nothing nearer
    return plain or "?"


def _prepare_width() -> None:
    """``COLUMNS=0`` (cron, some terminals) is no width but the absence of one; rich takes it at its word.

    So it does with a width that fills the memory.
    """
    columns = os.environ.get("COLUMNS")
    if columns is None:
        return
    if not columns.isdecimal() or len(columns) > len(str(WIDE)) or not 1 <= int(columns) <= WIDE:
        del os.environ["COLUMNS"]
    elif int(columns) < NARROW:
        os.environ.setdefault("TERMINAL_WIDTH", "80")  # read by typer for its help texts


def _prepare_home() -> None:
    """Where the system knows no home of this user (in some containers) ASE and pymatgen cannot even be imported."""
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = NO_HOME
