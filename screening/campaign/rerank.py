"""Rank a run again with what has been ingested since, and write what changed."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from screening.campaign.load import StoredRun, campaign_identity
from screening.campaign.outputs import write_ranking
from screening.campaign.ranking.ranking import rank
from screening.campaign.ranking.rows import Ranking
from screening.campaign.summary import write_summary
from screening.chemistry.candidate import Candidate
from screening.config import Settings
from screening.engine.running.records import Record
from screening.engine.running.runlock import run_lock
from screening.engine.running.whereabouts import SUMMARY
from screening.errors import UserError
from screening.fidelity import Fidelity, same_scale
from screening.potentials.model_card import card_content
from screening.quantities.settings import RankingSettings
from screening.retraining.softening import load_softening, softening_of
from screening.tracking.data_used import DataUsed
from screening.tracking.mlflow_tracking import track
from screening.tracking.training import data_version

logger = logging.getLogger(__name__)

_STATUS = {"finished": "FINISHED", "failed": "FAILED"}


def rerank(
    run: StoredRun, settings: RankingSettings, *, fidelity: str | None = None, correction: Path | None = None
) -> Ranking:
    """Ranking of a stored run.

    Parameters
    ----------
    fidelity
        See `rank`.
    correction
        Folder of a softening correction; that of the run's own potential when None.

    Raises
    ------
    UserError
        See `rank`; or when the folder holds no correction.
    """
    softening = load_softening(correction) if correction else softening_of(run.settings.potential)
    return rank(
        run.records,
        run.candidates,
        run.settings.adhesion.soc,
        settings,
        fidelity=fidelity,
        correction=softening,
        seed=run.settings.seed,
    )


def rank_with_dft(
    computed: Sequence[Record], stored: Sequence[Record], candidates: Sequence[Candidate], settings: Settings
) -> Ranking:
    """Ranking at the end of a screen, with the DFT values that its store has from an earlier `screen ingest`.

    A choice that only the user can make (of several kinds of DFT) must not cost a finished screen its ranking: the
    potential's values are ranked alone then, and a note says why.
    """
    correction = softening_of(settings.potential)

    def ranked(records: Sequence[Record]) -> Ranking:
        return rank(
            records, candidates, settings.adhesion.soc, settings.ranking, correction=correction, seed=settings.seed
        )

    dft = [r for r in stored if not Fidelity.parse(r.fidelity).is_potential]
    if not dft:
        return ranked(computed)
    try:
        return ranked([*computed, *dft])
    except UserError as error:
        alone = ranked(computed)
        note = f"the store's DFT values are not in this ranking: {error}; see `screen rank RUN --fidelity ... --write`"
        logger.warning("%s", note)
        return replace(alone, notes=(*alone.notes, note))


def data_used(ranking: Ranking, records: Sequence[Record], settings: Settings, store: str) -> DataUsed:
    """DFT data behind a ranking: the records it could draw on, and what its potential or correction was made from."""
    dft = [r for r in records if ranking.reference and same_scale(r.fidelity, ranking.reference)]
    rows = [
        {
            "candidate": r.candidate,
            "property": r.property,
            "y": r.y,
            "value": r.value,
            "unit": r.unit,
            "fidelity": r.fidelity,
            "converged": r.converged,
            "recipe_hash": r.recipe_hash,
        }
        for r in dft
    ]
    rows.sort(key=lambda row: json.dumps(row, sort_keys=True))
    version = hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()[:12] if rows else ""
    models = {}
    correction = str((ranking.correction or {}).get("name", ""))
    for folder in filter(None, (settings.potential, correction)):
        card = card_content(Path(folder).expanduser())
        if card is not None and (stated := data_version(card)):
            models[folder] = stated
    return DataUsed(
        fidelity=" + ".join(filter(None, (ranking.fidelity, ranking.reference))),
        records_version=version,
        records=rows,
        records_source=store,
        models=models,
    )


def write_again(run: StoredRun, ranking: Ranking) -> bool:
    """Rewrite a run's ranking files and update its MLflow runs; False when MLflow could not be updated.

    Raises
    ------
    UserError
        When the run is being computed.
    """
    folder = run.folder
    with run_lock(folder):
        write_ranking(folder, ranking, settings=run.settings, skipped=run.skipped)
        write_summary(folder / SUMMARY, ranked_again=datetime.now(UTC).isoformat(timespec="seconds"))
    identity = campaign_identity(str(run.summary.get("dopants", "")), str(run.summary.get("x", "")), run.settings)
    data = data_used(ranking, run.records, run.settings, str(folder))
    # a run that is neither finished nor failed was killed: nobody holds its lock
    status = _STATUS.get(str(run.summary.get("status")), "KILLED")
    return track(folder, ranking, identity, data=data, status=status)
