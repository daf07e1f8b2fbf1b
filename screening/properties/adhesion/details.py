"""What a record of adhesion holds, for its writer and its readers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from screening.engine.running.parts import Parts

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class AdhesionParts(Parts[T], Generic[T]):
    """What a value of adhesion at one y rests on.

    Attributes
    ----------
    interfaces, substrates
        One per vacancy order, in the order of the record's details.
    coating
        The coating slab that the value is counted from: as it came off the interface, for ``work_of_adhesion_eq`` the
        lowest arrangement of all.
    """

    interfaces: tuple[T, ...]
    substrates: tuple[T, ...]
    coating: T

    @classmethod
    def by_position(cls, keys: Sequence[str], details: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
        """The interfaces of all vacancy orders, then their substrates, then the coating."""
        n, odd = divmod(len(keys), 2)
        if not odd:
            raise ValueError(f"{len(keys)} structures in place of an interface and a substrate per order and a coating")
        return {"interfaces": tuple(keys[:n]), "substrates": tuple(keys[n:-1]), "coating": tuple(keys[-1:])}


@dataclass(frozen=True, kw_only=True)
class SegregationParts(Parts[T], Generic[T]):
    """What the segregation energy rests on: the lowest placement away from the contact and the lowest one at it."""

    inner: T
    contact: T
