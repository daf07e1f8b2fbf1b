"""Follow a saddle downhill, to see which minimum it leads to."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
from numpy.typing import NDArray

from screening.engine.optimizers import Descent
from screening.engine.paths.path import Ends, Sample
from screening.engine.paths.saddle import Saddle
from screening.engine.springs import model_solver

Array = NDArray[np.float64]

FIRST_STEP = 0.3
"""A, longest displacement of an atom with which the saddle is left."""
MAX_STEP = 0.2
LOOSE = 0.15
"""eV/A. What lies downhill is a stage of the path, its energy is no reference: this is tight enough."""
MAX_CALLS = 30
SAME = 0.5
"""A. Structures in which no atom moves farther lie in one minimum."""


def slide_down(ends: Ends, saddle: Saddle, *, sign: float) -> Generator[list[Array], list[Sample], list[Sample]]:
    """Relax loosely from a saddle, left along its mode times `sign`.

    Returns
    -------
    list of Sample
        What was passed, in order of falling energy, the lowest last.
    """
    descent = Descent(limits=np.full(len(ends.free), MAX_STEP))
    x = saddle.sample.positions + sign * FIRST_STEP * saddle.mode
    passed: list[Sample] = []
    for _ in range(MAX_CALLS):
        (sample,) = yield [x]
        if not passed or sample.energy < passed[-1].energy:
            passed.append(sample)
        if sample.fmax <= LOOSE:
            break
        x = descent.next(x, sample.energy, sample.forces, lambda at: model_solver(ends.placed(at), ends.free, None))
    return passed


def same_minimum(a: Sample, b: Sample) -> bool:
    """Whether no atom moves farther than SAME between two structures."""
    return float(np.linalg.norm(a.positions - b.positions, axis=1).max()) < SAME
