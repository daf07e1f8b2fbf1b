"""How often a potential's order of candidates is that of DFT."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

MIN_CANDIDATES = 3
"""Below this many candidates an order says nothing: two are in the right one by chance half of the time."""

MAX_TOP = 3


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """The potential against DFT in one column over the candidates that have both.

    Attributes
    ----------
    column
        Column of the ranking, its unit at the end.
    n
        Candidates with both values. All the following are None when there are fewer than three.
    spearman, kendall
        Rank correlations (Kendall's tau-b, which corrects for ties); None also when one side has only equal values.
    pairs_in_order
        Share of the pairs of candidates that the potential orders as DFT does; pairs equal in DFT are left out.
    top, top_agreement
        The best `top` candidates (half of them, three at most), and the share of DFT's that the potential also has.
    mean_signed_difference
        Mean of potential minus DFT, in the column's unit; stated for any n above 0.
    """

    column: str
    n: int
    mean_signed_difference: float | None
    spearman: float | None = None
    kendall: float | None = None
    pairs_in_order: float | None = None
    top: int | None = None
    top_agreement: float | None = None


def agreement(column: str, potential: Sequence[float], dft: Sequence[float], *, sign: int) -> Agreement:
    """Compare both orders.

    Parameters
    ----------
    potential, dft
        (n,) values of the same candidates, in the column's unit.
    sign
        +1 when a larger value is better, -1 when a smaller one is.
    """
    from scipy.stats import kendalltau, spearmanr

    one, two = np.asarray(potential, dtype=float), np.asarray(dft, dtype=float)
    n = len(two)
    difference = float((one - two).mean()) if n else None
    if n < MIN_CANDIDATES:
        return Agreement(column=column, n=n, mean_signed_difference=difference)
    varied = np.ptp(one) > 0 and np.ptp(two) > 0
    top = min(MAX_TOP, max(1, n // 2))
    best_one, best_two = (set(np.argsort(-sign * values, kind="stable")[:top]) for values in (one, two))
    decided = [(i, j) for i, j in combinations(range(n), 2) if two[i] != two[j]]
    right = sum((one[i] - one[j]) * (two[i] - two[j]) > 0 for i, j in decided)
    return Agreement(
        column=column,
        n=n,
        mean_signed_difference=difference,
        spearman=float(spearmanr(one, two).statistic) if varied else None,
        kendall=float(kendalltau(one, two).statistic) if varied else None,
        pairs_in_order=right / len(decided) if decided else None,
        top=top,
        top_agreement=len(best_one & best_two) / top,
    )
