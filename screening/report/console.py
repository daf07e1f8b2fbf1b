"""The one console of all commands: what is printed is printed whole, and never read as markup."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from screening.files import naming

OUTPUT = Path("standard output")
"""What an error names where the output goes to a full disk."""

NO_LIMIT = 100_000
"""Columns where the output is no terminal: a file or a pipe has no edge."""


class WholeConsole(Console):
    """A console that cuts nothing off: two candidates that differ in their last letter must not look alike.

    The width is the terminal's, or that of ``COLUMNS``; a pipe or a file has no edge, so that lines and tables are as
    wide as what they hold. A table never becomes narrower than its longest words; in a terminal that is narrower still
    the lines run on, as those of any program do. Names with brackets, ``[Li0.833Mg0.083]NbO3``, are text.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"markup": False, "emoji": False, **options})
        if self._width is None and not self.is_terminal:
            self._width = NO_LIMIT

    def print(self, *objects: Any, **options: Any) -> None:
        tables = [item for item in objects if isinstance(item, Table)]
        before = self._width
        self._width = max([self.width, *(self._needed(table) for table in tables)]) if tables else before
        try:
            with naming(OUTPUT):
                super().print(*objects, **options)
        finally:
            self._width = before

    def _needed(self, table: Table) -> int:
        """Columns in which no word of the table is broken."""
        for column in table.columns:
            column.overflow = "fold"  # rich's own choice is to end a long cell with an ellipsis
        return Measurement.get(self, self.options.update(width=NO_LIMIT), table).minimum


def make_console() -> WholeConsole:
    """Console on standard output."""
    return WholeConsole()
