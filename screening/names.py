"""Names that users type, and the valid ones that are closest to them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def closest(name: str, valid: Iterable[str]) -> str:
    """The valid name most like `name`, whatever the case; `valid` must not be empty."""
    by_lower = {v.lower(): v for v in valid}
    return by_lower[difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.0)[0]]


def nearest(name: str, valid: Iterable[str]) -> str:
    """'the nearest valid name is ...' for an error message."""
    names = list(valid)
    return f"the nearest valid name is {closest(name, names)!r} (all: {', '.join(names)})"
