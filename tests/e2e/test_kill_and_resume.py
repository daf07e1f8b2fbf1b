"""kill -9 at five moments of a whole screen on CHGNet: nothing finished is computed again, little in flight is lost.

Every start of a worker process loads torch and the potential again, so most starts compute in the process of the
screen; one of the five that are killed has two workers, which die with it and leave checkpoints of their own.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from screening.engine.running.store import RecordStore

SCRIPT = Path(__file__).parents[1] / "toys" / "counted_screen.py"
WORKERS_OF_KILLS = (1, 1, 2, 1, 1)
EXTRA_CALLS_PER_SYSTEM = 10
# few optimiser steps, one placement: every stage and kind of task runs, nothing has to converge
TINY = {
    "preset": "quick",
    "site": "Nb",
    "interface": {
        "registry_grid": [1, 1], "gaps": [2.0], "registry_relaxed": 1, "registry_steps": 2,
        "parent_starts": 2, "parent_hops": 1,
    },
    "bulk": {"n_relaxed": 1, "n_draws": 3, "fmax": 0.02, "max_steps": 12},
    "adhesion": {
        "soc": [1.0], "contact_placements": 1, "prerelax_steps": 1, "slab_starts": ["cut", "half"], "slab_hops": 1,
        "fmax": 0.02, "max_steps": 7, "n_draws": 2,
    },
    "migration": {"n_images": 1, "max_steps": 4, "endpoint_max_steps": 7, "endpoint_fmax": 0.02, "fmax": 0.02},
    "stability": {"max_steps": 3},
}  # fmt: skip


def command(config: Path, out: Path, workers: int = 1) -> list[str]:
    return [
        sys.executable, str(SCRIPT), "--dopants", "Ta", "--x", "1/12", "--config", str(config),
        "--out", str(out), "--workers", str(workers), "--device", "cpu",
    ]  # fmt: skip


def environment(log: Path) -> dict[str, str]:
    return {**os.environ, "EVALUATION_LOG": str(log), "OMP_NUM_THREADS": "1"}


def evaluations(log: Path) -> int:
    return log.read_text().count("x") if log.exists() else 0


def run_and_kill(config: Path, out: Path, log: Path, *, at: int, workers: int) -> bool:
    """Start the screen and kill the whole process group at `at` evaluations; False when it ended before."""
    process = subprocess.Popen(
        command(config, out, workers), cwd=out.parent, env=environment(log), start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    while process.poll() is None:
        if evaluations(log) >= at:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return True
        time.sleep(0.05)
    return False


def finished(out: Path) -> dict[str, tuple[float, int, str]]:
    """Energy, force calls and time of creation of every finished computation."""
    store = RecordStore(out / "store.db")
    return {r.key: (r.energy, r.n_force_calls, r.created) for r in store.results()}


@pytest.mark.slow
def test_five_kills_cost_at_most_ten_calls_per_system_in_flight(tmp_path: Path) -> None:
    config = tmp_path / "tiny.yaml"
    config.write_text(yaml.safe_dump(TINY))
    straight, broken = tmp_path / "straight", tmp_path / "broken"
    straight_log, broken_log = tmp_path / "straight.log", tmp_path / "broken.log"

    done = subprocess.run(
        command(config, straight),
        cwd=tmp_path,
        env=environment(straight_log),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    expected = finished(straight)
    total = evaluations(straight_log)
    assert total == sum(calls for _, calls, _ in expected.values()), "a record does not tell its true force calls"

    seen: dict[str, tuple[float, int, str]] = {}
    for kill, workers in enumerate(WORKERS_OF_KILLS, start=1):
        at = max(evaluations(broken_log) + 1, total * kill // (len(WORKERS_OF_KILLS) + 1))
        killed = run_and_kill(config, broken, broken_log, at=at, workers=workers)
        assert killed, "the screen ended before it could be killed"
        now = finished(broken)
        assert {key: now[key] for key in seen} == seen, "a finished record was touched again"
        seen = now
    done = subprocess.run(
        command(config, broken), cwd=tmp_path, env=environment(broken_log), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]

    result = finished(broken)
    assert result.keys() == expected.keys()
    assert {key: result[key] for key in seen} == seen
    for key, (energy, _, _) in expected.items():
        assert result[key][0] == pytest.approx(energy, abs=1e-3)
    extra = evaluations(broken_log) - total
    assert extra <= EXTRA_CALLS_PER_SYSTEM * sum(WORKERS_OF_KILLS)
    assert (broken / "ranking.csv").read_text() == (straight / "ranking.csv").read_text()
    status = yaml.safe_load((broken / "summary.yaml").read_text())
    assert status["status"] == "finished"
