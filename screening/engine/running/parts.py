"""The results that a value was computed from, each in its role: the interface, the slabs, the ends of a hop.

A property declares its roles once, in a dataclass of its own room that derives from `Parts`: its writer fills it with
results (`record_from`), whoever reads the record gets their keys back under the same names (`Record.parts`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Generic, Self, TypeVar, get_origin, get_type_hints

T = TypeVar("T")

BY_POSITION = ""
"""Role of all keys of a record from before roles were stored; its property knows what stands where."""


@dataclass(frozen=True, kw_only=True)
class Parts(Generic[T]):
    """Base of the roles of a property; a field is ``T`` (exactly one) or ``tuple[T, ...]`` (any number).

    T is `Result` where a record is written and ``str``, the key of a result, where it is read. The order of the fields
    is that of the keys in the record's recipe, so it never changes.
    """

    def by_role(self) -> dict[str, tuple[T, ...]]:
        """Role to what has it, in order; roles that nothing has are left out."""
        found: dict[str, tuple[T, ...]] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            found[field.name] = value if isinstance(value, tuple) else (value,)
        return {role: values for role, values in found.items() if values}

    @classmethod
    def read(cls, structure: Mapping[str, tuple[str, ...]], details: Mapping[str, Any]) -> Self:
        """The roles of a record from its `structure`, see `Record.parts`.

        Raises
        ------
        ValueError
            When it rests on other structures than a record of this kind.
        """
        if BY_POSITION in structure:
            structure = cls.by_position(structure[BY_POSITION], details)
        hints = get_type_hints(cls)
        roles = [field.name for field in fields(cls)]
        if unknown := [role for role in structure if role not in roles]:
            raise ValueError(f"{unknown[0]!r} is none of its roles: {', '.join(roles)}")
        values: dict[str, Any] = {}
        for role in roles:
            keys = structure.get(role, ())
            if get_origin(hints[role]) is tuple:
                values[role] = keys
            elif len(keys) == 1:
                values[role] = keys[0]
            else:
                raise ValueError(f"{len(keys) or 'nothing'} is stored as its {role}, where one structure belongs")
        return cls(**values)

    @classmethod
    def by_position(cls, keys: Sequence[str], details: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
        """Roles of the keys of a record that was stored before roles were: here one key for each role, in order.

        Parameters
        ----------
        details
            Those of the record.

        Raises
        ------
        ValueError
            When the number of keys does not fit.
        """
        roles = [field.name for field in fields(cls)]
        if len(keys) != len(roles):
            raise ValueError(f"{len(keys)} structures in place of {', '.join(roles)}")
        return {role: (key,) for role, key in zip(roles, keys, strict=True)}
