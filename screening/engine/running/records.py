"""A record: one computed value of one property of one candidate, with everything needed to trust or redo it."""

from __future__ import annotations

import builtins
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, TypeVar

from screening.engine.running.parts import BY_POSITION, Parts
from screening.engine.tasks import Result
from screening.errors import UserError
from screening.fidelity import Fidelity
from screening.potentials.families.table import SHIPPING
from screening.typed.details import Details

P = TypeVar("P", bound=Parts[str])
D = TypeVar("D", bound=Details)

RecordKey = tuple[str, str, str]
"""Candidate, property, y label (``"y0.333"``; empty for a property without y)."""

VERSIONED = ("coatscreen", "torch", "ase", "pymatgen", *SHIPPING)


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
class MlipValue(Details):
    """A potential's value of the structures of a DFT record, in the record's unit."""

    fidelity: str | None = None
    value: float | None = None


@dataclass(frozen=True, kw_only=True)
class Record:
    """What is known of one property of one candidate by one fidelity, converged or not.

    `value` is None where the quantity does not exist (for example an empty window).

    Attributes
    ----------
    interval
        (low, high) of `value` in `unit`, or None when only one sample exists.
    structure
        Keys of the engine results the value was computed from, by their role (see `Parts`); those of a record from
        before roles were stored have the role `BY_POSITION`.
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
    structure: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    failure: str | None = None
    details: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=package_versions)
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    @builtins.property  # `property` is a field here
    def y(self) -> float | None:
        """State of charge (Li per cathode formula unit) of a value that there is one of at each; None otherwise."""
        y = self.details.get("y")
        if y is not None and (isinstance(y, bool) or not isinstance(y, int | float)):
            raise self.unfit(f"has no number but {y!r} as its y")
        return None if y is None else float(y)

    @builtins.property
    def mlip(self) -> MlipValue | None:
        """Of a DFT record: what the potential says of the very structures that DFT was asked about."""
        return self._said(MlipValue, self.details["mlip"]) if self.details.get("mlip") else None

    def parts(self, kind: type[P]) -> P:
        """The keys it rests on by their roles, for example ``record.parts(AdhesionParts[str]).coating``.

        Raises
        ------
        UserError
            When it rests on other structures than a record of this kind.
        """
        try:
            return kind.read(self.structure, self.details)
        except ValueError as error:
            raise self.unfit(f"does not rest on what such a record rests on ({error})") from error

    def said(self, kind: type[D]) -> D:
        """Its details as the dataclass that they were written from, for example ``record.said(AdhesionDetails).area``.

        Raises
        ------
        UserError
            When they are not those of such a record.
        """
        return self._said(kind, self.details)

    def unfit(self, reason: str) -> UserError:
        """The error of a record that cannot be used; `reason` goes on from "the record of ..."."""
        return UserError(
            f"the record of {self.property} of {self.candidate} {reason}; put a backup of its store in place, or "
            "screen into a new folder"
        )

    def _said(self, kind: type[D], data: Mapping[str, Any]) -> D:
        try:
            return kind.from_details(data)
        except ValueError as error:
            raise self.unfit(f"has details that cannot be read: {error}") from error

    def to_dict(self) -> dict[str, Any]:
        """Plain data; keys without roles are the list that they were read from."""
        data = asdict(self)
        data["structure"] = self.structure.get(BY_POSITION, data["structure"])
        return data

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Record:
        """Inverse of `to_dict`.

        Raises
        ------
        ValueError
            When its structures are no keys.
        """
        data = dict(data)
        data["structure"] = _by_role(data.get("structure"))
        data["flags"] = tuple(data.get("flags") or ())
        if data.get("interval") is not None:
            low, high = data["interval"]
            data["interval"] = (low, high)
        return cls(**data)


def _by_role(stored: Any) -> dict[str, tuple[str, ...]]:
    """Keys by role from what a store holds: a mapping, or the list of earlier versions."""
    roles = stored if isinstance(stored, dict) else {BY_POSITION: stored} if stored else {}
    for role, keys in roles.items():
        if not isinstance(keys, list | tuple) or not all(isinstance(key, str) for key in keys):
            raise ValueError(f"the structures of a record are texts in lists, not {keys!r} ({role or 'without role'})")
    return {role: tuple(keys) for role, keys in roles.items()}


@dataclass(frozen=True)
class PotentialId:
    """Which potential a value comes from, to the very weights.

    Attributes
    ----------
    name
        As the user gives it: ``chgnet``, ``sevennet-mf-0:PBE``, ``models/NAME``.
    checkpoint_sha256
        Of its weights; two checkpoints of one name share the fidelity of their records and nothing else.
    """

    name: str
    checkpoint_sha256: str

    @property
    def fidelity(self) -> str:
        """What the records of its values state, for example ``mlip:chgnet``."""
        return str(Fidelity(potential=self.name))


def record_from(
    candidate: str,
    prop: str,
    value: float | None,
    unit: str,
    *,
    potential_id: PotentialId,
    results: Parts[Result] | None,
    **fields: Any,
) -> Record:
    """Build a record whose effort, convergence and structures come from the engine results it was computed from.

    Parameters
    ----------
    results
        Every engine result the value depends on, by role; the record is converged when all of them are. None where
        it failed before there was any.
    **fields
        Any other field of `Record`; `converged` given here is combined with the results' own, and `details` may be the
        dataclass that they are written from.
    """
    details = fields.pop("details", {})
    if isinstance(details, Details):
        details = details.to_details()
    by_role = {} if results is None else results.by_role()
    used = [result for role in by_role.values() for result in role]
    converged = bool(fields.pop("converged", True)) and all(r.converged and r.failure is None for r in used)
    keys = [r.key for r in used]
    # y tells two states of charge apart that failed before any result existed
    source = json.dumps([candidate, prop, potential_id.fidelity, details.get("y"), *keys])
    return Record(
        candidate=candidate,
        property=prop,
        value=value,
        unit=unit,
        fidelity=potential_id.fidelity,
        potential=potential_id.name,
        checkpoint_sha256=potential_id.checkpoint_sha256,
        converged=converged,
        fmax=max((r.fmax for r in used), default=None),
        n_steps=sum(r.n_steps for r in used),
        n_force_calls=sum(r.n_force_calls for r in used),
        wall_s=sum(r.wall_s for r in used),
        structure={role: tuple(r.key for r in these) for role, these in by_role.items()},
        recipe_hash=hashlib.sha256(source.encode()).hexdigest()[:24],
        details=details,
        **fields,
    )
