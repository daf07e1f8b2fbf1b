"""Run the jobs of a validation one after the other, in the order of their dependencies."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from ase import Atoms

from screening.errors import UserError
from screening.process.trouble import stops_the_run
from screening.training_data.calculation import CalculationUnreadable
from screening.validation.folders.folders import State, Write, copy_result, state_of, write_job
from screening.validation.folders.manifest import find_twins
from screening.validation.jobs import Job, in_order
from screening.validation.plan.handover import started_from
from screening.validation.protocols import CalculationFailed, CommandDied, Engine, EngineUnusable

logger = logging.getLogger(__name__)

Status = Literal["done", "failed", "skipped"]

ENOUGH = 3
"""Jobs in a row that a command leaves without computing anything, after which it is not started again."""


@dataclass(frozen=True, kw_only=True)
class JobOutcome:
    """What became of a job; `reason` says why it failed or was skipped, or how it was done without computing.

    `died`: the command ended before it had computed anything.
    """

    name: str
    status: Status
    reason: str = ""
    wall_s: float = 0.0
    died: bool = False


@dataclass(frozen=True, kw_only=True)
class Event:
    """Progress: job `number` of `total` begins (`outcome` None) or has ended."""

    number: int
    total: int
    name: str
    outcome: JobOutcome | None = None


def ordered(jobs: Sequence[Job]) -> list[Job]:
    """Jobs such that each comes after those it starts from, see `in_order`."""
    by_name = {job.name: job for job in jobs}
    return [by_name[name] for name in in_order({job.name: job.after for job in jobs})]


def write_jobs(jobs: Sequence[Job], root: Path, write: Write, engine: Callable[[], Engine]) -> dict[str, State]:
    """Write all job folders that were not started, from the results of those that are finished.

    Parameters
    ----------
    engine
        Called only when some job was started and its result has to be read.

    Returns
    -------
    dict
        State of every folder before; ``"started"`` and ``"edited"`` ones were left alone.
    """
    states: dict[str, State] = {}
    by_name = {job.name: job for job in jobs}
    for job in ordered(jobs):
        if state_of(root / job.name) in ("absent", "written"):
            begun = [n for n in job.after if n in by_name and state_of(root / n) == "started"]
            job = started_from(job, _results(begun, root, engine())) if begun else job
        states[job.name] = write_job(job, root, write)
    return states


def run_jobs(
    jobs: Sequence[Job],
    engine: Engine,
    root: Path,
    *,
    max_atoms: int | None = None,
    on_event: Callable[[Event], None] | None = None,
) -> list[JobOutcome]:
    """Run jobs in dependency order; one that fails does not stop the others, and finished ones are left alone.

    A job whose twin (`manifest.find_twins`) is finished takes that one's result. A job that starts from one without a
    result is skipped. What was computed stays, so that the same call continues after a kill.

    Parameters
    ----------
    root
        Validation folder; the inputs were written by `write_jobs`.
    max_atoms
        Jobs with more atoms (per image) are skipped.

    Raises
    ------
    EngineUnusable
        When the engine can compute none of the jobs, at its first sign.
    """
    tell = on_event or (lambda event: None)
    queue, twins = ordered(jobs), find_twins(jobs)
    outcomes: dict[str, JobOutcome] = {}
    died = 0
    for number, job in enumerate(queue, start=1):
        tell(Event(number=number, total=len(queue), name=job.name))
        started = time.monotonic()
        outcome = _why_not(job, outcomes, max_atoms) or _run(job, engine, root, twins.get(job.name))
        outcomes[job.name] = replace(outcome, wall_s=time.monotonic() - started)
        tell(Event(number=number, total=len(queue), name=job.name, outcome=outcomes[job.name]))
        if outcome.status != "skipped":
            died = died + 1 if outcome.died else 0
        if died == ENOUGH:
            raise EngineUnusable(
                f"{ENOUGH} jobs in a row ended before they had computed anything, so no more are started: "
                f"{outcome.reason.rstrip('.')}."
            )
    return [outcomes[job.name] for job in jobs]


def _why_not(job: Job, outcomes: Mapping[str, JobOutcome], max_atoms: int | None) -> JobOutcome | None:
    if max_atoms is not None and len(job.atoms) > max_atoms:
        reason = f"{len(job.atoms)} atoms are more than --max-atoms {max_atoms}"
        return JobOutcome(name=job.name, status="skipped", reason=reason)
    for name in job.after:
        if name in outcomes and outcomes[name].status != "done":
            return JobOutcome(
                name=job.name, status="skipped", reason=f"starts from {name}, which is {outcomes[name].status}"
            )
    return None


def _run(job: Job, engine: Engine, root: Path, twin: str | None) -> JobOutcome:
    folder = root / job.name
    try:
        if engine.is_finished(folder):
            return JobOutcome(name=job.name, status="done", reason="was finished")
        fresh = state_of(folder) in ("absent", "written")
        if fresh and twin is not None and engine.is_finished(root / twin):
            copy_result(root / twin, folder)
            return JobOutcome(name=job.name, status="done", reason=f"same as {twin}")
        if fresh:
            finished = [name for name in job.after if engine.is_finished(root / name)]
            write_job(started_from(job, _results(finished, root, engine)), root, engine.write)
        engine.run(folder)
    except EngineUnusable:
        raise
    except (CalculationFailed, CalculationUnreadable, UserError) as error:
        if stops_the_run(error):
            raise
        return JobOutcome(name=job.name, status="failed", reason=str(error), died=isinstance(error, CommandDied))
    except Exception as error:  # whatever one program does, the others still run
        if stops_the_run(error):
            raise  # every other job would fail the same way
        logger.debug("%s failed", job.name, exc_info=True)
        return JobOutcome(name=job.name, status="failed", reason=f"{type(error).__name__}: {error}")
    if not engine.is_finished(folder):
        return JobOutcome(name=job.name, status="failed", reason=f"it ended without a result, see {folder}")
    return JobOutcome(name=job.name, status="done")


def _results(names: Sequence[str], root: Path, engine: Engine) -> dict[str, Atoms]:
    """Final structures of those jobs that are finished and can be read; what cannot is said."""
    found: dict[str, Atoms] = {}
    for name in names:
        if not engine.is_finished(root / name):
            continue
        try:
            found[name] = engine.read(root / name)[-1].atoms
        except CalculationUnreadable as error:
            logger.warning(
                "the result of %s cannot be read (%s); what starts from it keeps the potential's", name, error
            )
    return found
