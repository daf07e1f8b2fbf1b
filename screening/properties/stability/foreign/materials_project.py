"""Competing phases from the Materials Project: asked once; its answer is kept on disk and used offline ever after."""

from __future__ import annotations

import gzip
import hashlib
import json
import logging
import os
import re
import zlib
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from screening.errors import UserError
from screening.files import write_bytes
from screening.properties.stability.foreign.entry_scale import GGA, claimed_scale, named_entries
from screening.properties.stability.foreign.pymatgen_entries import BadEntry, lowest_per_composition, phase_from_entry
from screening.properties.stability.phases import PhaseEnergy

logger = logging.getLogger(__name__)

THERMO_TYPE = "GGA_GGA+U"
"""The one scale taken from the Materials Project: GGA and GGA+U with MP2020 corrections, never mixed with r2SCAN."""


_SNAPSHOT = re.compile(r"mp-(?P<chemsys>[A-Z][A-Za-z-]*?)-(?P<date>\d{4}-\d{2}-\d{2})\.json\.gz")


def entries_from_mp(
    elements: set[str],
    *,
    cache: Path,
    fetch: Callable[[list[str]], list[dict[str, Any]]] | None = None,
    today: date | None = None,
) -> list[PhaseEnergy]:
    """Phases of a chemical system from the Materials Project, sorted by name; Li is added, voltages need its metal.

    The newest snapshot in `cache` that holds all elements is used, without network; there being none, the system is
    downloaded (package mp-api, key in MP_API_KEY) and kept as ``mp-<chemsys>-<date>.json.gz``.

    Parameters
    ----------
    fetch
        Elements to dictionaries of ComputedEntry, in place of the download.
    today
        Date of a new snapshot.

    Raises
    ------
    UserError
        No package, no key or no answer; an element without an elemental entry; a damaged snapshot.
    """
    wanted = set(elements) | {"Li"}
    snapshot = _stored(wanted, cache)
    if snapshot is None:
        chosen = sorted(wanted)
        found, version = (fetch(chosen), None) if fetch is not None else _download(chosen)
        rows = [_slim(row) for row in found if claimed_scale(row) in (GGA, None)]
        if dropped := [(i, row) for i, row in enumerate(found) if claimed_scale(row) not in (GGA, None)]:
            logger.warning(
                "%d entries of the Materials Project are not on the %s scale and dropped: %s",
                len(dropped), GGA, named_entries(dropped),
            )  # fmt: skip
        when = today or datetime.now(UTC).date()
        snapshot = {
            "date": when.isoformat(),
            "chemsys": "-".join(chosen),
            "thermo_types": [THERMO_TYPE],
            "database_version": version,
            "sha256": _hash(rows),
            "entries": rows,
        }
        phases = _phases_of(snapshot, wanted)
        _write(cache / f"mp-{snapshot['chemsys']}-{snapshot['date']}.json.gz", snapshot)
        return phases
    return _phases_of(snapshot, wanted)


def check_mp(elements: set[str], *, cache: Path) -> None:
    """Refuse a chemical system that is not on disk and cannot be asked for; nothing is downloaded.

    Raises
    ------
    UserError
        A damaged snapshot, or none and no package or key to get one with.
    """
    if _stored(elements, cache) is None:
        _client()


def _phases_of(snapshot: dict[str, Any], wanted: set[str]) -> list[PhaseEnergy]:
    origin = f"mp:{snapshot['date']}@{snapshot['sha256'][:12]}"
    phases = []
    for row in snapshot["entries"]:
        try:
            phases.append(phase_from_entry(row, origin))
        except BadEntry as error:
            logger.warning("Materials Project entry %s %s; it is left out", row.get("entry_id"), error)
    phases = [p for p in phases if set(p.composition) <= wanted]
    elemental = {next(iter(p.composition)) for p in phases if len(p.composition) == 1}
    if missing := sorted(wanted - elemental):
        raise UserError(
            f"the Materials Project gave no {THERMO_TYPE} entry of elemental {', '.join(missing)}; check the symbols, "
            "or give entries of your own as a file."
        )
    return lowest_per_composition(phases)


def _slim(row: dict[str, Any]) -> dict[str, Any]:
    """An entry without its structure, which no hull needs and which makes up most of the size."""
    slim = {key: value for key, value in row.items() if key != "structure"}
    if slim.get("@class") == "ComputedStructureEntry":
        slim["@class"] = "ComputedEntry"
    return slim


def _hash(rows: list[dict[str, Any]]) -> str:
    text = json.dumps(rows, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _stored(wanted: set[str], cache: Path) -> dict[str, Any] | None:
    """The newest snapshot that holds all elements, the smallest of that day; None when there is none."""
    found = []
    for path in cache.glob("mp-*.json.gz"):
        if (match := _SNAPSHOT.fullmatch(path.name)) and wanted <= set(match["chemsys"].split("-")):
            found.append((match["date"], -len(match["chemsys"]), path))
    return _read(max(found)[2]) if found else None


def _read(path: Path) -> dict[str, Any]:
    """A snapshot that is what was written."""
    try:
        snapshot = json.loads(gzip.decompress(path.read_bytes()))
        sound = snapshot["sha256"] == _hash(snapshot["entries"]) and snapshot["thermo_types"] == [THERMO_TYPE]
        sound = sound and isinstance(snapshot["date"], str)
    except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError) as error:
        raise UserError(f"the snapshot {path} is damaged ({error!r}); delete it to download it again.") from error
    if not sound:
        raise UserError(
            f"the snapshot {path} is damaged (its entries do not match its checksum); delete it to download it again."
        )
    return dict(snapshot)


def _write(path: Path, snapshot: dict[str, Any]) -> None:
    """Write a snapshot in one step, so that no other process ever reads half of it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, gzip.compress(json.dumps(snapshot).encode(), mtime=0))
    except OSError as error:
        raise UserError(f"the snapshot {path} cannot be written ({error}); make its folder writable.") from error


def _download(elements: list[str]) -> tuple[list[dict[str, Any]], str | None]:
    """Entries of a chemical system and the version of the database, through mp-api.

    The thermo type is always stated: since 2026 mp-api's own default is the mixed GGA/GGA+U/r2SCAN hull.
    """
    from_client, key = _client()
    try:
        with from_client(api_key=key) as rester:
            found = rester.get_entries_in_chemsys(elements, additional_criteria={"thermo_types": [THERMO_TYPE]})
            version = str(rester.get_database_version())
    # whatever the client raises (refused key, no network, server error) ends the same way for the user
    except Exception as error:
        raise UserError(
            f"the Materials Project did not answer for {'-'.join(elements)} ({error}); check network and "
            "MP_API_KEY, or run it once where there is a network and copy the snapshot."
        ) from error
    return [row if isinstance(row, dict) else row.as_dict() for row in found], version


def _client() -> tuple[Any, str]:
    """The class that talks to the Materials Project, and the user's key."""
    try:
        from mp_api.client import MPRester
    except ImportError as error:
        raise UserError("--phases mp needs the mp-api package; run: pip install 'coatscreen[mp]'") from error
    from pymatgen.core import SETTINGS

    key = os.environ.get("MP_API_KEY") or SETTINGS.get("PMG_MAPI_KEY")
    if not key:
        raise UserError(
            "--phases mp needs a key of the Materials Project; get one at https://materialsproject.org/api and set "
            "the environment variable MP_API_KEY to it."
        )
    return MPRester, str(key)
