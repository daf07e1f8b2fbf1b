"""Run a checked campaign: lock, potential, stages, ranking, files, tracking."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from ase import Atoms

from screening.campaign.load import STORE, SUMMARY
from screening.campaign.outputs import write_ranking, write_structures, write_summary
from screening.campaign.rerank import data_used, rank_with_dft
from screening.campaign.rows import Ranking
from screening.campaign.stages import Screened, screen_candidates
from screening.engine.queue import run_flows
from screening.engine.records import Fidelity, package_versions
from screening.engine.runlock import run_lock
from screening.engine.store import RecordStore
from screening.potentials.registry import load_potential
from screening.tracking.mlflow_tracking import track, track_status

if TYPE_CHECKING:
    from screening.campaign.campaign import Campaign


def execute(campaign: Campaign, on_progress: Callable[[Any], None] | None = None) -> Ranking:
    """See `Campaign.run`."""
    summary = campaign.out / SUMMARY
    with run_lock(campaign.out):
        store = RecordStore(campaign.out / STORE)
        started = time.time()
        write_summary(
            summary,
            status="running",
            fingerprint=campaign.fingerprint,
            reason=None,
            ended=None,
            wall_s=None,
            dopants=campaign.dopants,
            x=campaign.x,
            settings=campaign.settings,
            device=campaign.device,
            workers=campaign.workers,
            candidates=campaign.grid.candidates,
            skipped=campaign.grid.skipped,
            versions=package_versions(),
            started=_now(),
        )
        track_status(campaign.out, campaign.identity, "RUNNING")
        try:
            ranking, screened = _compute(campaign, store, on_progress)
        except BaseException as error:
            write_summary(
                summary, status="failed", reason=f"{type(error).__name__}: {error}".rstrip(": "), ended=_now()
            )
            track_status(
                campaign.out, campaign.identity, "KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED"
            )
            raise
        write_summary(
            summary,
            status="finished",
            reason=None,
            ended=_now(),
            wall_s=round(time.time() - started, 1),
            failures=screened.failures,
            counts={"records": len(screened.records), "ranked": len(ranking.ranked), "rows": len(ranking.rows)},
        )
        data = data_used(ranking, store.records(), campaign.settings, store.location)
    track(campaign.out, ranking, campaign.identity, data=data)
    return ranking


def _compute(
    campaign: Campaign, store: RecordStore, on_progress: Callable[[Any], None] | None
) -> tuple[Ranking, Screened]:
    potential = load_potential(campaign.settings.potential, campaign.device)
    run = partial(
        run_flows,
        store=store,
        potential_name=campaign.settings.potential,
        device=campaign.device,
        workers=campaign.workers,
        checkpoint_dir=campaign.out / "checkpoints",
        on_progress=on_progress,
    )
    screened = screen_candidates(
        campaign.grid.candidates,
        campaign.settings,
        run,
        fidelity=Fidelity(potential.name, potential.checkpoint_sha256),
        corrections=potential.corrections,
        keep=store.put_record,
    )
    ranking = rank_with_dft(screened.records, store.records(), campaign.grid.candidates, campaign.settings)
    write_ranking(campaign.out, ranking, settings=campaign.settings, skipped=campaign.grid.skipped)
    write_structures(campaign.out / "structures", _structures(screened))
    return ranking, screened


def _structures(screened: Screened) -> Mapping[str, Atoms]:
    """Relaxed bulk, interfaces and slabs by name, ``<candidate>/<what>``."""
    found: dict[str, Atoms] = {}
    for name, bulk in screened.bulks.items():
        found[f"{name}/bulk"] = bulk.result.atoms
    for name, outcome in screened.adhesion.items():
        for state in outcome.states:
            if state.interface.failure is None:
                found[f"{name}/interface-y{state.y:.3g}-order{state.order}"] = state.interface.atoms
        if outcome.coatings:
            found[f"{name}/coating-slab"] = min(outcome.coatings.values(), key=lambda r: r.energy).atoms
    return found


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
