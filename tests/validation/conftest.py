from __future__ import annotations

from pathlib import Path

import pytest
from tiny_run import compute

from screening.campaign.load import StoredRun, load_run


@pytest.fixture(scope="session")
def tiny_run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a finished tiny screen; tests that write into it work on a copy."""
    return compute(tmp_path_factory.mktemp("tiny-run"))


@pytest.fixture
def tiny_run(tiny_run_folder: Path) -> StoredRun:
    return load_run(tiny_run_folder)
