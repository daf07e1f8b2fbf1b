"""A record: one computed value of one property of one candidate, with everything needed to trust or redo it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from screening.engine.tasks import Result

VERSIONED = ("coatscreen", "torch", "ase", "pymatgen", "chgnet", "sevenn")


def package_versions() -> dict[str, str]:
    """Versions of the packages that decide a number."""
    found = {}
    for name in VERSIONED:
        try:
            found[name] = version(name)
        except ModuleNotFoundError:
            continue
    return found


@dataclass(frozen=True, kw_only=True)
class Record:
    """See design section 1. `value` is None where the quantity does not exist (for example an empty window).

    Attributes
    ----------
    interval
        (low, high) of `value` in `unit`, or None when only one sample exists.
    structure
        Keys of the engine results the value was computed from.
    details
        Everything a reader needs to see why the value is what it is (JSON-able).
    """

    candidate: str
    property: str
    value: float | None
    unit: str
    fidelity: str
    converged: bool
    potential: str
    checkpoint_sha256: str
    recipe_hash: str = ""
    interval: tuple[float, float] | None = None
    fmax: float | None = None
    n_steps: int = 0
    n_force_calls: int = 0
    wall_s: float = 0.0
    structure: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    failure: str | None = None
    details: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=package_versions)
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Record:
        data = dict(data)
        for name in ("structure", "flags"):
            data[name] = tuple(data.get(name) or ())
        if data.get("interval") is not None:
            low, high = data["interval"]
            data["interval"] = (low, high)
        return cls(**data)


@dataclass(frozen=True)
class Fidelity:
    """Which potential a value comes from; `name` is the record's fidelity, for example ``mlip:chgnet``."""

    potential: str
    checkpoint_sha256: str

    @property
    def name(self) -> str:
        return f"mlip:{self.potential}"


def record_from(
    candidate: str,
    prop: str,
    value: float | None,
    unit: str,
    *,
    fidelity: Fidelity,
    results: Sequence[Result],
    **fields: Any,
) -> Record:
    """Build a record whose effort, convergence and structures come from the engine results it was computed from.

    Parameters
    ----------
    results
        Every engine result the value depends on; the record is converged when all of them are.
    **fields
        Any other field of `Record`; `converged` given here is combined with the results' own.
    """
    converged = bool(fields.pop("converged", True)) and all(r.converged and r.failure is None for r in results)
    keys = tuple(r.key for r in results)
    # y tells two states of charge apart that failed before any result existed
    source = json.dumps([candidate, prop, fidelity.name, fields.get("details", {}).get("y"), *keys])
    return Record(
        candidate=candidate,
        property=prop,
        value=value,
        unit=unit,
        fidelity=fidelity.name,
        potential=fidelity.potential,
        checkpoint_sha256=fidelity.checkpoint_sha256,
        converged=converged,
        fmax=max((r.fmax for r in results), default=None),
        n_steps=sum(r.n_steps for r in results),
        n_force_calls=sum(r.n_force_calls for r in results),
        wall_s=sum(r.wall_s for r in results),
        structure=keys,
        recipe_hash=hashlib.sha256(source.encode()).hexdigest()[:24],
        **fields,
    )
