"""SIGTERM, then Ctrl-C, then to the end: each stop is clean, says how to go on, and what it prints goes on."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from mlflow.tracking import MlflowClient

from screening.assets import asset
from screening.engine.running.store import RecordStore

SCRIPT = Path(__file__).parents[1] / "toys" / "counted_screen.py"
ARGUMENTS = ["--dopants", "Mg", "--x", "1/12", "--config", "small.yaml"]
PLACE = ["--workers", "2", "--device", "cpu"]
LOST_PER_SYSTEM = 10
# every stage with work for two processes, and no more: what is stopped need not converge
SMALLER = {"adhesion": {"soc": [1.0], "max_steps": 10}, "migration": {"n_images": 1, "max_steps": 4}}


def write_settings(cwd: Path) -> None:
    settings = yaml.safe_load(asset("configs", "examples", "loop.yaml").read_text(encoding="utf-8"))
    for section, values in SMALLER.items():
        settings[section] |= values
    (cwd / "small.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")


def start(arguments: list[str], cwd: Path) -> subprocess.Popen[str]:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
    environment = {**inherited, "EVALUATION_LOG": str(cwd / "evaluations"), "COATSCREEN_CACHE": str(cwd / "cache")}
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), *arguments], cwd=cwd, env=environment, start_new_session=True, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def evaluations(cwd: Path) -> int:
    log = cwd / "evaluations"
    return log.read_text().count("x") if log.exists() else 0


def finished(folder: Path) -> dict[str, str]:
    return {r.key: r.created for r in RecordStore(folder / "store.db").results()}


def stop(arguments: list[str], cwd: Path, number: int, *, after: int, group: bool) -> tuple[int, str]:
    """Exit code and last line on stderr of a run that is told to stop after so many more evaluations, twice."""
    process, goal = start(arguments, cwd), evaluations(cwd) + after
    while process.poll() is None and evaluations(cwd) < goal:
        time.sleep(0.05)
    assert process.poll() is None, process.communicate()
    tell = os.killpg if group else os.kill
    tell(process.pid, number)
    time.sleep(0.05)
    if process.poll() is None:
        tell(process.pid, number)  # a second one must not cut short what the first has begun
    _, errors = process.communicate()
    assert "Traceback" not in errors
    return process.returncode, errors.strip().splitlines()[-1]


def command_in(line: str) -> list[str]:
    """Arguments of the command that a last line names, without the program's name."""
    return shlex.split(line.split("continues where it was: ")[1])[1:]


def status_in_mlflow(cwd: Path) -> str:
    client = MlflowClient(tracking_uri=f"sqlite:///{cwd / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("coatscreen")
    (run,) = [r for r in client.search_runs([experiment.experiment_id]) if "coatscreen.campaign" in r.data.tags]
    return str(run.info.status)


@pytest.mark.slow
def test_two_stops_and_what_they_print_reach_the_end(tmp_path: Path) -> None:
    write_settings(tmp_path)
    code, line = stop([*ARGUMENTS, *PLACE], tmp_path, signal.SIGTERM, after=40, group=False)
    assert code == 143
    assert line.startswith("screen: stopped by SIGTERM; the same command continues where it was: ")
    arguments = command_in(line)
    (folder,) = (tmp_path / "runs").iterdir()
    # the default folder has the day in its name, and the run may go on tomorrow
    assert arguments == [*ARGUMENTS, *PLACE, "--out", f"runs/{folder.name}"]
    summary = yaml.safe_load((folder / "summary.yaml").read_text())
    assert (summary["status"], summary["reason"]) == ("stopped", "stopped by SIGTERM")
    assert status_in_mlflow(tmp_path) == "KILLED"
    first = finished(folder)
    assert first

    code, line = stop(arguments, tmp_path, signal.SIGINT, after=40, group=True)
    assert code == 130
    assert line.startswith("screen: stopped by Ctrl-C; the same command continues where it was: ")
    assert command_in(line) == arguments
    summary = yaml.safe_load((folder / "summary.yaml").read_text())
    assert (summary["status"], summary["reason"]) == ("stopped", "stopped by Ctrl-C")
    assert status_in_mlflow(tmp_path) == "KILLED"
    second = finished(folder)
    assert first.items() < second.items(), "a finished computation was touched again"

    last = start(arguments, tmp_path)
    output, errors = last.communicate()
    assert last.returncode == 0, errors
    done = RecordStore(folder / "store.db").results()
    assert second.items() <= {r.key: r.created for r in done}.items()
    needed = sum(r.n_force_calls for r in done)
    assert evaluations(tmp_path) <= needed + 2 * 2 * LOST_PER_SYSTEM
    summary = yaml.safe_load((folder / "summary.yaml").read_text())
    assert (summary["status"], summary.get("reason")) == ("finished", None)
    assert status_in_mlflow(tmp_path) == "FINISHED"

    counts = [int(n) for n in re.findall(r"and (\d+) force calls in all", output)]
    assert counts == sorted(counts), "a count began again with a stage"
    assert output.startswith("loading ...\n")
    assert f"rank {shlex.quote(str(folder.relative_to(tmp_path)))}" in output
