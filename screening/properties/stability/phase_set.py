"""Competing phases outside of any campaign; what has to be relaxed for them goes through the user's cache."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from screening.engine.flows import Flow
from screening.engine.running.queue import run_flows
from screening.engine.running.records import PotentialId
from screening.engine.running.store import RecordStore
from screening.engine.running.whereabouts import STORE
from screening.engine.running.workforce import Workforce
from screening.engine.tasks import Task
from screening.errors import UserError
from screening.potentials.registry import check_name, load_potential
from screening.properties.stability.competing import (
    LISTED,
    bare_elements,
    check_elements,
    check_supported,
    check_zero_points,
    foreign_phases,
    phases_flow,
)
from screening.properties.stability.phase_files import cached_path
from screening.properties.stability.phases import PhaseEnergy
from screening.structures.crystals.phases import load_phases

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class PhaseSet:
    """Usable phases of a chemical system, whose energies they are, and the phases that failed the gate."""

    phases: list[PhaseEnergy]
    refused: list[PhaseEnergy]
    potential_id: PotentialId
    corrections: str


def compute_phases(
    elements: set[str],
    potential_name: str,
    *,
    source: str = LISTED,
    substitute: bool = False,
    device: str = "auto",
    workers: int = 1,
    on_progress: Callable[[Any], None] | None = None,
) -> PhaseSet:
    """Phases of a chemical system outside of any campaign; what has to be relaxed goes through the user's cache.

    Raises
    ------
    UserError
        When an element has no compounds (and `substitute` is off), or the potential or the source cannot be used.
    """
    check_name(potential_name)
    check_supported(potential_name, elements)
    if source == LISTED and not substitute:
        check_elements(elements)
    check_zero_points(potential_name, elements)
    potential = load_potential(potential_name, device, self_check=False)
    potential_id = PotentialId(potential.name, potential.checkpoint_sha256)
    if source != LISTED:
        foreign = foreign_phases(source, elements, potential.corrections, alone=True)
        return PhaseSet(phases=foreign, refused=[], potential_id=potential_id, corrections=potential.corrections)
    refused: list[PhaseEnergy] = []
    flow = phases_flow(
        elements,
        potential_id=potential_id,
        potential_corrections=potential.corrections,
        source=source,
        substitute=[elements] if substitute and bare_elements(elements, load_phases()) else (),
        refused=refused,
    )
    try:
        tasks = next(flow)
    except StopIteration as end:  # every energy is known: nothing is computed, and no cache folder needed
        found: list[PhaseEnergy] = end.value
    else:
        with _work_folder(cached_path(potential_id).with_suffix("")) as work:
            outcome = run_flows(
                {"phases": _resumed(flow, tasks)},
                store=RecordStore(work / STORE),
                workforce=Workforce(
                    potential_name=potential_name,
                    device=device,
                    workers=workers,
                    checkpoint_dir=work / "checkpoints",
                    self_check=False,
                ),
                on_progress=on_progress,
            )["phases"]
        if outcome.failure is not None:
            raise UserError(outcome.failure)
        found = outcome.value
    missing = bare_elements(elements, found)
    if missing and substitute:
        raise UserError(
            f"no compound of {', '.join(missing)} could be predicted; add crystals to datasets/phases or use --phases."
        )
    return PhaseSet(phases=found, refused=refused, potential_id=potential_id, corrections=potential.corrections)


def _resumed(flow: Flow[list[PhaseEnergy]], tasks: list[Task]) -> Flow[list[PhaseEnergy]]:
    """A flow that has asked for its first tasks already."""
    while True:
        results = yield tasks
        try:
            tasks = flow.send(results)
        except StopIteration as end:
            found: list[PhaseEnergy] = end.value
            return found


@contextmanager
def _work_folder(folder: Path) -> Iterator[Path]:
    """The folder in the user's cache; where there can be none, a temporary one, and what it holds is computed again."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        usable = os.access(folder, os.W_OK | os.X_OK)
    except OSError:
        usable = False
    if usable:
        yield folder
        return
    logger.warning("%s cannot be written: set COATSCREEN_CACHE to a folder that keeps what is computed now", folder)
    with tempfile.TemporaryDirectory(prefix="coatscreen-") as temporary:
        yield Path(temporary)
