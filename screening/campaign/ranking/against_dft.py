"""What a ranking says of its potential and DFT: where it mixes both, and how often the potential's order was right."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from screening.campaign.ranking.agreement import Agreement, agreement
from screening.campaign.ranking.collect import Collected
from screening.campaign.ranking.labels import y_label
from screening.campaign.ranking.score import active_objectives, utility
from screening.campaign.ranking.sources import CORRECTED, Sources, counts
from screening.quantities import table
from screening.quantities.property import Property


def agreements(
    sources: Sources, candidates: Sequence[str], pristine: str | None, soc: Sequence[float], share: Mapping[str, float]
) -> tuple[Agreement, ...]:
    """The potential's own values against DFT's, column by column, over the candidates that have both.

    A candidate takes part with a value that both converged to; in the worst one over states of charge when it has DFT
    at all of them, and in the score (first, where the pristine host has one) when it has DFT for all that is ranked.

    Parameters
    ----------
    share
        Output of `active_weights`.
    """
    if not sources.reference:
        return ()
    found = _of_the_score(sources, candidates, pristine, soc, share)
    for entry in (entry for entry in table.PROPERTIES if entry.better is not None):
        for name, labels in _columns(entry, soc):
            pairs = [p for p in (_both(sources, c, entry, labels) for c in candidates) if p is not None]
            if pairs:
                found.append(agreement(name, [a for a, _ in pairs], [b for _, b in pairs], sign=entry.sign))
    return tuple(found)


def _of_the_score(
    sources: Sources, candidates: Sequence[str], pristine: str | None, soc: Sequence[float], share: Mapping[str, float]
) -> list[Agreement]:
    points: dict[str, list[tuple[float, float]]] = {}
    entries = [entry for entry in table.ranked() if entry.name in share]
    for name in candidates:
        pairs = [_both(sources, name, entry, next(_columns(entry, soc))[1]) for entry in entries]
        if all(pair is not None for pair in pairs):
            points[name] = [pair for pair in pairs if pair is not None]
    if pristine is None or pristine not in points or len(points) < 2:
        return []
    scores = []
    for side in (0, 1):
        utilities = {n: float(utility(np.array([p[side] for p in pairs]), share)) for n, pairs in points.items()}
        scores.append([utilities[n] - utilities[pristine] for n in points])
    return [agreement("score", *scores, sign=1)]


def _columns(entry: Property, soc: Sequence[float]) -> Iterator[tuple[str, list[str]]]:
    labels = [y_label(y) for y in soc] if entry.per_y else [""]
    yield entry.column(), labels
    if entry.per_y:
        for label in labels:
            yield entry.column(label), [label]


def _both(sources: Sources, candidate: str, entry: Property, labels: Sequence[str]) -> tuple[float, float] | None:
    sides: list[float] = []
    for records in (sources.potential, sources.dft):
        own = [records.get((candidate, entry.name, label)) for label in labels]
        values = [r.value for r in own if r is not None and counts(r) and r.value is not None]
        if not labels or len(values) < len(labels) or not all(map(math.isfinite, values)):
            return None
        sides.append(entry.worst(values))
    return sides[0], sides[1]


def mixed_notes(sources: Sources, share: Mapping[str, float], collected: Sequence[Collected]) -> list[str]:
    """A sentence per ranked objective whose values are not all of one kind, or are corrected.

    Parameters
    ----------
    collected
        The candidates that can be ranked.
    """
    notes = []
    for objective in active_objectives(share):
        origins = [c.origins.get(objective.name) for c in collected]
        by_dft, corrected, total = origins.count(sources.word), origins.count(CORRECTED), len(origins)
        if sources.reference and 0 < by_dft < total:
            some = (
                f"{objective.name}: {by_dft} of {total} candidates by {sources.reference}, the others by {sources.base}"
            )
            if corrected == total - by_dft:
                notes.append(f"{some}, corrected by {_correction(sources, objective.name)}")
            else:
                notes.append(f"{some}: two scales are compared; a correction (--correction) would put them on one")
        elif corrected:
            notes.append(f"{objective.name}: {sources.base} corrected by {_correction(sources, objective.name)}")
    return notes


def _correction(sources: Sources, prop: str) -> str:
    assert sources.correction is not None
    line = sources.correction.lines[prop]
    text = (
        f"{sources.correction.name} ({len(line.pairs)} pairs; mean error {line.raw_error:.3g} {line.unit} without it, "
        f"{line.left_out_error:.3g} on pairs left out)"
    )
    return text if line.helps else f"{text}, which does not help on these"
