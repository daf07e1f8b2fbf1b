"""Options for the thresholds of the table of properties: each gets its own without an edit here."""

from __future__ import annotations

from dataclasses import field, make_dataclass
from typing import Annotated, TypeVar

import typer

from screening.quantities.table import ranked, with_threshold

PANEL = "Thresholds"

Options = TypeVar("Options")


def threshold_options(options: type[Options]) -> type[Options]:
    """A dataclass of options with one more for every threshold, behind its own: ``--max-e-above-hull`` and the like."""
    fields = [
        (entry.limit, _annotation(entry.limit, entry.limit_help), field(default=None)) for entry in with_threshold()
    ]
    return make_dataclass(options.__name__, fields, bases=(options,), frozen=True, kw_only=True)


def thresholds_of(options: object) -> dict[str, float | None]:
    """The setting of every threshold and what was typed for it, None where nothing was."""
    return {entry.limit: getattr(options, entry.limit) for entry in with_threshold()}


def weights_example() -> str:
    """Every objective with the weight that it has where nothing is typed, the first one doubled."""
    return ",".join(f"{entry.name}={1 if n else 2}" for n, entry in enumerate(ranked()))


def _annotation(limit: str, text: str) -> object:
    option = typer.Option(f"--{limit.replace('_', '-')}", help=text, rich_help_panel=PANEL)
    return Annotated[float | None, option]
