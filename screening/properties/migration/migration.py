"""Migration barrier of Li: end points, bands, and the minimax over the carrier's hop network."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from screening.chemistry.candidate import Candidate
from screening.chemistry.content import is_off
from screening.config import BulkSettings, MigrationSettings
from screening.engine.flows import Flow, compute
from screening.engine.running.records import Record
from screening.engine.tasks import NebTask, RelaxTask, Result
from screening.flags import flag
from screening.properties.bulk import Crystal, DopedBulk, bulk_flow
from screening.properties.context import ScreeningContext
from screening.properties.migration.details import DroppedHop
from screening.properties.migration.records import BandOutcome, Migration, failed_records, migration_records
from screening.structures.hops.hop_classes import plan_hops, symmetry_orbits
from screening.structures.hops.hop_ends import band_ends, collapse_reason, endpoint, same_end
from screening.structures.hops.hops import HopNetwork, hop_network
from screening.structures.hops.supercells import shortest_image_distance

MAX_BARRIER = 8.0
"""A band with a higher barrier than this (eV) went through another atom, not past it."""
MAX_ROUNDS = 3
"""How often collapsed hops are replaced by others of their class."""


@dataclass
class _Ends:
    """Relaxed end points by site, those that are unusable, and why hops were dropped."""

    relaxed: dict[int, Result] = field(default_factory=dict)
    bad: dict[int, str] = field(default_factory=dict)
    dropped: list[DroppedHop] = field(default_factory=list)


def migration_flow(
    candidate: Candidate,
    bulk: DopedBulk,
    host: Crystal,
    settings: MigrationSettings,
    bulk_settings: BulkSettings,
    context: ScreeningContext,
) -> Flow[list[Record]]:
    """Compute the migration barrier of one candidate.

    The doped cell (the bulk one, or another of `settings.n_fu`) gives the carrier and its network. All end points of
    the chosen hops relax together in the fixed cell, one task per *site* (hops share them), then all bands run
    together. The end point with the carrier where the bulk already has it is the bulk result itself when that is
    converged tightly enough.

    Returns
    -------
    Records ``migration_barrier`` (3D), ``migration_barrier_1d`` and ``lowest_hop_barrier``, eV.
    """
    doped = bulk
    if settings.n_fu != bulk.candidate.n_fu:
        doped = yield from bulk_flow(candidate, host, settings.n_fu, bulk_settings, seed=context.seed)
    cell = doped.result.atoms
    network = hop_network(cell, settings.max_hop_distance)
    orbits = symmetry_orbits(network)
    distance = shortest_image_distance(cell.cell.array)
    flags = [
        *([flag("x_barrier_off")] if is_off(candidate.x_requested, doped.candidate.x) else []),
        *([flag("small_barrier_cell")] if distance < settings.min_image_distance else []),
        *([flag("carrier_made")] if network.source == "made" else []),
    ]
    plan = plan_hops(
        network,
        orbits,
        network_wide=settings.hops == "network",
        min_hops=settings.min_hops,
        max_hops=settings.max_hops,
    )
    recipe = {
        "candidate": doped.candidate.name,
        "seed": context.seed,
        "carrier": [network.kind, network.source, network.labels[network.home] if network.home is not None else ""],
        "parents": [doped.result.key],
    }
    ends, chosen = yield from _relax_end_points(network, plan, settings, doped.result, recipe)
    bands = yield from _run_bands(network, chosen, ends, settings, recipe)
    migration = Migration(
        candidate=candidate,
        doped=doped,
        network=network,
        orbits=orbits,
        image_distance=distance,
        ends=ends.relaxed,
        bands=bands,
        dropped=ends.dropped,
        flags=tuple(flags),
    )
    if not any(band.usable for band in bands):
        return failed_records(migration, context.potential_id)
    return migration_records(migration, settings, context.potential_id)


def _relax_end_points(
    network: HopNetwork, plan: list[list[int]], settings: MigrationSettings, home: Result, recipe: dict[str, Any]
) -> Flow[tuple[_Ends, list[int]]]:
    """Relax the end points of the planned hops; a hop whose end points collapse gives way to the next of its class."""
    ends = _Ends()
    if network.home is not None and home.converged and home.fmax <= settings.endpoint_fmax:
        _judge(network, network.home, home, ends)
    open_slots, tried, chosen = plan, set[int](), list[int]()
    for _ in range(MAX_ROUNDS):
        picks = []
        for slot in open_slots:
            hop = next((k for k in slot if k not in tried and not ends.bad.keys() & _ends_of(network, k)), None)
            if hop is not None:
                tried.add(hop)
                picks.append((slot, hop))
        sites = sorted(set().union(*(_ends_of(network, k) for _, k in picks)))
        missing = [s for s in sites if s not in ends.relaxed and s not in ends.bad]
        if missing:
            relaxed = yield from compute({site: _end_task(network, site, settings, recipe) for site in missing})
            for site, result in relaxed.items():
                _judge(network, site, result, ends)
        open_slots = []
        for slot, hop in picks:
            reason = _why_no_hop(network, hop, ends)
            if reason is None:
                chosen.append(hop)
            else:
                start, end = network.hops[hop].start, network.hops[hop].end
                ends.dropped.append(DroppedHop(start=network.labels[start], end=network.labels[end], reason=reason))
                open_slots.append(slot)
        if not open_slots:
            break
    return ends, chosen


def _ends_of(network: HopNetwork, hop: int) -> set[int]:
    return {network.hops[hop].start, network.hops[hop].end}


def _end_task(network: HopNetwork, site: int, settings: MigrationSettings, recipe: dict[str, Any]) -> RelaxTask:
    return RelaxTask(
        recipe={**recipe, "step": "migration/end", "site": network.labels[site]},
        atoms=endpoint(network, site),
        cell="fixed",
        fmax=settings.endpoint_fmax,
        max_steps=settings.endpoint_max_steps,
    )


def _judge(network: HopNetwork, site: int, result: Result, ends: _Ends) -> None:
    """Keep a relaxed end point, or say why it is unusable."""
    reason = result.failure or collapse_reason(network, site, result.atoms)
    if reason is None:
        ends.relaxed[site] = result
    else:
        ends.bad[site] = reason


def _why_no_hop(network: HopNetwork, index: int, ends: _Ends) -> str | None:
    hop = network.hops[index]
    for site in (hop.start, hop.end):
        if site in ends.bad:
            return ends.bad[site]
    initial, final = ends.relaxed[hop.start].atoms, ends.relaxed[hop.end].atoms
    return same_end(network, hop, *band_ends(network, hop, initial, final))


def _run_bands(
    network: HopNetwork, chosen: list[int], ends: _Ends, settings: MigrationSettings, recipe: dict[str, Any]
) -> Flow[list[BandOutcome]]:
    """All bands in one go; those whose barrier makes no sense are kept with the reason."""
    if not chosen:
        return []
    bands = yield from compute({k: _band_task(network, k, ends, settings, recipe) for k in chosen})
    return [BandOutcome(hop=k, result=band, reason=reject_reason(band)) for k, band in bands.items()]


def _band_task(
    network: HopNetwork, index: int, ends: _Ends, settings: MigrationSettings, recipe: dict[str, Any]
) -> NebTask:
    hop = network.hops[index]
    first, last = ends.relaxed[hop.start], ends.relaxed[hop.end]
    initial, final = band_ends(network, hop, first.atoms, last.atoms)
    return NebTask(
        recipe={
            **recipe,
            "step": "migration/band",
            "hop": [network.labels[hop.start], network.labels[hop.end], list(hop.image), hop.kind],
            "via": hop.via,
            "parents": [*recipe["parents"], first.key, last.key],
        },
        initial=initial,
        final=final,
        initial_energy=first.energy,
        final_energy=last.energy,
        n_images=settings.n_images,
        fmax=settings.fmax,
        max_steps=settings.max_steps,
    )


def reject_reason(band: Result) -> str | None:
    """Say why a band gives no barrier, or None when it does."""
    if band.failure is not None:
        return band.failure
    energies = np.array(band.image_energies)
    if len(energies) < 3 or not np.isfinite(energies).all():
        return "the band has no finite energies"
    if int(energies.argmax()) in (0, len(energies) - 1):
        return "no image lies above both end points"
    if max(band.barriers) > MAX_BARRIER:
        return f"a barrier of {max(band.barriers):.1f} eV means that the path runs through another atom"
    return None
