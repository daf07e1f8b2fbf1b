"""The plan: what a user reads before anything is computed."""

import io
from functools import cache

import pytest
from rich.console import Console

from screening.campaign.campaign import Campaign, prepare
from screening.campaign.estimate import Estimate, estimate
from screening.report.estimate import print_plan


@cache
def planned(preset: str) -> tuple[Campaign, Estimate]:
    campaign = prepare(
        dopants="Zr", x="1/12,3/12", preset=preset, config=None, out=None, device="cpu", workers=2, overrides={}
    )
    return campaign, estimate(campaign)


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
    assert f"{cost.force_calls} force calls" in text


@pytest.mark.parametrize(("preset", "named"), [("standard", True), ("quick", False)])
def test_standard_without_cuda_names_quick(preset: str, named: bool) -> None:
    text = plan(preset, full=False)
    assert ("--preset quick" in text) is named
    assert "about" in text


def test_the_estimate_grows_with_the_work() -> None:
    quick, standard = (planned(p)[1] for p in ("quick", "standard"))
    assert quick.hours is not None
    assert standard.hours is not None
    assert standard.hours > quick.hours
    assert {s.name for s in quick.steps} == {s.name for s in standard.steps}
