"""What a run leaves on disk: ranking.csv, ranking.json, summary.yaml and CIF structures. Every write is atomic."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ase import Atoms

from screening.campaign.ranking.frame import csv_text
from screening.campaign.ranking.rows import Ranking
from screening.campaign.ranking.score import objectives
from screening.campaign.summary import as_plain_data
from screening.config import Settings
from screening.files import write_text
from screening.flags import explained
from screening.quantities.property import unit_in_name
from screening.quantities.table import units


def write_ranking(
    folder: Path, ranking: Ranking, *, settings: Settings | None = None, skipped: Iterable[Any] = ()
) -> tuple[Path, Path]:
    """Write ranking.csv and ranking.json into `folder` and return their paths; agreement.csv beside them with DFT.

    The CSV is `Ranking.to_csv`; the JSON keeps types, full precision, units, settings, versions and the skipped
    candidates.
    """
    folder.mkdir(parents=True, exist_ok=True)
    csv_path, json_path = folder / "ranking.csv", folder / "ranking.json"
    write_text(csv_path, ranking.to_csv())
    document = ranking_document(ranking, settings=settings, skipped=skipped)
    write_text(json_path, json.dumps(document, indent=2, allow_nan=False) + "\n")
    _write_agreement(folder / "agreement.csv", ranking)
    return csv_path, json_path


def _write_agreement(path: Path, ranking: Ranking) -> None:
    """How well the potential agrees with DFT, a row per column; of a ranking without DFT no such file is left."""
    if not ranking.agreement:
        path.unlink(missing_ok=True)
        return
    rows = [asdict(a) for a in ranking.agreement]
    write_text(path, csv_text(list(rows[0]), rows))


def ranking_document(
    ranking: Ranking, *, settings: Settings | None = None, skipped: Iterable[Any] = ()
) -> dict[str, Any]:
    """Content of ranking.json: rows as typed mappings, and everything needed to read them."""
    document = {
        "format": 1,
        "fidelity": ranking.fidelity,
        "soc": ranking.soc,
        "columns": [{"name": name, "unit": unit_of(name)} for name in ranking.columns()],
        "rows": ranking.flat(),
        "flags": {
            text: {"meaning": entry.meaning, "advice": entry.advice}
            for text, entry in explained(f for row in ranking.rows for f in row.flags)
            if entry is not None
        },
        "notes": ranking.notes,
        "objectives": [asdict(o) for o in objectives()],
        "ranking_settings": ranking.settings,
        "settings": settings,
        "versions": ranking.versions,
        "skipped": list(skipped),
    }
    if ranking.reference:
        document |= {"reference": ranking.reference, "agreement": ranking.agreement}
    if ranking.correction:
        document["correction"] = ranking.correction
    plain_document: dict[str, Any] = as_plain_data(document)
    return plain_document


def unit_of(name: str) -> str | None:
    """Unit that a column name ends with, or None for text, flags, ranks and contents."""
    stem = name.removesuffix("_low").removesuffix("_high")
    return next((unit for unit in units() if stem.endswith(f"_{unit_in_name(unit)}")), None)


def write_structures(folder: Path, structures: Mapping[str, Atoms]) -> list[Path]:
    """Write each structure as ``<name>.cif``; a ``/`` in the name makes a sub-folder.

    Raises
    ------
    ValueError
        For a name that would leave `folder`.
    """
    from ase.io import write

    written = []
    for name, atoms in structures.items():
        path = folder / f"{name}.cif"
        if not path.resolve().is_relative_to(folder.resolve()):
            raise ValueError(f"structure name {name!r} leaves its folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        write(buffer, atoms, format="cif")
        write_text(path, buffer.getvalue().decode())
        written.append(path)
    return written
