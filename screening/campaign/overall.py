"""How far a whole campaign is: its stages are queues that each count from nothing, a user wants one count and time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

from screening.campaign.estimate import Estimate, Range, Stage
from screening.engine.flows import Flow, FlowOutcome
from screening.engine.running.progress import Progress

T = TypeVar("T")

MEASURED = (0.9, 1.5)
"""Times left, from and to, by what this run has taken so far: its load may change."""
IDLE = 2.0
"""Most that workers which start or wait may add to a time left: at the beginning they do little else."""


@dataclass(frozen=True, kw_only=True)
class CampaignProgress:
    """A snapshot of the whole campaign.

    Attributes
    ----------
    stage, n_stages, title
        Which stage is under way; 0 before the first one, when `title` says what is being done.
    flows_done, flows_total
        Properties of this stage.
    tasks_done, tasks_reused, n_force_calls
        Computed now, answered from the store, and force calls made now, over all stages.
    elapsed_s
        Since the campaign began.
    seconds_left
        From and to; None before anything was measured.
    """

    stage: int
    n_stages: int
    title: str
    flows_done: int = 0
    flows_total: int = 0
    tasks_done: int = 0
    tasks_reused: int = 0
    n_force_calls: int = 0
    elapsed_s: float = 0.0
    seconds_left: Range | None = None


class RunQueue(Protocol):
    """`engine.running.queue.run_flows` with everything bound but this."""

    def __call__(
        self, flows: Mapping[str, Flow[T]], /, *, on_progress: Callable[[Progress], None]
    ) -> Mapping[str, FlowOutcome[T]]: ...


NOTHING = Progress(
    tasks_done=0,
    tasks_reused=0,
    tasks_total=0,
    tasks_running=0,
    flows_done=0,
    flows_total=0,
    n_force_calls=0,
    elapsed_s=0.0,
    seconds_left=None,
)


@dataclass
class Overall:
    """Runs the queues of a campaign one after the other and tells how far all of it is.

    Parameters
    ----------
    run
        Runs one queue.
    stage_of
        Names the stage of a set of flows, given by their names.
    expected
        What every stage costs.
    """

    run: RunQueue
    stage_of: Callable[[Iterable[str]], tuple[Stage, str]]
    expected: Estimate
    workers: int
    tell: Callable[[CampaignProgress], None]

    _started: float = field(default_factory=time.monotonic)
    _past: Progress = NOTHING
    _before: int = 0
    _stage: Stage = Stage.CRYSTALS
    _done: dict[Stage, int] = field(default_factory=dict)

    def say(self, title: str) -> None:
        """What is done before the first stage."""
        self.tell(CampaignProgress(stage=0, n_stages=len(Stage), title=title, elapsed_s=self._elapsed()))

    def __call__(self, flows: Mapping[str, Flow[T]], /) -> Mapping[str, FlowOutcome[T]]:
        """Run one queue; see `run_flows`."""
        stage, title = self.stage_of(flows)
        self._stage = max(stage, self._stage)  # a further round belongs to the stage after the search
        self._before = self._done.get(self._stage, 0)
        latest = NOTHING

        def on_progress(progress: Progress) -> None:
            nonlocal latest
            latest = progress
            self._done[self._stage] = self._before + progress.atom_calls + progress.atom_calls_reused
            self.tell(self._snapshot(title, progress))

        outcomes = self.run(flows, on_progress=on_progress)
        self._past = _sum(self._past, latest)
        return outcomes

    def _elapsed(self) -> float:
        return time.monotonic() - self._started

    def _snapshot(self, title: str, progress: Progress) -> CampaignProgress:
        total = _sum(self._past, progress)
        return CampaignProgress(
            stage=self._stage,
            n_stages=len(Stage),
            title=title,
            flows_done=progress.flows_done,
            flows_total=progress.flows_total,
            tasks_done=total.tasks_done,
            tasks_reused=total.tasks_reused,
            n_force_calls=total.n_force_calls,
            elapsed_s=self._elapsed(),
            seconds_left=self._seconds_left(total, progress),
        )

    def _seconds_left(self, total: Progress, now: Progress) -> Range | None:
        """What is left of this stage and all later ones, at the pace of this run."""
        pace = self._pace(total)
        if pace is None:
            return None
        low, high = self.expected.atom_calls(self._stage)
        done = self._done.get(self._stage, 0)
        known = (now.seconds_left or 0.0) * self.workers / pace[0]
        ends = [max(0.0, low - done, known), max(0.0, high - done, known)]
        for stage in Stage:
            if stage > self._stage:
                ends = [end + more for end, more in zip(ends, self.expected.atom_calls(stage), strict=True)]
        return (MEASURED[0] * ends[0] * pace[0] / self.workers, MEASURED[1] * ends[1] * pace[1] / self.workers)

    def _pace(self, total: Progress) -> Range | None:
        """Seconds of one worker for an atom's force call: in the potential alone, and with all that is around it."""
        if not total.atom_calls:
            return None
        busy = total.busy_s / total.atom_calls
        return busy, min(max(busy, total.elapsed_s * self.workers / total.atom_calls), IDLE * busy)


def _sum(past: Progress, now: Progress) -> Progress:
    """What adds up over queues; the rest is the latest one's."""
    return replace(
        now,
        tasks_done=past.tasks_done + now.tasks_done,
        tasks_reused=past.tasks_reused + now.tasks_reused,
        n_force_calls=past.n_force_calls + now.n_force_calls,
        elapsed_s=past.elapsed_s + now.elapsed_s,
        atom_calls=past.atom_calls + now.atom_calls,
        atom_calls_reused=past.atom_calls_reused + now.atom_calls_reused,
        busy_s=past.busy_s + now.busy_s,
    )
