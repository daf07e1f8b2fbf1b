"""What a record or a job says of itself: dataclasses that their writer and their readers share, and plain data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import Field, fields
from functools import cache
from typing import Any, ClassVar, Self, get_type_hints

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

UNSAID = {"unsaid": True}
"""Metadata of a field that is left out of the plain data while it is None; others are written as null."""


class Details:
    """Base of dataclasses that are stored as JSON, in the order of their fields.

    A field whose key is no Python name is ``Annotated[..., Field(alias="from")]``. What an earlier version did not
    write has a default, usually None; what is there must be of the field's type. Keys without a field are passed over,
    because an earlier version may have had one.
    """

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def to_details(self) -> dict[str, Any]:
        """Plain data: dicts, lists, numbers, texts."""
        said: dict[str, Any] = {}
        kind: Any = type(self)
        for item, key in zip(fields(self), _keys(kind), strict=True):
            value = getattr(self, item.name)
            if value is not None or not item.metadata.get("unsaid"):
                said[key] = _plain(value)
        return said

    @classmethod
    def from_details(cls, data: Mapping[str, Any]) -> Self:
        """Inverse of `to_details`.

        Raises
        ------
        ValueError
            Says what should stand where, in words that a sentence can go on with.
        """
        kind: Any = cls
        try:
            text = json.dumps(data, default=_as_list)
        except TypeError as error:
            raise ValueError(f"it is no plain data ({error})") from error
        try:
            found: Self = _adapter(kind).validate_json(text, strict=True)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(map(str, first["loc"])) or "all of it"
            if first["type"] == "missing":
                raise ValueError(f"it does not say {place}") from error
            if first["type"] in ("too_short", "too_long"):
                raise ValueError(f"{place} has {first['ctx']['actual_length']} items, too many or too few") from error
            reason = str(first["msg"]).removeprefix("Input ")
            raise ValueError(f"{place} {reason}, not {str(first['input'])[:40]!r}") from error
        return found


_NESTED = (Details, Mapping, list, tuple)


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


@cache
def _keys(kind: Any) -> list[str]:
    """Key of each field of a dataclass in the plain data."""
    hints = get_type_hints(kind, include_extras=True)
    return [_alias(hints[item.name]) or item.name for item in fields(kind)]


def _alias(hint: Any) -> str | None:
    return next((m.alias for m in getattr(hint, "__metadata__", ()) if isinstance(m, FieldInfo)), None)


def _plain(value: Any) -> Any:
    if isinstance(value, Details):
        return value.to_details()
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, tuple) or (isinstance(value, list) and any(isinstance(v, _NESTED) for v in value)):
        return [_plain(inner) for inner in value]
    return value  # a list of plain values is handed on itself: YAML marks one that several jobs share


def _as_list(value: Any) -> Any:
    """NumPy's numbers and arrays, which a record holds until it was stored."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"a {type(value).__name__} cannot be stored")
