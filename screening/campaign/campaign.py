"""A campaign: everything is checked first, then the stages run, then the ranking is written and tracked."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from screening.campaign.checks import (
    check_cells,
    check_chemistry,
    check_crystals,
    check_folder,
    check_grid,
    check_hops,
    check_workers,
    free_folder,
)
from screening.campaign.load import campaign_identity
from screening.campaign.rows import Ranking
from screening.chemistry.grid import CandidateGrid, enumerate_candidates
from screening.config import Settings, load_settings

if TYPE_CHECKING:
    from screening.campaign.estimate import Estimate
    from screening.campaign.overall import CampaignProgress


@dataclass(frozen=True, kw_only=True)
class Campaign:
    """A checked request: nothing has been written yet.

    Attributes
    ----------
    out
        Run folder; an existing folder of the same campaign is continued.
    device
        ``"cpu"`` or ``"cuda"``, already resolved.
    workers
        Engine processes (1 on a GPU).
    """

    dopants: str
    x: str
    settings: Settings
    grid: CandidateGrid
    out: Path
    device: str
    workers: int

    @property
    def identity(self) -> dict[str, Any]:
        """See `campaign_identity`."""
        return campaign_identity(self.dopants, self.x, self.settings)

    @cached_property
    def cost(self) -> Estimate:
        """See `campaign.estimate.estimate`; it builds the interface, which takes seconds."""
        from screening.campaign.estimate import estimate

        return estimate(self)

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(json.dumps(self.identity, sort_keys=True).encode()).hexdigest()[:16]

    def run(self, on_progress: Callable[[CampaignProgress], None] | None = None) -> Ranking:
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
        from screening.campaign.execute import execute

        return execute(self, on_progress)


def prepare(
    *,
    dopants: str,
    x: str,
    preset: str | None,
    config: Path | None,
    out: Path | None,
    device: str,
    workers: int | None,
    overrides: dict[str, Any],
) -> Campaign:
    """Check everything a user typed; nothing is written.

    Raises
    ------
    UserError
        For every kind of bad input.
    """
    settings = load_settings(preset, config, overrides)
    check_crystals(settings)
    cores = available_cores()
    check_workers(workers, cores)
    grid = enumerate_candidates(
        dopants,
        x,
        host=settings.host,
        site=settings.site,
        n_fu=settings.bulk.n_fu,
        compensation=list(settings.compensation),
        congruent=settings.congruent,
    )
    check_grid(grid, x, settings.bulk.n_fu)
    check_cells(grid, settings)
    check_hops(settings)
    from screening.potentials.batching import pick_device
    from screening.potentials.registry import check_name

    check_name(settings.potential)
    resolved = pick_device(device)
    check_chemistry(grid, settings, resolved)
    campaign = Campaign(
        dopants=dopants,
        x=x,
        settings=settings,
        grid=grid,
        out=out if out is not None else Path("runs") / f"{date.today().isoformat()}-{_slug(dopants)}",
        device=resolved,
        workers=1 if resolved == "cuda" else workers or cores,
    )
    if out is None:
        campaign = replace(campaign, out=free_folder(campaign.out, campaign.fingerprint))
    check_folder(campaign)
    return campaign


def _slug(dopants: str) -> str:
    return re.sub(r"[^0-9A-Za-z+]+", "-", dopants).strip("-")


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
