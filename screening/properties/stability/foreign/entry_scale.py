"""Whose energies a pymatgen entry holds: the functional it was computed with, and the scheme that shifted it.

Energies of GGA and GGA+U belong together (MP2020 puts them on one scale); those of r2SCAN, HSE, PBEsol and others are
scales of their own, and the scheme that mixes GGA(+U) with r2SCAN shifts entries by what else was in the mixture.
Entries say so in several places, and often not at all.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

GGA = "GGA/GGA+U"
"""The Materials Project's own scale, and that of the potentials which share it."""

MIXED = "the GGA(+U)/r2SCAN mixing scheme"

_KEYS = ("run_type", "entry_type", "thermo_type", "functional", "xc", "xc_functional", "calc_type", "task_type")
_PLACES = ("parameters", "data", "attribute")
_ID = re.compile(r"(?:^|[-_ ])(GGA(?:[+_-]U)?|PBE(?:[+_-]U)?|R2SCAN|SCAN|HSE\d*|PBESOL|LDA)(?:$|[-_ ])", re.IGNORECASE)
_TAGS = {"PE": GGA, "PS": "PBEsol", "RP": "RPBE"}
"""VASP's own names of functionals (tag GGA)."""

_OTHERS = {
    "R2SCAN": "r2SCAN", "RSCAN": "rSCAN", "SCAN": "SCAN", "TPSS": "TPSS", "METAGGA": "meta-GGA", "HSE": "HSE",
    "PBE0": "PBE0", "B3LYP": "B3LYP", "PBESOL": "PBEsol", "PBE_SOL": "PBEsol", "REVPBE": "revPBE", "RPBE": "RPBE",
    "AM05": "AM05",
}  # fmt: skip
"""Functionals by what their names hold; one that holds another's name (r2SCAN) goes before it."""

_DISPERSION = re.compile(r"VDW|OPTB|OPTPBE|[-_+]D[234]")


def claimed_scale(row: dict[str, Any]) -> str | None:
    """The scale that an entry's dictionary claims: `GGA`, `MIXED`, a functional's name, or None where it says nothing.

    An entry that was shifted by the mixing scheme is on that scale whatever computed it.
    """
    shifts = row.get("energy_adjustments")
    for shift in shifts if isinstance(shifts, list) else []:
        texts = [str(shift.get("name")), str(shift.get("cls"))] if isinstance(shift, dict) else []
        # pymatgen names it "MP GGA(+U)/r2SCAN mixing adjustment"; its GGA/GGA+U term is another and belongs to GGA
        if any("SCAN" in text.upper() or "DFTMixingScheme" in text for text in texts):
            return MIXED
    parts = [row, *(row[place] for place in _PLACES if isinstance(row.get(place), dict))]
    claims = [_functional(_text(part.get(key))) for part in parts for key in _KEYS]
    for incar in (part["incar"] for part in parts if isinstance(part.get("incar"), dict)):
        claims += [_functional(_text(incar.get(tag))) for tag in ("GGA", "METAGGA")]
        claims += ["a hybrid functional"] if incar.get("LHFCALC") is True else []
    claims += [_functional(match) for match in _ID.findall(str(row.get("entry_id") or ""))]
    said = {claim for claim in claims if claim is not None}
    return next((claim for claim in sorted(said) if claim != GGA), GGA if said else None)


def _text(value: Any) -> str:
    """A word of an entry; emmet writes its run types as dictionaries with a value."""
    word = value.get("value") if isinstance(value, dict) else value
    return word if isinstance(word, str) else ""


def _functional(text: str) -> str | None:
    """Scale that a run type or another word stands for; None where it names none ("Structure Optimization")."""
    plain = text.upper().replace(" ", "")
    if "SCAN" in plain and "GGA" in plain and "METAGGA" not in plain:  # a thermo_type such as GGA_GGA+U_R2SCAN
        return MIXED
    if plain in _TAGS:
        return _TAGS[plain]
    if _DISPERSION.search(plain):
        return text
    for name, shown in _OTHERS.items():
        if name in plain:
            return shown
    if "GGA" in plain or "PBE" in plain:
        return GGA
    return "LDA" if "LDA" in plain else None


def carries_correction(row: dict[str, Any]) -> bool:
    """Whether an entry's energy is shifted by any adjustment, or by an older entry's plain correction."""
    return bool(row.get("energy_adjustments")) or bool(row.get("correction"))


def named_entries(rows: Sequence[tuple[int, dict[str, Any]]], most: int = 5) -> str:
    """Entries by their ids, or by their place in the file (counted from 1) where they have none."""
    names = [str(row.get("entry_id") or f"entry {index + 1}") for index, row in rows]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def one_scale(rows: Sequence[dict[str, Any]]) -> tuple[str | None, str]:
    """The one scale that entries are on, and what is wrong with it (empty: nothing).

    Entries that say nothing go with the others, unless these are of another functional than GGA(+U): then who says
    nothing cannot be told from who is of another.
    """
    groups: dict[str | None, list[tuple[int, dict[str, Any]]]] = {}
    for index, row in enumerate(rows):
        groups.setdefault(claimed_scale(row), []).append((index, row))
    if MIXED in groups:
        return (
            MIXED,
            f"{named_entries(groups[MIXED])} were shifted by {MIXED}, so their energies hold for that mixture only",
        )
    if len(groups) > 1 and not groups.keys() <= {GGA, None}:
        common = GGA if GGA in groups else None if None in groups else max(groups, key=lambda g: len(groups[g]))
        odd = "; ".join(
            f"{named_entries(found)} ({scale})" for scale, found in groups.items() if scale not in (common, None)
        )
        rest = f"{common} ones" if common else "some that do not name their functional"
        return None, f"its energies are of different functionals: {odd} stand among {rest}"
    return next(iter(groups), None), ""


def uncorrected_among_corrected(rows: Sequence[dict[str, Any]], compositions: Sequence[set[str]]) -> str:
    """Compounds of one anion (oxides, ...) without any correction beside corrected ones; empty when there are none.

    MP2020 corrects every compound of these anions, so that a hull with some of each is off by up to 0.7 eV per anion.
    """
    found = []
    for anion in ("O", "S", "F", "Cl", "Br", "I", "N", "Se", "H"):
        members = [
            (index, row)
            for index, (row, elements) in enumerate(zip(rows, compositions, strict=True))
            if anion in elements and len(elements) > 1 and (anion == "O" or "O" not in elements)
        ]
        bare = [(index, row) for index, row in members if not carries_correction(row)]
        if bare and len(bare) < len(members):
            found.append(f"{named_entries(bare)} hold {anion}")
    return "; ".join(found)
