"""The candidate grid: every feasible dopant, site, content and compensation, the pristine host first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import get_args

from screening.chemistry.candidate import COMPENSATION_LABEL, Candidate, Compensation, Defects
from screening.chemistry.compensation import (
    build,
    infeasible,
    neutral_units,
    self_unit,
    unit_size,
)
from screening.chemistry.content import ContentPoint, realise
from screening.chemistry.dopants import DopantEntry, parse_dopants
from screening.chemistry.hosts import HostFacts, host_facts
from screening.chemistry.sites import SiteFit, choose_sites, resolve_site
from screening.errors import UserError
from screening.names import nearest

DEFAULT_COMPENSATION: tuple[Compensation, ...] = ("li_vacancy", "li_interstitial", "self")


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """What the user asked for and does not get.

    Attributes
    ----------
    x
        The requested content, or None where the reason holds for several.
    by_content
        Whether another content would do.
    """

    label: str
    x: float | None
    reason: str
    by_content: bool = False


@dataclass(frozen=True, kw_only=True)
class CandidateGrid:
    """Candidates, pristine first, with unique names; and everything that was left out, with reasons."""

    candidates: list[Candidate]
    skipped: list[Skipped] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class _Design:
    """Dopants on sites with their compensation: a neutral unit and the label it is reported under."""

    label: str
    compensation: Compensation
    unit: Defects


def enumerate_candidates(
    dopants: str,
    x: str,
    *,
    host: str = "LiNbO3",
    site: str = "auto",
    n_fu: int = 12,
    compensation: Sequence[str] = DEFAULT_COMPENSATION,
    congruent: bool = False,
) -> CandidateGrid:
    """All candidates of a screen.

    Parameters
    ----------
    dopants, x
        As the user writes them (see `dopants.parse_dopants` and `content.parse_content`).
    host
        Name of the host crystal.
    site
        ``"auto"``, or a site that every dopant is forced to.
    n_fu
        Formula units of the cell in which contents are realised.
    compensation
        Schemes that may balance the dopants.
    congruent
        Add Nb_Li + 4 V_Li to every candidate, the undoped one included.

    Raises
    ------
    UserError
        For bad input, before anything is enumerated.
    """
    facts = host_facts(host)
    _check_options(facts, site, n_fu, compensation, congruent)
    entries = parse_dopants(dopants, host_cations=tuple(facts.cations))
    points, unrealised = realise(x, n_fu)
    pristine = build(Candidate(host=host, n_fu=n_fu, congruent=congruent), Defects(), 0, n_fu)
    grid = CandidateGrid(candidates=[pristine])
    grid.skipped.extend(
        Skipped(label="all dopants", x=value, reason=reason, by_content=True) for value, reason in unrealised
    )
    reason = infeasible(pristine.defects, facts, n_fu)
    if reason:
        raise UserError(f"The congruent host {reason}: use a cell of more formula units.")
    for entry in entries:
        designs, rejected = _designs(entry, facts, site, compensation)
        grid.skipped.extend(s for s in rejected if s not in grid.skipped)
        for design in designs:
            _realise_design(grid, pristine, design, points, facts)
    return grid


def _check_options(facts: HostFacts, site: str, n_fu: int, compensation: Sequence[str], congruent: bool) -> None:
    if site != "auto":
        resolve_site(site, facts)
    if n_fu < 1:
        raise UserError(f"A cell of {n_fu} formula units is empty: use at least 1.")
    known = get_args(Compensation)
    for scheme in compensation:
        if scheme not in known:
            raise UserError(f"there is no compensation {scheme!r}; {nearest(scheme, known)}.")
    if congruent and not facts.can_be_congruent:
        raise UserError(f"{facts.name} has no congruent composition: leave congruent off for this host.")


def _realise_design(
    grid: CandidateGrid, pristine: Candidate, design: _Design, points: list[ContentPoint], facts: HostFacts
) -> None:
    """Append the contents at which whole neutral units fit the cell; list the others with their reasons."""
    size, n_fu = unit_size(design.unit), pristine.n_fu
    base = Candidate(host=pristine.host, n_fu=n_fu, compensation=design.compensation, congruent=pristine.congruent)
    broken: list[str] = []
    for point in points:
        if point.n == 0:
            continue
        if point.n % size:
            broken.append(f"{point.n}/{n_fu}")
            continue
        candidate = build(base, design.unit, point.n // size, n_fu)
        reason = infeasible(candidate.defects, facts, n_fu)
        if reason:
            grid.skipped.append(Skipped(label=design.label, x=point.requested, reason=reason, by_content=True))
            continue
        grid.candidates.append(
            Candidate(
                host=base.host,
                n_fu=n_fu,
                defects=candidate.defects,
                compensation=base.compensation,
                x_requested=point.requested,
                congruent=base.congruent,
            )
        )
    if broken:
        reason = f"neutral only in multiples of {size} dopants, {size}/{n_fu}; not at x = {', '.join(broken)}"
        grid.skipped.append(Skipped(label=design.label, x=None, reason=reason, by_content=True))


def _designs(
    entry: DopantEntry, facts: HostFacts, site: str, compensation: Sequence[str]
) -> tuple[list[_Design], list[Skipped]]:
    """Neutral units of one entry of ``--dopants``, and the sites and placements that give none."""
    choices = [choose_sites(dopant, facts, site) for dopant in entry.dopants]
    skipped = [Skipped(label=fit.label, x=None, reason=fit.reason) for _, bad in choices for fit in bad]
    allowed = [good for good, _ in choices]
    designs: list[_Design] = []
    for fits in _placements(entry, allowed, facts):
        placement = [(fit.dopant, fit.site, r) for fit, r in zip(fits, entry.ratio, strict=True)]
        label = "+".join(fit.label for fit in fits)
        units = neutral_units(placement, facts, compensation)
        designs.extend(
            _Design(label=f"{label}-{COMPENSATION_LABEL[scheme]}", compensation=scheme, unit=unit)
            for scheme, unit in units
        )
        if not units:
            reason = f"none of the chosen compensation schemes ({', '.join(compensation)}) balances it"
            skipped.append(Skipped(label=label, x=None, reason=reason))
    if len(entry.dopants) == 1 and "self" in compensation and len(allowed[0]) == len(facts.cations):
        unit = self_unit(entry.dopants[0], facts)
        if unit is not None:
            label = "+".join(f"{s.count} {entry.dopants[0].label}_{s.site}" for s in unit.substitutions)
            designs.append(_Design(label=f"{label}-self", compensation="self", unit=unit))
    return designs, skipped


def _placements(entry: DopantEntry, allowed: list[list[SiteFit]], facts: HostFacts) -> list[tuple[SiteFit, ...]]:
    """Combinations of sites to screen.

    A single dopant takes each allowed site. Co-dopants take their best-fitting site each, which keeps the grid small,
    and besides every combination in which they balance each other at the given ratio.
    """
    combinations = list(product(*allowed))
    if len(entry.dopants) == 1 or not combinations:
        return combinations
    best = tuple(min(fits, key=lambda f: (abs(f.radius_mismatch), abs(f.charge_difference))) for fits in allowed)
    balanced = [c for c in combinations if _excess(c, entry.ratio, facts) == 0 and c != best]
    return [best, *balanced]


def _excess(fits: tuple[SiteFit, ...], ratio: tuple[int, ...], facts: HostFacts) -> int:
    return sum(r * (fit.dopant.charge - facts.cations[fit.site]) for fit, r in zip(fits, ratio, strict=True))
