"""Records of the migration barrier from computed end points and bands."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from screening.chemistry.candidate import Candidate
from screening.config import MigrationSettings
from screening.engine.running.records import PotentialId, Record, record_from
from screening.engine.tasks import Result
from screening.flags import flag
from screening.properties.bulk import DopedBulk
from screening.properties.migration.details import CriticalHop, DroppedHop, HopDetails, MigrationDetails, MigrationParts
from screening.properties.migration.hop_energies import Bound, NetworkEnergies, network_energies
from screening.properties.migration.percolation import Percolation, percolation_barrier
from screening.structures.hops.hop_classes import Orbits, hop_classes, site_classes
from screening.structures.hops.hops import HopNetwork

BARRIER_PROPERTIES = ("migration_barrier", "migration_barrier_1d", "lowest_hop_barrier")


@dataclass(frozen=True, kw_only=True)
class BandOutcome:
    """One band of hop number `hop`; `reason` says why it gives no barrier."""

    hop: int
    result: Result
    reason: str | None

    @property
    def usable(self) -> bool:
        return self.reason is None


@dataclass(frozen=True, kw_only=True)
class Migration:
    """Everything that was computed for one candidate.

    Attributes
    ----------
    image_distance
        Shortest distance between periodic images of the carrier, A.
    ends
        Relaxed end points by site.
    dropped
        Hops that were given up because their end points collapsed, with the reason.
    """

    candidate: Candidate
    doped: DopedBulk
    network: HopNetwork
    orbits: Orbits
    image_distance: float
    ends: dict[int, Result]
    bands: list[BandOutcome]
    dropped: list[DroppedHop]
    flags: tuple[str, ...]

    @property
    def used(self) -> MigrationParts[Result]:
        """Results that the values rest on; the bulk has its own record."""
        sites = {s for b in self.bands if b.usable for s in self._ends_of(b)}
        ends = [self.ends[s] for s in sorted(sites) if self.ends[s].key != self.doped.result.key]
        return MigrationParts(ends=tuple(ends), bands=tuple(b.result for b in self.bands if b.usable))

    def _ends_of(self, band: BandOutcome) -> tuple[int, int]:
        hop = self.network.hops[band.hop]
        return hop.start, hop.end

    def energies(self, bound: Bound = "mean") -> NetworkEnergies:
        """Site and saddle energies of the whole network."""
        sites = {s for b in self.bands if b.usable for s in self._ends_of(b)}
        return network_energies(
            ends=[(h.start, h.end, h.image) for h in self.network.hops],
            classes=hop_classes(self.network),
            site_classes=site_classes(self.network),
            orbits=self.orbits,
            site_energies={s: self.ends[s].energy for s in sorted(sites)},
            saddles={b.hop: max(b.result.image_energies) for b in self.bands if b.usable},
            bound=bound,
        )


def migration_records(migration: Migration, settings: MigrationSettings, potential_id: PotentialId) -> list[Record]:
    """``migration_barrier`` (3D), ``migration_barrier_1d`` and ``lowest_hop_barrier`` of one candidate."""
    energies = migration.energies()
    shared = _details(migration, energies)
    usable = [b for b in migration.bands if b.usable]
    flags = [
        *migration.flags,
        *([flag("network_partial")] if energies.assigned["class"] or energies.left_out else []),
        *([flag("few_hops")] if len(usable) < settings.min_hops else []),
    ]
    records = []
    for prop, dimension in (("migration_barrier", 3), ("migration_barrier_1d", 1)):
        found = percolation_barrier(energies.sites, energies.edges, dimension)
        records.append(
            _record(
                migration,
                prop,
                None if found is None else found.barrier,
                potential_id,
                interval=_interval(migration, dimension, found),
                flags=tuple(flags if found else [*flags, flag("not_percolating_{dimension}d", dimension=dimension)]),
                details=_percolating(shared, migration, energies, found),
            )
        )
    lowest = min(usable, key=lambda b: min(b.result.barriers))
    barriers = [min(b.result.barriers) for b in usable]
    records.append(
        _record(
            migration,
            BARRIER_PROPERTIES[2],
            min(barriers),
            potential_id,
            interval=None,
            flags=tuple(f for f in flags if f != flag("network_partial")),
            details=replace(shared, mechanism=migration.network.hops[lowest.hop].kind),
        )
    )
    return records


def failed_records(migration: Migration, potential_id: PotentialId) -> list[Record]:
    """The same records without a value when no hop gave a barrier."""
    reasons = [b.reason for b in migration.bands if b.reason] + [d.reason for d in migration.dropped]
    reason = reasons[0] if reasons else "no free site but the carrier's own image lies within reach"
    return [
        _record(
            migration,
            prop,
            None,
            potential_id,
            converged=False,
            failure=f"no hop gave a barrier: {reason}",
            flags=migration.flags,
            details=_details(migration, None),
        )
        for prop in BARRIER_PROPERTIES
    ]


def _record(
    migration: Migration,
    prop: str,
    value: float | None,
    potential_id: PotentialId,
    *,
    details: MigrationDetails,
    **fields: Any,
) -> Record:
    converged = fields.pop("converged", True) and migration.doped.result.converged
    return record_from(
        migration.candidate.name,
        prop,
        value,
        "eV",
        potential_id=potential_id,
        results=migration.used,
        converged=converged,
        details=details,
        **fields,
    )


def _interval(migration: Migration, dimension: int, found: Percolation | None) -> tuple[float, float] | None:
    """Envelope of the barrier: what the hops without a band could be, judged by those that have one.

    The barrier again with every assigned activation (and site energy) at the lowest, then at the highest value
    computed for hops of the same kind and length in this cell, near to or far from the dopant; in the pristine
    crystal, whose hops are equal by symmetry, it is the spread due to the finite cell. None when both agree: one
    sample. It says nothing about the potential's own error.
    """
    if found is None:
        return None
    values = [found.barrier]
    bounds: tuple[Bound, ...] = ("low", "high")
    for bound in bounds:
        energies = migration.energies(bound)
        other = percolation_barrier(energies.sites, energies.edges, dimension)
        if other is not None:
            values.append(other.barrier)
    return (min(values), max(values)) if max(values) - min(values) > 1e-6 else None


def _percolating(
    shared: MigrationDetails, migration: Migration, energies: NetworkEnergies, found: Percolation | None
) -> MigrationDetails:
    if found is None:
        return replace(shared, mechanism=migration.network.kind)
    network = migration.network
    index = energies.hops[found.critical]
    hop = network.hops[index]
    bands = {b.hop for b in migration.bands if b.usable}
    return replace(
        shared,
        mechanism=hop.kind,
        critical_hop=CriticalHop(
            start=network.labels[hop.start],
            end=network.labels[hop.end],
            computed=index in bands,
            distance=round(hop.distance, 3),
            dopant_distance=_rounded(hop.dopant_distance),
        ),
        ground_site=network.labels[found.ground_site],
        # above zero: the carrier has a lower site that the percolating part does not reach over this saddle
        isolated_trap_depth=round(found.ground_energy - min(energies.sites), 4),
    )


def _details(migration: Migration, energies: NetworkEnergies | None) -> MigrationDetails:
    network = migration.network
    usable = [b for b in migration.bands if b.usable]
    low = min((migration.ends[s].energy for s in migration.ends), default=0.0)
    return MigrationDetails(
        mechanism=network.kind,
        carrier_source=network.source,
        hops=tuple(_hop_details(migration, band) for band in migration.bands),
        dropped_hops=tuple(migration.dropped),
        site_energies={network.labels[s]: round(r.energy - low, 4) for s, r in sorted(migration.ends.items())},
        x_barrier=migration.doped.candidate.x,
        image_distance=round(migration.image_distance, 3),
        n_atoms=len(usable[0].result.atoms if usable else network.cell),
        bulk=migration.doped.result.key,
        n_sites=len(network.sites),
        n_hops=len(network.hops),
        n_inequivalent_hops=len(set(migration.orbits.hops)),
        saddles_from=None if energies is None else {**energies.assigned, "left_out": energies.left_out},
    )


def _hop_details(migration: Migration, band: BandOutcome) -> HopDetails:
    network, result = migration.network, band.result
    hop = network.hops[band.hop]
    forward, backward = result.barriers if result.image_energies else (None, None)
    return HopDetails(
        start=network.labels[hop.start],
        end=network.labels[hop.end],
        image=hop.image,
        kind=hop.kind,
        distance=round(hop.distance, 3),
        dopant_distance=_rounded(hop.dopant_distance),
        forward=_rounded(forward, 4),
        backward=_rounded(backward, 4),
        converged=result.converged,
        fmax=result.fmax,
        n_force_calls=result.n_force_calls,
        used=band.usable,
        note=band.reason or "",
        flags=tuple(result.atoms.info.get("flags", [])),
    )


def _rounded(value: float | None, digits: int = 3) -> float | None:
    return None if value is None else round(value, digits)
