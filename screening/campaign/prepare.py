"""A campaign: everything is checked first, then the stages run, then the ranking is written and tracked."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

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
from screening.campaign.request import Campaign
from screening.chemistry.grid import enumerate_candidates
from screening.config import load_settings
from screening.process.cores import available_cores


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
    check_folder(campaign.out, campaign.identity, campaign.fingerprint)
    return campaign


def _slug(dopants: str) -> str:
    return re.sub(r"[^0-9A-Za-z+]+", "-", dopants).strip("-")
