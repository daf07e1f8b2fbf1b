"""One count and one time over the queues of a campaign."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from screening.campaign.estimate import FEWER, MORE, Estimate, Stage, Step
from screening.campaign.overall import IDLE, MEASURED, NOTHING, CampaignProgress, Overall
from screening.campaign.stages.screen import stage_of
from screening.engine.flows import Flow
from screening.engine.running.progress import Progress
from screening.report.progress import describe

COST = Estimate(
    steps=[
        Step(name="crystals", stage=Stage.CRYSTALS, tasks=2, atoms=10, calls=5),
        Step(name="parent", stage=Stage.PARENT, tasks=1, atoms=100, calls=10),
        Step(name="slabs", stage=Stage.ADHESION, tasks=10, atoms=100, calls=10),
    ],
    hours=None,
    basis="",
)


def snapshot(tasks: int, calls: int, atoms: int, seconds: float, **more: Any) -> Progress:
    fields: dict[str, Any] = {
        "tasks_total": tasks,
        "flows_total": 2,
        "busy_s": seconds,
        "elapsed_s": seconds,
        "seconds_left": 0.0,
    }
    return replace(NOTHING, tasks_done=tasks, n_force_calls=calls, atom_calls=calls * atoms, **(fields | more))


def nothing() -> Flow[None]:
    """A flow that asks for nothing."""
    yield from ()
    return None


class Queues:
    """Stands for `run_flows`: reports the prepared snapshots of one queue after the other."""

    def __init__(self, *queues: list[Progress]) -> None:
        self.queues = list(queues)

    def __call__(self, flows: Mapping, /, *, on_progress: Callable[[Progress], None]) -> dict[str, Any]:
        for progress in self.queues.pop(0):
            on_progress(progress)
        return {}


def told(*stages: tuple[str, list[Progress]], workers: int = 1) -> list[CampaignProgress]:
    seen: list[CampaignProgress] = []
    overall = Overall(
        run=Queues(*(queue for _, queue in stages)), stage_of=stage_of, expected=COST, workers=workers, tell=seen.append
    )
    for first, _ in stages:
        overall({first: nothing()})
    return seen


def test_counts_go_on_over_stages() -> None:
    seen = told(
        ("host", [snapshot(1, 5, 10, 1.0), snapshot(2, 10, 10, 2.0)]),
        ("parent", [snapshot(0, 0, 100, 0.0), snapshot(1, 12, 100, 24.0)]),
        ("Mg_Li-vLi-1of12", [snapshot(3, 30, 100, 60.0)]),
    )
    assert [(p.stage, p.tasks_done, p.n_force_calls) for p in seen] == [
        (1, 1, 5), (1, 2, 10), (2, 2, 10), (2, 3, 22), (6, 6, 52),
    ]  # fmt: skip
    assert seen[-1].n_stages == 6
    assert "adhesion" in seen[-1].title


def test_the_time_left_holds_all_later_stages() -> None:
    (first,) = told(("host", [snapshot(2, 10, 10, 2.0)]))
    # 0.02 s an atom's call; 1000 of the parent's and 10,000 of the slabs' are still to come
    left = 1000 + 10_000
    assert first.seconds_left is not None
    assert first.seconds_left[0] == pytest.approx(MEASURED[0] * 0.02 * FEWER * left)
    assert first.seconds_left[1] == pytest.approx(MEASURED[1] * 0.02 * (MORE * left + (MORE - 1) * 100))
    assert "left in all" in describe(first)


def test_two_workers_need_half_the_time_and_idle_ones_count_in_the_upper_end() -> None:
    (alone,) = told(("host", [snapshot(2, 10, 10, 2.0)]))
    (both,) = told(("host", [snapshot(2, 10, 10, 2.0, elapsed_s=1.0)]), workers=2)
    (waiting,) = told(("host", [snapshot(2, 10, 10, 2.0, elapsed_s=1.5)]), workers=2)
    (starting,) = told(("host", [snapshot(2, 10, 10, 2.0, elapsed_s=80.0)]), workers=2)
    assert alone.seconds_left is not None
    assert both.seconds_left is not None
    assert waiting.seconds_left is not None
    assert both.seconds_left == pytest.approx([end / 2 for end in alone.seconds_left])
    assert waiting.seconds_left[0] == pytest.approx(both.seconds_left[0])
    assert waiting.seconds_left[1] == pytest.approx(1.5 * both.seconds_left[1])
    assert starting.seconds_left is not None
    assert starting.seconds_left[1] == pytest.approx(IDLE * both.seconds_left[1])


def test_what_the_store_answers_is_not_left_to_do() -> None:
    seen = told(
        ("host", [snapshot(1, 10, 10, 2.0)]),
        ("Mg_Li-vLi-1of12", [snapshot(0, 0, 100, 0.0, tasks_reused=9, atom_calls_reused=9000)]),
    )
    assert seen[-1].tasks_reused == 9
    assert seen[-1].seconds_left is not None
    assert seen[-1].seconds_left[1] == pytest.approx(MEASURED[1] * 0.02 * (MORE * 10_000 - 9000))
    assert "(9 more from the store)" in describe(seen[-1])


def test_nothing_is_promised_before_anything_was_measured() -> None:
    (first,) = told(("host", [snapshot(0, 0, 10, 0.0, seconds_left=None)]))
    assert first.seconds_left is None
    assert "left" not in describe(first)


def test_a_further_round_of_the_search_does_not_go_back() -> None:
    seen = told(
        *((name, [snapshot(1, 1, 10, 1.0)]) for name in ("search:LiNbO3", "back-substitution", "search:LiNbO3"))
    )
    assert [p.stage for p in seen] == [3, 4, 4]
