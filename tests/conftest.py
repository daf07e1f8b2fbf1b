"""Every test has a cache of its own: nothing that a developer computed before may answer for the code."""

import os

import pytest

# what a user would set: several processes share the cores, and programs that tests start are told as well
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("COATSCREEN_CACHE", str(tmp_path / "coatscreen-cache"))
