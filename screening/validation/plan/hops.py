"""Jobs of the migration barrier: end points and band of the critical hop, and of the lowest one where that is another.

The critical hop of the network may be one that was not computed but took its saddle from its class or by symmetry;
then the computed hop that is most like it stands for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from screening.engine.tasks import Result
from screening.properties.migration.details import CriticalHop, HopDetails, MigrationDetails, MigrationParts
from screening.structures.elements import by_element, element_order
from screening.validation.job_details import HopJobDetails
from screening.validation.jobs import Job
from screening.validation.plan.screened import Plan, ScreenedRun

MADE_CHARGES = (0, -1)
"""A Li vacancy that no dopant compensates is written as Li taken out (0, a hole is left) and as Li+ (-1)."""


@dataclass(frozen=True, kw_only=True)
class _Hop:
    """A computed hop: its place in the record's list, its facts, and what it is chosen for."""

    number: int
    facts: HopDetails
    chosen_as: tuple[str, ...]
    stands_for: CriticalHop | None = None


def hop_jobs(screen: ScreenedRun, candidate: str) -> Plan:
    """``<candidate>/hop-<k>/a``, ``b`` and ``band``; k counts the hops in the record of the barrier."""
    record = screen.record(candidate, "migration_barrier") or screen.record(candidate, "lowest_hop_barrier")
    if record is None:
        return Plan(missing=[f"{candidate}: no migration barrier in the run"])
    bands = [screen.result(key) for key in record.parts(MigrationParts[str]).bands]
    plan = Plan()
    details = record.said(MigrationDetails)
    made = details.carrier_source == "made"
    used = [n for n, hop in enumerate(details.hops) if hop.used]
    if len(used) != len(bands) or not all(band.images for band in bands):
        raise record.unfit(f"has {len(used)} hops that were used and {sum(bool(b.images) for b in bands)} bands")
    if silent := [n for n in used if details.hops[n].barriers is None]:
        raise record.unfit(f"does not say the barriers of its hop {silent[0]}")
    band_of = dict(zip(used, bands, strict=True))
    for hop in _chosen(details, record.value, used):
        for charge in MADE_CHARGES if made else (0,):
            plan.jobs += _jobs(candidate, hop, band_of[hop.number], charge, suffix=f"-q{charge}" if made else "")
    return plan


def _chosen(details: MigrationDetails, value: float | None, used: Sequence[int]) -> list[_Hop]:
    """The critical and the lowest of the usable hops."""
    hops = details.hops
    if details.n_inequivalent_hops == 1 and value is not None:
        nearest = min(used, key=lambda n: abs(_higher(hops[n]) - value))
        return [_Hop(number=nearest, facts=hops[nearest], chosen_as=("critical", "lowest"))]
    lowest = min(used, key=lambda n: min(hops[n].barriers or (np.inf,)))
    critical = details.critical_hop
    if critical is None:  # nothing percolates: only single hops are known
        return [_Hop(number=lowest, facts=hops[lowest], chosen_as=("lowest",))]
    number = _most_like(critical, hops, used)
    same = hops[number].sites == critical.sites
    words = ("critical", "lowest") if number == lowest else ("critical",)
    chosen = [_Hop(number=number, facts=hops[number], chosen_as=words, stands_for=None if same else critical)]
    if number != lowest:
        chosen.append(_Hop(number=lowest, facts=hops[lowest], chosen_as=("lowest",)))
    return chosen


def _higher(hop: HopDetails) -> float:
    return max(hop.barriers or (-np.inf,))


def _most_like(critical: CriticalHop, hops: Sequence[HopDetails], used: Sequence[int]) -> int:
    """The hop itself where it was computed; otherwise the nearest in length, then in distance from the dopant, then
    the highest: a critical hop is one with a high saddle."""
    own = [n for n in used if hops[n].sites == critical.sites]
    if own:
        return max(own, key=lambda n: _higher(hops[n]))

    def unlike(n: int) -> tuple[float, float, float]:
        hop = hops[n]
        apart = abs((hop.dopant_distance or 0.0) - (critical.dopant_distance or 0.0))
        length = abs((hop.distance or 0.0) - (critical.distance or 0.0))
        return round(length, 1), round(apart, 1), -_higher(hop)

    return min(used, key=unlike)


def _jobs(candidate: str, hop: _Hop, band: Result, charge: int, *, suffix: str) -> list[Job]:
    order = element_order(band.images[0])
    images = [by_element(image, order) for image in band.images]
    saddle = int(np.argmax(band.image_energies))
    place = f"{candidate}/hop-{hop.number}"
    details = HopJobDetails(
        hop=list(hop.facts.sites),
        chosen_as=list(hop.chosen_as),
        stands_for=None if hop.stands_for is None else list(hop.stands_for.sites),
    )
    # the potential knows no charge: its energies belong to the neutral cell
    energies = band.image_energies if charge == 0 else [None] * len(images)
    ends = [
        Job(
            name=f"{place}/{side}{suffix}",
            candidate=candidate,
            role="end",
            atoms=images[index],
            relax="atoms",
            charge=charge,
            details=replace(details, side=side),
            mlip_energy=energies[index],
        )
        for side, index in (("a", 0), ("b", -1))
    ]
    path = Job(
        name=f"{place}/band{suffix}",
        candidate=candidate,
        role="band",
        atoms=images[0].copy(),
        images=tuple(images),
        relax="atoms",
        charge=charge,
        after=tuple(end.name for end in ends),
        details=replace(details, saddle=saddle),
        mlip_energy=energies[saddle],
    )
    return [*ends, path]
