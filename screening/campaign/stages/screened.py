"""What goes into the stages of a screen, what they hand on, and what comes out of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from screening.chemistry.candidate import Candidate
from screening.config import Settings
from screening.engine.flows import RunFlows
from screening.engine.running.records import PotentialId, Record
from screening.properties.adhesion.parent import ParentInterface
from screening.properties.adhesion.types import AdhesionOutcome
from screening.properties.bulk import Crystal, DopedBulk
from screening.properties.context import ScreeningContext
from screening.properties.stability.phases import PhaseEnergy

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Screening:
    """A screen that is about to run.

    Attributes
    ----------
    candidates
        Pristine host first.
    run
        Executes flows (`engine.running.queue.run_flows` with store and workforce bound).
    potential_id, corrections
        Of the potential in use.
    keep
        Called with every record as soon as it exists.
    """

    candidates: Sequence[Candidate]
    settings: Settings
    run: RunFlows
    potential_id: PotentialId
    corrections: str
    keep: Callable[[Record], None]

    @property
    def context(self) -> ScreeningContext:
        return ScreeningContext(potential_id=self.potential_id, corrections=self.corrections, seed=self.settings.seed)


@dataclass(frozen=True, kw_only=True)
class Foundations:
    """Relaxed host and cathode crystals, the competing phases, and the compositions that touch the coating."""

    host: Crystal
    cathode: Crystal
    phases: list[PhaseEnergy]
    partners: dict[str, dict[str, float]]


@dataclass(kw_only=True)
class Screened:
    """What a screen computed: records, final structures and the reasons of what failed (candidate -> reasons)."""

    parent: ParentInterface
    records: list[Record] = field(default_factory=list)
    bulks: dict[str, DopedBulk] = field(default_factory=dict)
    adhesion: dict[str, AdhesionOutcome] = field(default_factory=dict)
    failures: dict[str, list[str]] = field(default_factory=dict)

    def fail(self, candidate: str, prop: str, reason: str) -> None:
        """Note, and log, why a candidate has no value of a property."""
        logger.warning("%s: %s failed: %s", candidate, prop, reason)
        self.failures.setdefault(candidate, []).append(f"{prop}: {reason}")

    def add(self, records: Sequence[Record], keep: Callable[[Record], None]) -> None:
        """Take in new records, and hand each to `keep`."""
        self.records += records
        for record in records:
            keep(record)
