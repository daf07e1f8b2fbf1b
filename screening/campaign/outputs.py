"""What a run leaves on disk: ranking.csv, ranking.json, summary.yaml and CIF structures. Every write is atomic."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from ase import Atoms
from pydantic import BaseModel

from screening.campaign.labels import formula
from screening.campaign.rows import Ranking
from screening.campaign.score import OBJECTIVES
from screening.chemistry.candidate import Candidate, Defects, Substitution
from screening.config import Settings
from screening.errors import UserError
from screening.files import PARSE_ERRORS, read_received, write_text
from screening.flags import explained

UNIT_OF_SUFFIX = (("_J_m2", "J/m2"), ("_eV_atom", "eV/atom"), ("_eV", "eV"), ("_V", "V"))


def write_ranking(
    folder: Path, ranking: Ranking, *, settings: Settings | None = None, skipped: Iterable[Any] = ()
) -> tuple[Path, Path]:
    """Write ranking.csv and ranking.json into `folder` and return their paths; agreement.csv beside them with DFT.

    In the CSV an absent value is empty, flags are joined by ``;`` and numbers have at most 6 significant digits; the
    JSON keeps types, full precision, units, settings, versions and the skipped candidates.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = ranking.columns()
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_cell(row[name]) for name in names] for row in ranking.flat())
    csv_path, json_path = folder / "ranking.csv", folder / "ranking.json"
    write_text(csv_path, text.getvalue())
    document = ranking_document(ranking, settings=settings, skipped=skipped)
    write_text(json_path, json.dumps(document, indent=2, allow_nan=False) + "\n")
    _write_agreement(folder / "agreement.csv", ranking)
    return csv_path, json_path


def _write_agreement(path: Path, ranking: Ranking) -> None:
    """How well the potential agrees with DFT, a row per column; of a ranking without DFT no such file is left."""
    if not ranking.agreement:
        path.unlink(missing_ok=True)
        return
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    rows = [asdict(a) for a in ranking.agreement]
    writer.writerow(rows[0])
    writer.writerows([_cell(value) for value in row.values()] for row in rows)
    write_text(path, text.getvalue())


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
        "objectives": [asdict(o) for o in OBJECTIVES],
        "ranking_settings": ranking.settings,
        "settings": settings,
        "versions": ranking.versions,
        "skipped": list(skipped),
    }
    if ranking.reference:
        document |= {"reference": ranking.reference, "agreement": ranking.agreement}
    if ranking.correction:
        document["correction"] = ranking.correction
    plain_document: dict[str, Any] = plain(document)
    return plain_document


def unit_of(name: str) -> str | None:
    """Unit that a column name ends with, or None for text, flags, ranks and contents."""
    stem = name.removesuffix("_low").removesuffix("_high")
    return next((unit for suffix, unit in UNIT_OF_SUFFIX if stem.endswith(suffix)), None)


def write_summary(path: Path, **fields: Any) -> dict[str, Any]:
    """Write summary.yaml before a run starts (``status="running"``), and update it when the run ends.

    Keys given here replace those in the file, a key given as None is removed, all others stay. `settings` and
    `candidates` are what `load_run` needs to rank again. Settings, candidates, tuples, paths and NumPy numbers become
    plain YAML.

    Raises
    ------
    UserError
        When the existing file cannot be read.
    """
    current = read_summary_file(path) if path.exists() else {}
    merged = {key: value for key, value in (current | plain(fields)).items() if value is not None}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, yaml.safe_dump(merged, sort_keys=False, allow_unicode=True, width=120))
    return merged


def read_summary_file(path: Path) -> dict[str, Any]:
    """Content of an existing summary.yaml.

    Raises
    ------
    UserError
        When it cannot be read or is not the summary of a run.
    """
    try:
        data = yaml.safe_load(read_received(path))
    except (OSError, *PARSE_ERRORS) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path} cannot be read ({reason}); repair it or use another output folder") from error
    if not isinstance(data, dict):
        raise UserError(f"{path} is not the summary of a run; use another output folder")
    return data


def candidate_to_dict(candidate: Candidate) -> dict[str, Any]:
    """Plain mapping of a candidate, its name and formula first for the reader."""
    return {"name": candidate.name, "formula": formula(candidate), "x": candidate.x, **plain(asdict(candidate))}


def candidate_from_dict(data: Mapping[str, Any]) -> Candidate:
    """Inverse of `candidate_to_dict`.

    Raises
    ------
    UserError
        When the mapping does not describe a candidate.
    """
    try:
        fields = {key: value for key, value in data.items() if key not in ("name", "formula", "x")}
        defects = dict(fields.pop("defects"))
        substitutions = tuple(Substitution(**s) for s in defects.pop("substitutions"))
        return Candidate(defects=Defects(substitutions=substitutions, **defects), **fields)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"the summary does not describe candidate {data.get('name', '?')} completely") from error


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


def plain(value: Any) -> Any:
    """JSON- and YAML-able copy: models and dataclasses as mappings, non-finite numbers as None."""
    if isinstance(value, Candidate):
        return candidate_to_dict(value)
    if isinstance(value, BaseModel):
        return plain(value.model_dump(mode="json"))
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, str | bool | int) or value is None:
        return value
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if isinstance(value, Sequence | set | frozenset):
        return [plain(item) for item in value]
    return str(value)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, float):
        return format(value + 0.0, ".6g")
    if isinstance(value, list | tuple):
        return ";".join(str(item) for item in value)
    return str(value)
