"""Competing phases from a user's own file of pymatgen entries."""

from __future__ import annotations

import gzip
import hashlib
import json
import logging
import re
import zlib
from pathlib import Path
from typing import Any

from screening.errors import UserError
from screening.properties.stability.foreign.entry_scale import GGA, one_scale, uncorrected_among_corrected
from screening.properties.stability.foreign.pymatgen_entries import BadEntry, lowest_per_composition, phase_from_entry
from screening.properties.stability.phases import PhaseEnergy

logger = logging.getLogger(__name__)


def entries_from_file(path: Path, *, any_functional: bool = False) -> list[PhaseEnergy]:
    """Phases from a pymatgen JSON file (.json or .json.gz), sorted by name.

    The file holds a list of ComputedEntry, ComputedStructureEntry or PDEntry, as ``monty.serialization.dumpfn`` writes
    it, or ``{"entries": [...]}``. Its energies must be on one scale (`entry_scale`), and each element of a candidate,
    Li among them, needs an elemental entry: that is checked where the phases are used.

    Parameters
    ----------
    any_functional
        Also take a file whose entries are all of one other functional than GGA(+U), where no energy of a potential is
        compared with them.

    Raises
    ------
    UserError
        Names the file and the line or the entries: no such file, not JSON, no entries, an entry without a finite energy
        or with an element that does not exist, no elemental phase at all, entries of different functionals or another
        one, one id for different entries.
    """
    raw, text, items = _items(path)
    origin = f"file:{path.name}@{hashlib.sha256(raw).hexdigest()[:12]}"
    phases = []
    for index, item in enumerate(items):
        try:
            phases.append(phase_from_entry(item, origin))
        except BadEntry as error:
            raise UserError(
                f"{path}, line {_line_of(text, index)}: entry {index + 1} {error}; correct or remove it."
            ) from error
    _check_scale(path, items, phases, any_functional=any_functional)
    elemental = {next(iter(p.composition)) for p in phases if len(p.composition) == 1}
    if not elemental:
        raise UserError(f"{path}: none of the {len(items)} entries is an element; add the elements, Li among them.")
    if bare := sorted({symbol for p in phases for symbol in p.composition} - elemental):
        logger.warning("%s holds no elemental entry of %s", path, ", ".join(bare))
    return lowest_per_composition(phases)


def _items(path: Path) -> tuple[bytes, str, list[Any]]:
    """The bytes, the text and the list of entries of a file."""
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode("utf-8-sig")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read ({error}); give a pymatgen JSON file of entries.") from error
    try:
        content = json.loads(text)
    except RecursionError as error:
        raise UserError(f"{path} is nested too deeply; give a pymatgen JSON file of entries.") from error
    except json.JSONDecodeError as error:
        raise UserError(
            f"{path}, line {error.lineno}: no valid JSON ({error.msg}); write the entries with pymatgen's dumpfn."
        ) from error
    except ValueError as error:  # numbers of thousands of digits
        raise UserError(f"{path} cannot be read ({error}); write the entries with pymatgen's dumpfn.") from error
    items = content.get("entries") if isinstance(content, dict) else content
    if isinstance(content, dict) and "all_entries" in content and items is None:
        raise UserError(f"{path}, line 1: holds a phase diagram and no list of entries; dump its all_entries instead.")
    if not isinstance(items, list) or not items:
        raise UserError(f"{path}, line 1: holds no list of entries; write a list of ComputedEntry with dumpfn.")
    return raw, text, items


def _check_scale(path: Path, items: list[dict[str, Any]], phases: list[PhaseEnergy], *, any_functional: bool) -> None:
    """Refuse entries that are not on one scale, and say which are corrected less than others."""
    scale, wrong = one_scale(items)
    if wrong:
        raise UserError(f"{path}: {wrong}; a hull needs all on one scale, remove or recompute them.")
    if scale not in (GGA, None) and not any_functional:
        raise UserError(
            f"{path} holds {scale} energies, and the potential's are on the {GGA} scale; give entries of that scale."
        )
    seen: dict[str, tuple[str, float]] = {}
    for phase in phases:
        value = (phase.name, round(phase.energy_per_atom, 6))
        if phase.key and seen.setdefault(phase.key, value) != value:
            raise UserError(
                f"{path}: the id {phase.key} stands for different entries; give each its own, or remove one."
            )
    if bare := uncorrected_among_corrected(items, [set(p.composition) for p in phases]):
        logger.warning("%s: not corrected while others like them are: %s; check that all are on one scale", path, bare)


def _line_of(text: str, index: int) -> int:
    """Line on which element `index` of the list of entries starts, in text that is known to be valid JSON."""
    decoder = json.JSONDecoder()
    between = re.compile(r"[\s,:]*")

    def skip(position: int) -> int:
        found = between.match(text, position)
        assert found is not None
        return found.end()

    position = skip(0)
    if text[position] == "{":
        key, position = "", position + 1
        while key != "entries":
            key, position = decoder.raw_decode(text, skip(position))
            if key != "entries":
                _, position = decoder.raw_decode(text, skip(position))
        position = skip(position)
    position = skip(position + 1)
    for _ in range(index):
        _, position = decoder.raw_decode(text, position)
        position = skip(position)
    return text.count("\n", 0, position) + 1
