"""Jobs of the migration barrier: end points and band of the critical hop, and of the lowest one where that is another.

The critical hop of the network may be one that was not computed but took its saddle from its class or by symmetry;
then the computed hop that is most like it stands for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from screening.engine.running.records import Record
from screening.engine.tasks import Result
from screening.errors import UserError
from screening.properties.migration.details import MigrationParts
from screening.structures.elements import by_element, element_order
from screening.validation.jobs import Job
from screening.validation.plan.screened import Plan, ScreenedRun

MADE_CHARGES = (0, -1)
"""A Li vacancy that no dopant compensates is written as Li taken out (0, a hole is left) and as Li+ (-1)."""


@dataclass(frozen=True, kw_only=True)
class _Hop:
    """A computed hop: its place in the record's list, its facts, and what it is chosen for."""

    number: int
    facts: Mapping[str, Any]
    chosen_as: tuple[str, ...]
    stands_for: Mapping[str, Any] | None = None

    @property
    def ends(self) -> list[str]:
        return [self.facts["from"], self.facts["to"]]


def hop_jobs(screen: ScreenedRun, candidate: str) -> Plan:
    """``<candidate>/hop-<k>/a``, ``b`` and ``band``; k counts the hops in the record of the barrier."""
    record = screen.record(candidate, "migration_barrier") or screen.record(candidate, "lowest_hop_barrier")
    if record is None:
        return Plan(missing=[f"{candidate}: no migration barrier in the run"])
    bands = [screen.result(key) for key in record.parts(MigrationParts[str]).bands]
    plan = Plan()
    made = record.details.get("carrier_source") == "made"
    used = [n for n, hop in enumerate(record.details["hops"]) if hop["used"]]
    if len(used) != len(bands) or not all(band.images for band in bands):
        raise UserError(
            f"the record of {record.property} of {candidate} has {len(used)} hops that were used with "
            f"{sum(bool(band.images) for band in bands)} bands; put a backup of its store in place, or screen into a "
            "new folder"
        )
    band_of = dict(zip(used, bands, strict=True))
    for hop in _chosen(record, used):
        for charge in MADE_CHARGES if made else (0,):
            plan.jobs += _jobs(candidate, hop, band_of[hop.number], charge, suffix=f"-q{charge}" if made else "")
    return plan


def _chosen(record: Record, used: Sequence[int]) -> list[_Hop]:
    """The critical and the lowest of the usable hops."""
    hops: list[dict[str, Any]] = record.details["hops"]
    if record.details.get("n_inequivalent_hops") == 1 and record.value is not None:
        value = record.value
        nearest = min(used, key=lambda n: abs(max(hops[n]["forward"], hops[n]["backward"]) - value))
        return [_Hop(number=nearest, facts=hops[nearest], chosen_as=("critical", "lowest"))]
    lowest = min(used, key=lambda n: min(hops[n]["forward"], hops[n]["backward"]))
    critical = record.details.get("critical_hop")
    if critical is None:  # nothing percolates: only single hops are known
        return [_Hop(number=lowest, facts=hops[lowest], chosen_as=("lowest",))]
    number = _most_like(critical, hops, used)
    same = [hops[number]["from"], hops[number]["to"]] == [critical["from"], critical["to"]]
    words = ("critical", "lowest") if number == lowest else ("critical",)
    chosen = [_Hop(number=number, facts=hops[number], chosen_as=words, stands_for=None if same else critical)]
    if number != lowest:
        chosen.append(_Hop(number=lowest, facts=hops[lowest], chosen_as=("lowest",)))
    return chosen


def _most_like(critical: Mapping[str, Any], hops: Sequence[Mapping[str, Any]], used: Sequence[int]) -> int:
    """The hop itself where it was computed; otherwise the nearest in length, then in distance from the dopant, then
    the highest: a critical hop is one with a high saddle."""
    ends = (critical["from"], critical["to"])
    own = [n for n in used if (hops[n]["from"], hops[n]["to"]) == ends]
    if own:
        return max(own, key=lambda n: max(hops[n]["forward"], hops[n]["backward"]))

    def unlike(n: int) -> tuple[float, float, float]:
        hop = hops[n]
        apart = abs((hop["dopant_distance"] or 0.0) - (critical["dopant_distance"] or 0.0))
        length = abs(hop["distance"] - critical["distance"])
        return round(length, 1), round(apart, 1), -max(hop["forward"], hop["backward"])

    return min(used, key=unlike)


def _jobs(candidate: str, hop: _Hop, band: Result, charge: int, *, suffix: str) -> list[Job]:
    order = element_order(band.images[0])
    images = [by_element(image, order) for image in band.images]
    saddle = int(np.argmax(band.image_energies))
    place = f"{candidate}/hop-{hop.number}"
    details: dict[str, Any] = {"hop": hop.ends, "chosen_as": list(hop.chosen_as)}
    if hop.stands_for is not None:
        details["stands_for"] = [hop.stands_for["from"], hop.stands_for["to"]]
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
            details={**details, "side": side},
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
        details={**details, "saddle": saddle},
        mlip_energy=energies[saddle],
    )
    return [*ends, path]
