"""Every test has a cache of its own: nothing that a developer computed before may answer for the code."""

import pytest


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("COATSCREEN_CACHE", str(tmp_path / "coatscreen-cache"))
