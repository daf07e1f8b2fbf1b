"""The ranking: one row per candidate, ordered by Pareto front and score, with nothing ranked silently.

A candidate has a rank only when every objective is there, converged and (for adhesion) unreacted, and no threshold
removes it. All others are listed after the ranked ones with an empty rank and a flag that says why.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from screening.campaign.ranking.against_dft import agreements, mixed_notes
from screening.campaign.ranking.collect import Collected, collect, extra_properties
from screening.campaign.ranking.labels import dopant_label, formula, site_label
from screening.campaign.ranking.rows import Ranking, Row
from screening.campaign.ranking.score import active_objectives, active_weights, order, utility
from screening.campaign.ranking.sources import sources_of
from screening.chemistry.candidate import Candidate
from screening.engine.running.records import Record
from screening.flags import flag
from screening.quantities import table
from screening.quantities.settings import RankingSettings
from screening.retraining.softening import Softening


def rank(
    records: Sequence[Record],
    candidates: Sequence[Candidate],
    soc: Sequence[float],
    settings: RankingSettings,
    *,
    fidelity: str | None = None,
    correction: Softening | None = None,
    seed: int = 0,
    n_resamples: int = 500,
) -> Ranking:
    """Rank the candidates from their records.

    Parameters
    ----------
    records
        All records of the store; those of other candidates are ignored and the newest of each property counts.
    candidates
        One row each; the pristine host among them is the reference of the score.
    soc
        States of charge of the campaign, Li per cathode formula unit; the ranked adhesion is the worst of them.
    settings
        Weights and thresholds. An objective of weight 0 takes no part in the sorting and need not be there.
    fidelity
        ``"mlip:chgnet"`` ranks the potential's values alone, ``"dft:vasp-pbe+u:kim2026"`` lets these replace the
        potential's where they exist. Needed only when the records hold several potentials or several kinds of DFT.
    correction
        Puts the potential's values on the DFT scale where there is no DFT value.
    n_resamples
        Draws for `rank_interval` and `score_interval`.

    Raises
    ------
    UserError
        For weights that cannot be used, records of several fidelities with none chosen, or a correction of another
        potential.
    """
    share = active_weights({str(name): weight for name, weight in settings.weights.items()})
    names = {c.name for c in candidates}
    records = [r for r in records if r.candidate in names]
    sources = sources_of(records, fidelity, correction)
    extra = extra_properties(sources.ranked)
    collected = {c.name: collect(c, sources, soc, extra, share) for c in candidates}
    trusted = {n: c for n, c in collected.items() if set(share) <= set(c.objectives)}
    pristine = next((c.name for c in candidates if c.is_pristine), None)
    reference = pristine if pristine in trusted else None
    removed = {n for n, c in collected.items() if _apply_thresholds(c, settings)}
    pool = [c for c in candidates if c.name in trusted and c.name not in removed]
    draws = {n: _draw(n, c, share, seed, n_resamples) for n, c in trusted.items()}
    rows = {c.name: _row(c, collected[c.name]) for c in candidates}
    rows = _with_scores(rows, trusted, reference, share, draws)
    rows = _with_ranks(rows, [c.name for c in pool], collected, share, draws)
    ordered = sorted(rows.values(), key=lambda r: (r.rank is None, r.rank or 0, r.score is None, -(r.score or 0.0)))
    notes = [] if reference else ["no score: the pristine host has no complete, converged set of objectives"]
    notes += mixed_notes(sources, share, [collected[n] for n in trusted])
    return Ranking(
        rows=tuple(ordered),
        soc=tuple(soc),
        settings=settings,
        fidelity=sources.base,
        reference=sources.reference,
        correction=correction.to_card() | {"name": correction.name} if correction else None,
        extra=extra,
        versions=_versions([r for r in records if sources.uses(r)]),
        notes=tuple(notes),
        agreement=agreements(sources, sorted(names), pristine, soc, share),
    )


def _row(candidate: Candidate, collected: Collected) -> Row:
    return Row(
        candidate=candidate.name,
        formula=formula(candidate),
        dopants=dopant_label(candidate),
        site=site_label(candidate) if candidate.dopants else "",
        x=candidate.x,
        compensation=candidate.compensation,
        converged=collected.converged,
        flags=tuple(collected.flags),
        values=collected.values,
        intervals=collected.intervals,
        beside=collected.beside,
        contents={"x_requested": candidate.x_requested, **collected.contents},
    )


def _apply_thresholds(collected: Collected, settings: RankingSettings) -> bool:
    """Flag each threshold that the candidate misses; True when there is one."""
    missed = False
    for entry in table.with_threshold():
        name, limit = entry.limit, getattr(settings, entry.limit)
        # of what is ranked only a value that can be trusted may pass
        value = collected.objectives.get(entry.name) if entry.score else collected.values.get(entry.column())
        if limit is not None and value is not None and entry.sign * (value - limit) < 0:
            collected.flag(flag("removed:{name}={limit}", name=name, limit=f"{limit:g}"))
            missed = True
        elif limit is not None and value is None:
            # a threshold on a value nobody knows cannot be passed
            collected.flag(flag("removed:{name}={limit}:unknown", name=name, limit=f"{limit:g}"))
            missed = True
    return missed


def _draw(name: str, collected: Collected, share: Mapping[str, float], seed: int, n: int) -> np.ndarray:
    """(n, M) active objectives drawn uniformly within their intervals; one per y is drawn per y and the worst taken.

    The stream depends on the seed and the candidate's name only, so that other candidates never change it.
    """
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    columns = []
    for objective in active_objectives(share):
        bounds = np.array([(low, high) for _, low, high in collected.spread[objective.name]])
        drawn = rng.uniform(bounds.min(axis=1), bounds.max(axis=1), size=(n, len(bounds)))
        columns.append(drawn.min(axis=1) if objective.sign > 0 else drawn.max(axis=1))
    return np.stack(columns, axis=1)


def _points(collected: Collected, share: Mapping[str, float]) -> np.ndarray:
    return np.array([collected.objectives[o.name] for o in active_objectives(share)])


def _has_intervals(collected: Collected) -> bool:
    return any(low != high for spread in collected.spread.values() for _, low, high in spread)


def _with_scores(
    rows: dict[str, Row],
    trusted: Mapping[str, Collected],
    reference: str | None,
    share: Mapping[str, float],
    draws: Mapping[str, np.ndarray],
) -> dict[str, Row]:
    if reference is None:
        return rows
    zero, zero_draws = utility(_points(trusted[reference], share), share), utility(draws[reference], share)
    uncertain = _has_intervals(trusted[reference])
    out = dict(rows)
    for name, collected in trusted.items():
        score = float(utility(_points(collected, share), share) - zero)
        interval = None
        if name != reference and (uncertain or _has_intervals(collected)):
            low, high = np.quantile(utility(draws[name], share) - zero_draws, [0.025, 0.975])
            interval = (float(low), float(high))
        out[name] = replace(rows[name], score=score, score_interval=interval)
    return out


def _with_ranks(
    rows: dict[str, Row],
    pool: list[str],
    collected: Mapping[str, Collected],
    share: Mapping[str, float],
    draws: Mapping[str, np.ndarray],
) -> dict[str, Row]:
    if not pool:
        return rows
    out = dict(rows)
    front, ranks = order(np.stack([_points(collected[n], share) for n in pool]), share)
    drawn: np.ndarray | None = None
    if any(_has_intervals(collected[n]) for n in pool):
        stack = np.stack([draws[n] for n in pool], axis=1)
        drawn = np.stack([order(values, share)[1] for values in stack])
    for i, name in enumerate(pool):
        interval = None
        if drawn is not None:
            low = int(np.quantile(drawn[:, i], 0.025, method="lower"))
            high = int(np.quantile(drawn[:, i], 0.975, method="higher"))
            interval = (min(low, int(ranks[i])), max(high, int(ranks[i])))
        out[name] = replace(
            out[name], rank=int(ranks[i]), front=int(front[i]), pareto=bool(front[i] == 1), rank_interval=interval
        )
    return out


def _versions(records: Sequence[Record]) -> dict[str, list[str]]:
    found: dict[str, set[str]] = {}
    for record in records:
        for package, version in record.versions.items():
            found.setdefault(package, set()).add(version)
    return {package: sorted(found[package]) for package in sorted(found)}
