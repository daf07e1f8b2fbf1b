"""summary.yaml: what was asked for, how it ended, and the candidates as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from pydantic import BaseModel

from screening.campaign.ranking.labels import formula
from screening.chemistry.candidate import Candidate, Defects, Substitution
from screening.errors import UserError, first_line
from screening.files import PARSE_ERRORS, read_received, write_text


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
    merged = {key: value for key, value in (current | as_plain_data(fields)).items() if value is not None}
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
        reason = first_line(error)
        raise UserError(f"{path} cannot be read ({reason}); repair it or use another output folder") from error
    if not isinstance(data, dict):
        raise UserError(f"{path} is not the summary of a run; use another output folder")
    return data


def candidate_to_dict(candidate: Candidate) -> dict[str, Any]:
    """Plain mapping of a candidate, its name and formula first for the reader."""
    return {"name": candidate.name, "formula": formula(candidate), "x": candidate.x, **as_plain_data(asdict(candidate))}


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


def as_plain_data(value: Any) -> Any:
    """JSON- and YAML-able copy: models and dataclasses as mappings, non-finite numbers as None."""
    if isinstance(value, Candidate):
        return candidate_to_dict(value)
    if isinstance(value, BaseModel):
        return as_plain_data(value.model_dump(mode="json"))
    if is_dataclass(value) and not isinstance(value, type):
        return as_plain_data(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): as_plain_data(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return as_plain_data(value.tolist())
    if isinstance(value, str | bool | int) or value is None:
        return value
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if isinstance(value, Sequence | set | frozenset):
        return [as_plain_data(item) for item in value]
    return str(value)
