"""Energies of phases on disk: the shipped files in datasets/energies, and a user's own cache of the same form.

An energy counts only for the checkpoint it was computed with and while the facts of its phase are unchanged.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from screening.assets import asset, cache_dir
from screening.engine.running.records import PotentialId, package_versions
from screening.errors import UserError
from screening.files import PARSE_ERRORS, write_text
from screening.properties.stability.phases import FMAX, MAX_STEPS, MAX_VOLUME_CHANGE, PhaseEnergy

logger = logging.getLogger(__name__)

_UNITS = {"energy_per_atom": "eV/atom, correction included", "volume_per_atom": "A^3/atom", "fmax": "eV/A"}
_FIELDS = {f.name for f in fields(PhaseEnergy)}


def shipped_path(potential: str) -> Path:
    """Where the shipped energies of a potential stand; the file need not exist."""
    return asset("datasets", "energies") / f"{potential}.json"


def shipped_energies(potential_id: PotentialId, path: Path | None = None) -> dict[str, PhaseEnergy]:
    """Shipped energies of this potential by phase name; empty when there are none for this very checkpoint."""
    return read_energies(shipped_path(potential_id.name) if path is None else path, potential_id, origin="shipped")


def cached_path(potential_id: PotentialId) -> Path:
    """Cache of phases that were computed on this machine because no shipped file holds them."""
    name = potential_id.name.replace("/", "_").replace(":", "_")
    return cache_dir() / "energies" / f"{name}-{potential_id.checkpoint_sha256[:12]}.json"


def cached_energies(potential_id: PotentialId) -> dict[str, PhaseEnergy]:
    """What earlier runs on this machine computed, by phase name; none where the cache cannot be read."""
    path = cached_path(potential_id)
    try:
        return read_energies(path, potential_id, origin="computed")
    except OSError as error:
        logger.warning("the cache of phase energies %s cannot be read: %s", path, error.strerror)
        return {}


def remember(energies: Iterable[PhaseEnergy], potential_id: PotentialId, corrections: str) -> None:
    """Add computed energies to the cache; a cache that cannot be written is said and does no harm."""
    path = cached_path(potential_id)
    merged = cached_energies(potential_id) | {e.name: e for e in energies}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_energies(path, merged, potential_id, corrections, command="computed on demand")
    except OSError as error:
        logger.warning(
            "energies of phases could not be cached in %s (%s): set COATSCREEN_CACHE to a folder that you may write to",
            path,
            error.strerror,
        )


def read_energies(path: Path, potential_id: PotentialId, *, origin: str) -> dict[str, PhaseEnergy]:
    """Energies in a file of this module; empty when it is missing or belongs to another checkpoint.

    Raises
    ------
    UserError
        When the file is not of this form.
    """
    if not path.is_file():
        return {}
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["checkpoint_sha256"] != potential_id.checkpoint_sha256:
            logger.warning("%s belongs to another checkpoint; phases are computed again", path.name)
            return {}
        rows: dict[str, dict[str, Any]] = data["phases"]
        return {name: PhaseEnergy(**{"origin": origin, **_known(row)}) for name, row in rows.items()}
    except (*PARSE_ERRORS, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is no file of phase energies ({error}); delete it, it is computed again") from error


def write_energies(
    path: Path,
    energies: Mapping[str, PhaseEnergy],
    potential_id: PotentialId,
    corrections: str,
    *,
    command: str,
    extra: Mapping[str, Any] | None = None,
) -> None:
    """Write the file in one step, one line per phase.

    Parameters
    ----------
    extra
        More provenance (machine, wall time), beside what stands in every file.
    """
    head = {
        "potential": potential_id.name,
        "checkpoint_sha256": potential_id.checkpoint_sha256,
        "corrections": corrections,
        "command": command,
        "date": datetime.now(UTC).date().isoformat(),
        "versions": package_versions(),
        "settings": {"fmax": FMAX, "max_steps": MAX_STEPS, "max_volume_change": MAX_VOLUME_CHANGE},
        "units": _UNITS,
        **(extra or {}),
        "quarantined": {name: e.gate for name, e in sorted(energies.items()) if not e.usable},
    }
    rows = ",\n".join(f"  {json.dumps(name)}: {json.dumps(_row(e))}" for name, e in sorted(energies.items()))
    text = json.dumps(head, indent=1, ensure_ascii=False)[:-2] + f',\n "phases": {{\n{rows}\n }}\n}}\n'
    write_text(path, text)


def _known(row: Mapping[str, Any]) -> dict[str, Any]:
    known = {key: value for key, value in row.items() if key in _FIELDS}
    return known if known["energy_per_atom"] is not None else {**known, "energy_per_atom": math.nan}


def _row(energy: PhaseEnergy) -> dict[str, Any]:
    row = {key: value for key, value in asdict(energy).items() if value is not None}
    if row["origin"] != "reference":
        del row["origin"]
    for key, digits in (("energy_per_atom", 6), ("correction_per_atom", 6), ("volume_per_atom", 4), ("fmax", 5)):
        if key in row:
            row[key] = round(row[key], digits) if math.isfinite(row[key]) else None
    return row
