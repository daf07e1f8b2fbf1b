"""What a record of a migration barrier holds, for its writer and its readers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from screening.engine.running.parts import Parts

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class MigrationParts(Parts[T], Generic[T]):
    """What a barrier rests on.

    Attributes
    ----------
    ends
        Relaxed end points by site; the doped cell, which is one where its own vacancy moves, has its own record.
    bands
        One per hop that gave a barrier, in the order of the record's details.
    """

    ends: tuple[T, ...]
    bands: tuple[T, ...]

    @classmethod
    def by_position(cls, keys: Sequence[str], details: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
        """The end points, then as many bands as hops were used."""
        n = len(keys) - sum(bool(hop["used"]) for hop in details["hops"])
        if n < 0:
            raise ValueError(f"{len(keys)} structures of {len(keys) - n} hops that were used")
        return {"ends": tuple(keys[:n]), "bands": tuple(keys[n:])}
