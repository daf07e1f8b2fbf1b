"""Run a checked campaign: lock, potential, stages, ranking, files, tracking."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from ase import Atoms

from screening.campaign.load import FAILED, FINISHED, RUNNING, STOPPED, STRUCTURES
from screening.campaign.outputs import write_ranking, write_structures
from screening.campaign.overall import CampaignProgress, Overall
from screening.campaign.ranking.rows import Ranking
from screening.campaign.request import Campaign
from screening.campaign.rerank import data_used, rank_with_dft
from screening.campaign.stages.screen import screen_candidates, stage_of
from screening.campaign.stages.screened import Screened, Screening
from screening.campaign.summary import read_summary_file, write_summary
from screening.engine.running.queue import run_flows
from screening.engine.running.records import PotentialId, package_versions
from screening.engine.running.runlock import run_lock
from screening.engine.running.store import RecordStore
from screening.engine.running.whereabouts import STORE, SUMMARY
from screening.engine.running.workforce import Workforce
from screening.errors import UserError
from screening.files import read_received, write_text
from screening.potentials.registry import load_potential
from screening.process.stopping import Stopped, not_interrupted, was_stopped
from screening.process.threads import thread_count
from screening.process.trouble import stops_the_run
from screening.tracking.mlflow_tracking import track, track_status

logger = logging.getLogger(__name__)


def execute(campaign: Campaign, on_progress: Callable[[CampaignProgress], None] | None = None) -> Ranking:
    """Compute (or continue) the campaign, write its outputs and track it.

    Raises
    ------
    UserError
        The folder is in use, or its store is corrupt.
    CandidateFailed
        Something that every candidate needs could not be computed.
    OSError
        A full disk and its like; the same call continues the run.
    """
    with run_lock(campaign.out):
        store = RecordStore(campaign.out / STORE)
        started = time.time()
        watched = _Watched(on_progress or (lambda progress: None))
        with _end_recorded(campaign, watched):
            _record_start(campaign)
            ranking, screened = _compute(campaign, store, watched)
            with not_interrupted():  # seconds: what is computed is also said to be
                _record_finish(campaign, store, ranking, screened, wall_s=time.time() - started)
    return ranking


@dataclass
class _Watched:
    """Passes progress on, and remembers how many tasks were computed rather than answered from the store."""

    tell: Callable[[CampaignProgress], None]
    n_computed: int = 0

    def __call__(self, progress: CampaignProgress) -> None:
        self.n_computed = progress.tasks_done
        self.tell(progress)


def _record_start(campaign: Campaign) -> None:
    write_summary(
        campaign.out / SUMMARY,
        status=RUNNING,
        fingerprint=campaign.fingerprint,
        reason=None,
        ended=None,
        wall_s=None,
        dopants=campaign.dopants,
        x=campaign.x,
        settings=campaign.settings,
        device=campaign.device,
        workers=campaign.workers,
        threads=thread_count(),
        candidates=campaign.grid.candidates,
        skipped=campaign.grid.skipped,
        versions=package_versions(),
        started=_now(),
    )
    track_status(campaign.out, campaign.identity, "RUNNING")


def _record_finish(
    campaign: Campaign, store: RecordStore, ranking: Ranking, screened: Screened, *, wall_s: float
) -> None:
    write_ranking(campaign.out, ranking, settings=campaign.settings, skipped=campaign.grid.skipped)
    write_structures(campaign.out / STRUCTURES, _structures(screened))
    write_summary(
        campaign.out / SUMMARY,
        status=FINISHED,
        reason=None,
        ended=_now(),
        wall_s=round(wall_s, 1),
        failures=screened.failures,
        counts={"records": len(screened.records), "ranked": len(ranking.ranked), "rows": len(ranking.rows)},
    )
    data = data_used(ranking, store.records(), campaign.settings, store.location)
    track(campaign.out, ranking, campaign.identity, data=data)


@contextmanager
def _end_recorded(campaign: Campaign, watched: _Watched) -> Iterator[None]:
    """Write down how a run ended that does not reach its end: stopped (the same command continues it) or failed.

    A finished run of which nothing was computed anew is as finished as it was, whatever broke off the call.
    """
    finished = _finished_summary(campaign.out / SUMMARY)
    try:
        yield
    except BaseException as error:
        stopped = was_stopped(error) or stops_the_run(error)
        in_words = isinstance(error, Stopped | UserError)
        reason = str(error) if in_words else f"{type(error).__name__}: {error}".rstrip(": ")
        as_it_was = finished if watched.n_computed == 0 else None
        with not_interrupted():
            try:
                if as_it_was is not None:
                    write_text(campaign.out / SUMMARY, as_it_was)
                else:
                    status = STOPPED if stopped else FAILED
                    write_summary(campaign.out / SUMMARY, status=status, reason=reason, ended=_now())
            except (OSError, UserError) as second:
                # a disk that is full is full for the summary too, and the first error says so
                level = logging.INFO if stops_the_run(error) else logging.WARNING
                logger.log(level, "%s could not be updated: %s", campaign.out / SUMMARY, second)
            ended = "FINISHED" if as_it_was is not None else "KILLED" if stopped else "FAILED"
            track_status(campaign.out, campaign.identity, ended)
        raise


def _finished_summary(path: Path) -> str | None:
    """The summary of a run that is finished, as it stands in its file; None for any other run."""
    if not path.exists() or read_summary_file(path).get("status") != FINISHED:
        return None
    return read_received(path)


def _compute(
    campaign: Campaign, store: RecordStore, on_progress: Callable[[CampaignProgress], None]
) -> tuple[Ranking, Screened]:
    queue = partial(
        run_flows,
        store=store,
        workforce=Workforce(
            potential_name=campaign.settings.potential,
            device=campaign.device,
            workers=campaign.workers,
            checkpoint_dir=campaign.out / "checkpoints",
        ),
    )
    run = Overall(
        run=queue,
        stage_of=stage_of,
        expected=campaign.cost,
        workers=campaign.workers,
        tell=on_progress,
    )
    run.say("loading the potential and letting it relax LiNbO3")
    potential = load_potential(campaign.settings.potential, campaign.device)
    screened = screen_candidates(
        Screening(
            candidates=campaign.grid.candidates,
            settings=campaign.settings,
            run=run,
            potential_id=PotentialId(potential.name, potential.checkpoint_sha256),
            corrections=potential.corrections,
            keep=store.put_record,
        )
    )
    ranking = rank_with_dft(screened.records, store.records(), campaign.grid.candidates, campaign.settings)
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
