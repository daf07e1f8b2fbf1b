"""What a user sees before and while something is computed."""

import io
import sys
from dataclasses import replace

import pytest
from rich.console import Console

from screening.campaign.overall import CampaignProgress
from screening.cli import progress
from screening.cli.progress import LiveProgress, sign_of_life

NOW = CampaignProgress(
    stage=3, n_stages=6, title="placements", flows_done=2, flows_total=9, tasks_done=31, tasks_reused=12,
    n_force_calls=640, elapsed_s=300.0, seconds_left=(240.0, 720.0),
)  # fmt: skip


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_hears_at_once_and_other_programs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    screen, pipe = Terminal(), io.StringIO()
    monkeypatch.setattr(sys, "stdout", pipe)
    monkeypatch.setattr(sys, "stderr", screen)
    sign_of_life()
    sign_of_life(in_logs=True)
    assert (screen.getvalue(), pipe.getvalue()) == ("loading ...\n", "")


def test_a_log_hears_when_the_settings_are_known_to_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    log, errors = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stdout", log)
    monkeypatch.setattr(sys, "stderr", errors)
    sign_of_life()
    assert log.getvalue() == ""
    sign_of_life(in_logs=True)
    assert (log.getvalue(), errors.getvalue()) == ("loading ...\n", "")


def test_a_log_has_the_first_line_at_once_and_then_one_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    text = io.StringIO()
    with LiveProgress(Console(file=text, width=200)) as live:
        live(NOW)
        live(replace(NOW, tasks_done=32))
        clock[0] += 61
        live(replace(NOW, tasks_done=33))
    assert text.getvalue().splitlines() == [
        f"stage 3 of 6 (placements, 2/9 done): {tasks} computations (12 more from the store) and 640 force calls in "
        "all, 5 min, 4 to 12 min left in all"
        for tasks in (31, 33)
    ]
