"""Every test has a cache of its own and hears signals, whatever was computed before and whoever started pytest."""

import os
import signal

import pytest

from screening.process.stopping import SIGNALS

# what a user would set: several processes share the cores, and programs that tests start are told as well
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("COATSCREEN_CACHE", str(tmp_path / "coatscreen-cache"))


@pytest.fixture(scope="session", autouse=True)
def _signals_are_heard() -> None:
    """A shell's background job (and nohup) starts with signals ignored, which every process below would inherit."""
    for number in SIGNALS:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
