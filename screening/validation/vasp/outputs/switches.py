"""Values of VASP tags as VASP itself understands them, whichever of its files they were read from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pymatgen.io.vasp.inputs import Incar

COMMENT = re.compile(r"[#!]")
COMPRESSIONS = ("", ".gz", ".bz2", ".xz")
OWN_WORD = ("LDAU", "LHFCALC", "LUSE_VDW", "LVDW", "ML_LMLFF")
"""Switches for which the parameters that VASP reports outweigh the INCAR it echoes."""


def is_on(value: Any) -> bool:
    """Whether a logical tag is on: ``.TRUE.``, ``T``, ``true``, True or a number that is not zero.

    Absent (None), ``.FALSE.``, ``F`` and anything else is off; a comment behind the value does not count.
    """
    if value is None or isinstance(value, bool):
        return bool(value)
    if isinstance(value, int | float):
        return value != 0
    if isinstance(value, list | tuple):
        return bool(value) and is_on(value[0])
    return COMMENT.split(str(value), maxsplit=1)[0].strip().lstrip(".").upper().startswith("T")


def numbers(value: Any) -> list[float]:
    """Numbers of a tag with several values; ``2*0.5`` stands for two of them.

    Raises
    ------
    ValueError
        When one of them is no number.
    """
    if value is None:
        return []
    if isinstance(value, int | float):
        return [float(value)]
    if not isinstance(value, str):
        return [float(part) for part in value]
    found: list[float] = []
    for word in re.split(r"[#!;]", value, maxsplit=1)[0].replace(",", " ").split():
        count, star, one = word.rpartition("*")
        found += [float(one)] * (int(count) if star else 1)
    return found


def whole(tags: Mapping[str, Any], name: str, default: int) -> int:
    """An integer tag; `default` where it is absent or no number."""
    try:
        return int(float(tags[name]))
    except (KeyError, TypeError, ValueError, OverflowError):
        return default


def real(tags: Mapping[str, Any], name: str, default: float) -> float:
    """A real tag; `default` where it is absent or no number."""
    try:
        return float(tags[name])
    except (KeyError, TypeError, ValueError):
        return default


def reported_tags(parameters: Mapping[str, Any], incar: Mapping[str, Any]) -> dict[str, Any]:
    """INCAR tags over the parameters of vasprun.xml (which shorten names), but VASP's own word on its switches."""
    decided = {name: parameters[name] for name in OWN_WORD if name in parameters}
    return {**parameters, **incar, **decided}


def read_incar(folder: Path) -> Incar:
    """INCAR of a folder, empty when there is none; of a tag that is given twice VASP takes the first."""
    from monty.io import zopen
    from pymatgen.io.vasp.inputs import Incar

    path = next((p for suffix in COMPRESSIONS if (p := folder / f"INCAR{suffix}").is_file()), None)
    if path is None:
        return Incar({})
    with zopen(path, mode="rb") as file:
        text = bytes(file.read()).decode("utf-8", errors="replace")
    return Incar.from_str("\n".join(reversed(list(_statements(text)))))  # of two pymatgen takes the last


def _statements(text: str) -> Iterable[str]:
    """One assignment each, without comments, with lines that end in a backslash joined."""
    bare = "\n".join(COMMENT.split(line, maxsplit=1)[0].rstrip() for line in text.splitlines())
    for line in re.sub(r"\\\s*\n", " ", bare).split("\n"):
        yield from line.split(";")
