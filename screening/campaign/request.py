"""A checked request: what a user asked for, before anything is computed or written."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from screening.campaign.estimate import Estimate, estimate
from screening.campaign.load import campaign_identity
from screening.chemistry.grid import CandidateGrid
from screening.config import Settings


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
        return estimate(self.settings, len(self.grid.candidates), device=self.device, workers=self.workers)

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(json.dumps(self.identity, sort_keys=True).encode()).hexdigest()[:16]
