"""Every test has a cache of its own and hears signals, whatever was computed before and whoever started pytest."""

import logging
import os
import signal
from pathlib import Path

import pytest
from shared import once

from screening.process.cores import available_cores
from screening.process.stopping import SIGNALS

# what a user would set: several processes share the cores, and programs that tests start are told as well
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One process per core that this one may use; PYTEST_XDIST_AUTO_NUM_WORKERS says otherwise."""
    return int(os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS", available_cores()))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first: begun last, one of them would keep a single core busy at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def tiny_run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a finished tiny screen, ``run`` beside its ``mlflow.db``; tests that write into it work on a copy."""
    from tiny_run import compute

    return once(tmp_path_factory, "tiny-run", compute) / "run"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("COATSCREEN_CACHE", str(tmp_path / "coatscreen-cache"))


@pytest.fixture(scope="session", autouse=True)
def _signals_are_heard() -> None:
    """A shell's background job (and nohup) starts with signals ignored, which every process below would inherit."""
    for number in SIGNALS:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


@pytest.fixture
def own_logging(monkeypatch: pytest.MonkeyPatch) -> None:
    """The program sets up logging, which would stay."""
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", list(root.handlers))
    monkeypatch.setattr(root, "level", root.level)


@pytest.fixture
def own_tracking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow's default store in the test's own folder, which is the current one; nobody's server is asked."""
    from screening.tracking.session import QUIET

    monkeypatch.chdir(tmp_path)
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in QUIET.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def antimonate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Name of a toy host that lies beside the shipped ones."""
    from toy_host import ANTIMONATE, put_beside_the_shipped

    put_beside_the_shipped(tmp_path / "assets", monkeypatch, {"ToyLSO.yaml": ANTIMONATE})
    return "ToyLSO"
