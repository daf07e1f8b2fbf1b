"""How a run that does not reach its end is written down."""

import errno
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from screening.campaign import execute
from screening.campaign.overall import CampaignProgress
from screening.campaign.prepare import prepare
from screening.campaign.request import Campaign
from screening.campaign.summary import write_summary
from screening.errors import CandidateFailed
from screening.process.stopping import Stopped
from screening.process.trouble import StoreUnusable


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    return prepare(
        dopants="Mg", x="1/12", preset="quick", config=None, out=tmp_path / "run", device="cpu", workers=1, overrides={}
    )


@pytest.mark.parametrize(
    ("error", "status", "reason", "tracked"),
    [
        (Stopped(15), "stopped", "stopped by SIGTERM", "KILLED"),
        (KeyboardInterrupt(), "stopped", "KeyboardInterrupt", "KILLED"),
        (OSError(errno.ENOSPC, "No space left", "a.npz"), "stopped", "No space left", "KILLED"),
        (StoreUnusable("the disk of the store is full"), "stopped", "is full", "KILLED"),
        (CandidateFailed("host: no"), "failed", "CandidateFailed: host: no", "FAILED"),
    ],
    ids=["SIGTERM", "Ctrl-C in a notebook", "full disk", "full store", "failed"],
)
def test_the_summary_and_mlflow_say_how_it_ended(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch, error: BaseException, status: str, reason: str, tracked: str
) -> None:
    told: list[str] = []
    monkeypatch.setattr(execute, "track_status", lambda folder, identity, status: told.append(status))

    def fail(*args: object) -> None:
        raise error

    monkeypatch.setattr(execute, "_compute", fail)
    with pytest.raises(type(error)):
        execute.execute(campaign)
    summary = yaml.safe_load((campaign.out / "summary.yaml").read_text())
    assert summary["status"] == status
    assert reason in summary["reason"]
    assert summary["threads"] == 1
    assert told == ["RUNNING", tracked]


def test_a_disk_that_is_full_for_the_summary_too_leaves_one_error(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(execute, "track_status", lambda *args: True)

    def fail(*args: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left", "summary.yaml")

    monkeypatch.setattr(execute, "write_summary", fail)
    with pytest.raises(OSError, match="No space left"):
        execute.execute(campaign)
    assert not caplog.records


@pytest.mark.parametrize(("n_computed", "status", "tracked"), [(0, "finished", "FINISHED"), (1, "failed", "FAILED")])
def test_a_finished_run_stays_finished_unless_something_was_computed_anew(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch, n_computed: int, status: str, tracked: str
) -> None:
    told: list[str] = []
    monkeypatch.setattr(execute, "track_status", lambda folder, identity, status: told.append(status))
    write_summary(campaign.out / "summary.yaml", status="finished", fingerprint=campaign.fingerprint, wall_s=12.0)
    before = (campaign.out / "summary.yaml").read_bytes()

    def compute(campaign: Campaign, store: object, tell: Callable[[CampaignProgress], None]) -> None:
        tell(CampaignProgress(stage=1, n_stages=4, title="a stage", tasks_done=n_computed, tasks_reused=3))

    def raising(progress: CampaignProgress) -> None:
        raise RuntimeError("a bar that broke")

    monkeypatch.setattr(execute, "_compute", compute)
    with pytest.raises(RuntimeError, match="a bar that broke"):
        execute.execute(campaign, raising)
    after = (campaign.out / "summary.yaml").read_bytes()
    assert yaml.safe_load(after)["status"] == status
    assert (after == before) == (status == "finished")
    assert told == ["RUNNING", tracked]
