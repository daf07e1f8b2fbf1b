"""The documented score and the non-dominated sorting behind the ranking.

score = sum_i w_i * improvement_i / scale_i / sum_i w_i

over the ranked properties i (`screening.quantities.table`), where improvement_i is the gain over the pristine host
computed with the same settings (a larger work of adhesion is a gain, a smaller barrier is one). The pristine host
scores exactly 0, +1 means "on average one scale better than the pristine host". The scales are fixed physical
quantities and not the spread of the batch, so that adding or removing candidates never changes a score.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from screening.errors import UserError
from screening.quantities.settings import check_weights
from screening.quantities.table import ranked


@dataclass(frozen=True, kw_only=True)
class Objective:
    """One ranked property.

    Attributes
    ----------
    sign
        +1 when larger is better, -1 when smaller is better.
    scale
        Difference that counts as one unit of score, in `unit`.
    why
        Where the scale comes from.
    """

    name: str
    sign: int
    scale: float
    unit: str
    why: str


def objectives() -> tuple[Objective, ...]:
    """The ranked properties, in the order of their table."""
    return tuple(
        Objective(name=entry.name, sign=entry.sign, scale=entry.score.scale, unit=entry.unit, why=entry.score.why)
        for entry in ranked()
        if entry.score is not None
    )


def active_weights(weights: Mapping[str, float]) -> dict[str, float]:
    """Weights normalised to a sum of 1, objectives of weight 0 left out; one not named weighs 1 before normalisation.

    Raises
    ------
    UserError
        See `quantities.settings.check_weights`.
    """
    try:
        check_weights(weights)
    except ValueError as error:
        raise UserError(f"{error}.") from error
    chosen = {o.name: float(weights.get(o.name, 1.0)) for o in objectives()}
    total = sum(chosen.values())
    return {name: weight / total for name, weight in chosen.items() if weight > 0}


def active_objectives(share: Mapping[str, float]) -> list[Objective]:
    """Objectives named in `share`, the output of `active_weights`, in the order of `objectives`."""
    return [o for o in objectives() if o.name in share]


def utility(values: np.ndarray, share: Mapping[str, float]) -> np.ndarray:
    """Weighted sum of the objectives in units of their scales, larger is better.

    Parameters
    ----------
    values
        (..., M) values of the M active objectives, each in its own unit.
    share
        Output of `active_weights`.

    Returns
    -------
    numpy.ndarray
        (...); the score of a candidate is its utility minus that of the pristine host, so that ordering by utility
        and ordering by score are the same.
    """
    factors = [o.sign * share[o.name] / o.scale for o in active_objectives(share)]
    return np.asarray(values, dtype=float) @ np.array(factors)


def fronts(costs: np.ndarray) -> np.ndarray:
    """Non-dominated sorting (Deb et al. 2002, doi:10.1109/4235.996017).

    Parameters
    ----------
    costs
        (N, M), all to be minimised, finite.

    Returns
    -------
    numpy.ndarray
        (N,) front of each row, 1 = non-dominated. A row dominates another when it is nowhere larger and somewhere
        smaller; equal rows do not dominate each other.
    """
    costs = np.asarray(costs, dtype=float)
    n = len(costs)
    no_worse: np.ndarray = np.all(costs[:, None, :] <= costs[None, :, :], axis=2)
    dominates = no_worse & ~no_worse.T
    front = np.zeros(n, dtype=int)
    left = np.ones(n, dtype=bool)
    level = 0
    while left.any():
        level += 1
        current = left & ~dominates[left].any(axis=0)
        front[current] = level
        left &= ~current
    return front


def order(values: np.ndarray, share: Mapping[str, float]) -> tuple[np.ndarray, np.ndarray]:
    """Front and rank of each candidate; rank orders by front, then by score, then by position.

    Parameters
    ----------
    values
        (N, M) values of the active objectives.
    share
        Output of `active_weights`.

    Returns
    -------
    front, rank
        (N,) each, both counted from 1.
    """
    signs = np.array([o.sign for o in active_objectives(share)])
    front = fronts(-signs * np.asarray(values, dtype=float))
    sequence = np.lexsort((np.arange(len(front)), -utility(values, share), front))
    rank = np.empty(len(front), dtype=int)
    rank[sequence] = np.arange(1, len(front) + 1)
    return front, rank
