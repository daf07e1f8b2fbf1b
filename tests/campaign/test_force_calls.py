"""Force calls that are announced, against those that recorded runs made."""

from dataclasses import replace
from pathlib import Path

import pytest

from screening.assets import asset
from screening.campaign.estimate import FEWER, MORE, Stage
from screening.campaign.prepare import prepare
from screening.campaign.request import Campaign

LOOP = asset("configs", "examples", "loop.yaml")


def planned(preset: str | None = None, config: Path | None = None, **overrides: object) -> Campaign:
    return prepare(
        dopants="Mg", x="1/12", preset=preset, config=config, out=None, device="cpu", workers=2, overrides=overrides
    )


@pytest.mark.parametrize(
    ("preset", "config", "made"),
    [("quick", None, 3183), ("quick", None, 2974), (None, LOOP, 345)],
    ids=["first example", "first example on another machine", "loop to DFT"],
)
def test_recorded_runs_lie_in_the_announced_range(preset: str | None, config: Path | None, made: int) -> None:
    cost = planned(preset, config).cost
    fewest, most = cost.force_calls
    assert fewest <= made <= most
    middle = [sum(s.tasks * s.calls for s in cost.steps if s.certain or every) for every in (False, True)]
    assert middle[0] == pytest.approx(made, rel=0.2)
    assert middle[1] == pytest.approx(made, rel=0.2)


def test_both_relaxations_of_a_placement_are_counted() -> None:
    campaign = planned("quick")
    steps = {s.name: s for s in campaign.cost.steps}
    placements = 3 * campaign.settings.adhesion.contact_placements
    assert (steps["placements, interface"].tasks, steps["placements, coating"].tasks) == (placements, placements)
    assert steps["placements, interface"].atoms == 136
    assert steps["placements, coating"].atoms == 80


def test_no_task_is_counted_beyond_its_most_steps_and_loose_forces_cost_less() -> None:
    tight = planned("quick")
    short = planned("quick", adhesion={"max_steps": 4})
    loose = planned("quick", adhesion={"fmax": 0.2})
    calls = [{s.name: s.calls for s in c.cost.steps} for c in (tight, short, loose)]
    assert calls[0]["coating slabs"] == 25
    assert calls[1]["coating slabs"] == 5
    assert calls[2]["coating slabs"] == 12
    assert calls[2]["doped bulk"] == calls[0]["doped bulk"]


def test_stages_add_up_and_a_later_round_is_not_promised() -> None:
    cost = planned("quick").cost
    low, high = (sum(ends) for ends in zip(*(cost.atom_calls(stage) for stage in Stage), strict=True))
    assert high == pytest.approx(MORE * sum(s.atom_calls for s in cost.steps))
    assert low == pytest.approx(FEWER * sum(s.atom_calls for s in cost.steps if "(round 2)" not in s.name))
    assert cost.hours is not None
    # 0.0021 s an atom's call on one idle core, two workers, and three times that on a slow or busy machine
    assert cost.hours[0] == pytest.approx(low * 0.0021 / 2 / 3600)
    assert cost.hours[1] == pytest.approx(high * 3 * 0.0021 / 2 / 3600)
    assert replace(cost, hours=None).force_calls == cost.force_calls
