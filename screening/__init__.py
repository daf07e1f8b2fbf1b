"""Coatscreen: find dopants that make a niobate coating stick, conduct and survive on Ni-rich cathodes.

What a notebook needs is here: ``from screening import screen, load_run, rank`` (docs/notebook.md).
"""

from __future__ import annotations

TYPE_CHECKING = False  # as type checkers know it; to import `typing` for it would double what this file costs

if TYPE_CHECKING:
    from typing import Any

    from screening.door.ingest import ingest
    from screening.door.label import label
    from screening.door.load import load_potential, load_run
    from screening.door.phases import build_phases, list_phases, phase_entry
    from screening.door.rank import rank
    from screening.door.retrain import retrain
    from screening.door.screen import screen
    from screening.door.validate import validate
    from screening.door.window import window

__all__ = [
    "build_phases",
    "ingest",
    "label",
    "list_phases",
    "load_potential",
    "load_run",
    "phase_entry",
    "rank",
    "retrain",
    "screen",
    "validate",
    "window",
]

_FILES = {
    "build_phases": "phases",
    "list_phases": "phases",
    "load_potential": "load",
    "load_run": "load",
    "phase_entry": "phases",
}
"""Files of the door that hold names other than their own."""


def __getattr__(name: str) -> Any:
    """A function of the door, or ``__version__``: what finds that takes longer to import than all that starts us."""
    if name in __all__:  # imported when it is asked for: what computes takes seconds to import
        from importlib import import_module

        return getattr(import_module(f"screening.door.{_FILES.get(name, name)}"), name)
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("coatscreen")
    except PackageNotFoundError:  # a source tree that was never installed
        return "0+unknown"


def __dir__() -> list[str]:
    return sorted([*__all__, *(name for name in globals() if name.startswith("__")), "__version__"])
