"""Coatscreen: find dopants that make a niobate coating stick, conduct and survive on Ni-rich cathodes.

What a notebook needs is here: ``from screening import screen, load_run, rank`` (docs/notebook.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from screening.door.load import load_potential, load_run
    from screening.door.rank import rank
    from screening.door.screen import screen

_ROOMS = {
    "load_potential": "screening.door.load",
    "load_run": "screening.door.load",
    "rank": "screening.door.rank",
    "screen": "screening.door.screen",
}
"""Where each name comes from; imported when it is asked for, because what computes takes seconds to import."""

__all__ = ["load_potential", "load_run", "rank", "screen"]


def __getattr__(name: str) -> Any:
    """A function of the door, or ``__version__``: what finds that takes longer to import than all that starts us."""
    if name in _ROOMS:
        from importlib import import_module

        return getattr(import_module(_ROOMS[name]), name)
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("coatscreen")
    except PackageNotFoundError:  # a source tree that was never installed
        return "0+unknown"


def __dir__() -> list[str]:
    return sorted([*__all__, *(name for name in globals() if name.startswith("__")), "__version__"])
