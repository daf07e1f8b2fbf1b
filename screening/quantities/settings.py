"""Weights and thresholds of a ranking as settings, which are made from the table of properties."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import Field, create_model, field_validator

from screening.errors import UserError
from screening.names import nearest
from screening.quantities import table
from screening.typed.section import Section

MAX_WEIGHT = 1e6

S = TypeVar("S", bound=Section)


def _with_thresholds(section: type[S]) -> type[S]:
    """The section with a field for every threshold of the table of properties, ``max_e_above_hull`` and the like."""
    fields: dict[str, Any] = {
        entry.limit: (float | None, Field(None, description=entry.limit_help)) for entry in table.with_threshold()
    }
    return create_model(
        section.__name__, __base__=section, __module__=section.__module__, __doc__=section.__doc__, **fields
    )


@_with_thresholds
class RankingSettings(Section):
    """Weights of the score, and optional thresholds that remove a candidate; a weight not named is 1."""

    weights: dict[str, float] = Field(default_factory=lambda: {entry.name: 1.0 for entry in table.ranked()})

    @field_validator("weights")
    @classmethod
    def _weights(cls, weights: dict[str, float]) -> dict[str, float]:
        check_weights(weights)
        return weights


def check_weights(weights: Mapping[str, float]) -> None:
    """Refuse weights without a meaning, wherever they were typed. 0 leaves an objective out; one not named weighs 1.

    Raises
    ------
    ValueError
        For an unknown objective, a weight that is no number of 0 or more, or no positive weight at all.
    """
    objectives = [entry.name for entry in table.ranked()]
    for name, weight in weights.items():
        if name not in objectives:
            raise ValueError(f"unknown objective {name!r} in the weights; {nearest(name, objectives)}")
        if not 0 <= weight <= MAX_WEIGHT:
            raise ValueError(f"the weight of {name} is {weight:g}; use a number of 0 or more, at most {MAX_WEIGHT:.0f}")
    if not any(weights.get(name, 1.0) for name in objectives):
        raise ValueError("all weights are 0; give at least one objective a positive weight")


def check_threshold(name: str, value: float, where: str) -> None:
    """Refuse a threshold that removes every candidate by its sign. Stored runs are not asked.

    Raises
    ------
    UserError
        Names the threshold as `where`.
    """
    for entry in table.with_threshold():
        if entry.limit == name and (reason := entry.nonsense(value)):
            raise UserError(f"{where} is {value:g}: {reason}.")
