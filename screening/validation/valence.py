"""Valence electrons and titles of VASP's PAW data sets, for use without a POTCAR library.

pymatgen ships a summary of every released POTCAR (title, ZVAL, statistics), which holds no licensed data.
"""

from __future__ import annotations

import bz2
import json
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from screening.errors import UserError

_FAMILIES = ("PAW_PBE", "PAW_GGA", "PAW", "US")


@cache
def _released(functional: str) -> dict[str, tuple[str, float]]:
    """Title and ZVAL of every label of one POTCAR release, for example ``"PBE_54"``."""
    from pymatgen.io.vasp.inputs import POTCAR_STATS_PATH

    with bz2.open(POTCAR_STATS_PATH, "rt", encoding="utf-8") as file:
        releases: dict[str, dict[str, list[dict[str, Any]]]] = json.load(file)
    if functional not in releases:
        raise UserError(f"there is no POTCAR release {functional!r}; use one of {', '.join(sorted(releases))}.")
    found: dict[str, tuple[str, float]] = {}
    for packed, variants in releases[functional].items():
        for variant in variants:
            found[variant["symbol"]] = (_title(packed, variant["symbol"]), float(variant["ZVAL"]))
    return found


def _title(packed: str, symbol: str) -> str:
    """``PAW_PBELi_sv10Sep2004`` as it stands in the POTCAR, ``PAW_PBE Li_sv 10Sep2004``."""
    family = next((name for name in _FAMILIES if packed.startswith(name + symbol)), "")
    date = packed.removeprefix(family + symbol)
    return " ".join(part for part in (family, symbol, date) if part)


def _entry(label: str, functional: str) -> tuple[str, float]:
    known = _released(functional)
    if label not in known:
        raise UserError(f"the POTCAR release {functional} holds no {label}; choose another label in the settings.")
    return known[label]


def valence_electrons(label: str, functional: str) -> float:
    """ZVAL of a POTCAR by its label, for example 11 for ``Nb_pv``.

    Raises
    ------
    UserError
        For a release or label that does not exist.
    """
    return _entry(label, functional)[1]


def potcar_title(label: str, functional: str) -> str:
    """TITEL of a POTCAR, for example ``PAW_PBE Nb_pv 08Apr2002``.

    Raises
    ------
    UserError
        For a release or label that does not exist.
    """
    return _entry(label, functional)[0]


def count_electrons(symbols: Iterable[str], labels: Mapping[str, str], functional: str) -> float:
    """Valence electrons of a neutral cell with these atoms."""
    return sum(valence_electrons(labels[symbol], functional) for symbol in symbols)
