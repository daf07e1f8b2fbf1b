"""What all settings have in common: how what a user typed is turned into values, whichever file it came from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

from screening.typed.values import check_number


class Section(BaseModel):
    """Frozen settings without unknown keys; every number is finite."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _as_meant(cls, value: Any, info: ValidationInfo) -> Any:
        """Truth values are no numbers, numbers in quotes are, and lists name nothing twice."""
        kinds = _kinds(cls.model_fields[str(info.field_name)].annotation)
        return _checked(value, kinds) if kinds & {int, float} or list in kinds else value


def _kinds(annotation: Any) -> set[Any]:
    """Plain types that an annotation is made of: of ``list[tuple[int, int]] | None`` list, tuple, int and NoneType."""
    parts = get_args(annotation)
    origin = getattr(annotation, "__origin__", None)
    return {annotation if origin is None else origin}.union(*(_kinds(part) for part in parts if not _is_value(part)))


def _is_value(part: Any) -> bool:
    return isinstance(part, str | int | float) or (not hasattr(part, "__mro__") and not get_args(part))


def _checked(value: Any, kinds: set[Any]) -> Any:
    if isinstance(value, bool) and kinds & {int, float} and bool not in kinds:
        raise ValueError("a number belongs here, not true or false")
    if isinstance(value, str) and kinds & {int, float} and str not in kinds:
        return check_number(value)
    if isinstance(value, list):
        items = [_checked(item, kinds - {list}) for item in value]
        if list in kinds and (twice := [item for n, item in enumerate(items) if item in items[:n]]):
            raise ValueError(f"{twice[0]!r} is given twice; give each once")
        return items
    if isinstance(value, Mapping):
        return {key: _checked(item, kinds) for key, item in value.items()}
    return value
