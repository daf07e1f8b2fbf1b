"""A line from pairs of a potential's and DFT's values of one property, and its error on pairs that it does not know."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from screening.errors import UserError

MIN_PAIRS = 2
MIN_PAIRS_WITH_OFFSET = 4


@dataclass(frozen=True, kw_only=True)
class Pair:
    """The potential's and DFT's value of one quantity; `source` names the settings or files of the DFT value."""

    candidate: str
    mlip: float
    dft: float
    y: float | None = None
    source: str = ""


@dataclass(frozen=True, kw_only=True)
class Line:
    """``dft = slope * mlip + offset`` of one property.

    Attributes
    ----------
    raw_error, fit_error, left_out_error
        Mean absolute differences (in `unit`) from DFT: of the potential's own values, of the fitted line, and of each
        pair from the line through all others. The last one is what to expect of a new candidate.
    """

    quantity: str
    unit: str
    slope: float
    offset: float
    pairs: tuple[Pair, ...]
    raw_error: float
    fit_error: float
    left_out_error: float

    @property
    def helps(self) -> bool:
        """Whether pairs that the line does not know come out better than uncorrected ones."""
        return self.left_out_error < self.raw_error

    def apply(self, value: float) -> float:
        return self.slope * value + self.offset


def fit_line(prop: str, unit: str, pairs: Sequence[Pair]) -> Line:
    """Least squares through the origin, or with an offset where that predicts left-out pairs better.

    Raises
    ------
    UserError
        For fewer than two pairs, or when the values do not rise together.
    """
    if len(pairs) < MIN_PAIRS:
        raise UserError(f"a correction of {prop} needs at least {MIN_PAIRS} pairs, not {len(pairs)}.")
    # one order for one sum: the same pairs give the same digits whoever lists them
    ordered = sorted(pairs, key=lambda p: (p.candidate, -1.0 if p.y is None else p.y, p.mlip, p.dft))
    x, y = np.array([p.mlip for p in ordered]), np.array([p.dft for p in ordered])
    forms = [False, *([True] if len(pairs) >= MIN_PAIRS_WITH_OFFSET and np.ptp(x) > 1e-6 else [])]
    left_out = {form: _left_out(x, y, with_offset=form) for form in forms}
    best = min(forms, key=lambda form: left_out[form])
    slope, offset = _least_squares(x, y, with_offset=best)
    if not math.isfinite(slope) or slope <= 0:
        raise UserError(
            f"the potential's {prop} does not rise with DFT's (slope {slope:.2f}); a line cannot correct it."
        )
    return Line(
        quantity=prop,
        unit=unit,
        slope=slope,
        offset=offset,
        pairs=tuple(ordered),
        raw_error=float(np.abs(x - y).mean()),
        fit_error=float(np.abs(slope * x + offset - y).mean()),
        left_out_error=left_out[best],
    )


def _least_squares(x: np.ndarray, y: np.ndarray, *, with_offset: bool) -> tuple[float, float]:
    if with_offset:
        spread = x - x.mean()
        slope = float(spread @ (y - y.mean()) / (spread @ spread)) if spread @ spread > 0 else math.nan
        return slope, float(y.mean() - slope * x.mean())
    return (float(x @ y / (x @ x)) if x @ x > 0 else math.nan), 0.0


def _left_out(x: np.ndarray, y: np.ndarray, *, with_offset: bool) -> float:
    """Mean absolute error of each pair from the line through all others."""
    errors = []
    for k in range(len(x)):
        slope, offset = _least_squares(np.delete(x, k), np.delete(y, k), with_offset=with_offset)
        errors.append(abs(slope * x[k] + offset - y[k]))
    mean = float(np.mean(errors))
    return mean if math.isfinite(mean) else math.inf
