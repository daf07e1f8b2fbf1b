"""The plan: what a user reads before anything is computed."""

import io
import re
from functools import cache

import pytest
from rich.console import Console

from screening.campaign.estimate import Estimate
from screening.campaign.prepare import prepare
from screening.campaign.request import Campaign
from screening.report.estimate import duration, print_plan


@cache
def planned(preset: str) -> tuple[Campaign, Estimate]:
    campaign = prepare(
        dopants="Zr", x="1/12,3/12", preset=preset, config=None, out=None, device="cpu", workers=2, overrides={}
    )
    return campaign, campaign.cost


def plan(preset: str, *, full: bool) -> str:
    text = io.StringIO()
    print_plan(Console(file=text, width=160), *planned(preset), full=full)
    return text.getvalue()


def test_the_dry_run_shows_candidates_atoms_cost_and_what_is_skipped() -> None:
    text = plan("quick", full=True)
    campaign, cost = planned("quick")
    for candidate in campaign.grid.candidates:
        assert candidate.name in text
    assert "136" in text
    assert "would leave no Li" in text
    fewest, most = cost.force_calls
    assert f"{fewest} to {most} force calls" in text
    assert cost.hours is not None
    assert f"{duration(cost.hours)} (chgnet measured on one idle CPU core, or busier)" in text


@pytest.mark.parametrize(("preset", "named"), [("standard", True), ("quick", False)])
def test_standard_without_cuda_names_quick(preset: str, named: bool) -> None:
    text = plan(preset, full=False)
    assert ("--preset quick" in text) is named
    assert re.search(r"\d to \d+ (min|h|days) \(chgnet", text), "a range, not a promise"


def test_the_estimate_grows_with_the_work() -> None:
    quick, standard = (planned(p)[1] for p in ("quick", "standard"))
    assert quick.hours is not None
    assert standard.hours is not None
    assert standard.hours > quick.hours
    assert {s.name for s in quick.steps} == {s.name for s in standard.steps}


def test_a_potential_that_was_not_measured_is_taken_for_the_slowest() -> None:
    campaigns = {
        name: prepare(
            dopants="Zr", x="1/12", preset="quick", config=None, out=None, device="cpu", workers=1,
            overrides={"potential": name},
        )
        for name in ("chgnet-r2scan", "sevennet-l3i5")
    }  # fmt: skip
    unknown, slowest = (campaign.cost for campaign in campaigns.values())
    assert unknown.basis == "chgnet-r2scan not measured; taken for sevennet-l3i5"
    assert slowest.basis == "sevennet-l3i5 measured on one idle CPU core"
    assert unknown.hours == slowest.hours


@pytest.mark.parametrize(
    ("hours", "text"),
    [((4 / 60, 12 / 60), "4 to 12 min"), ((2 / 3600, 50 / 3600), "2 to 50 s"), ((5.2, 15.6), "5 to 16 h"),
     ((24, 96), "1 to 4 days"), ((0.0, 0.1 / 3600), "1 s"), ((0.5, 3.0), "1 to 3 h")],
)  # fmt: skip
def test_ranges_of_time_in_one_unit(hours: tuple[float, float], text: str) -> None:
    assert duration(hours) == text
