"""The example of docs/notebook.md is run block by block, and prints what stands there.

Its screen is the one of `tiny_run`, which the command line has computed: here the same call finds everything in the
store. That is what the page promises of a call that is made again, and it shows that a notebook and the command line
mean the same screen.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pandas as pd
import pytest
from notebook_doc import blocks, outputs, words

from screening import load_run, rank
from screening.campaign.load import StoredRun
from screening.engine.running.store import RecordStore
from screening.tracking.session import QUIET


@pytest.fixture(scope="module")
def folder(tiny_run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("notebook")
    shutil.copytree(tiny_run_folder, made / "runs" / "notebook")
    shutil.copy(tiny_run_folder.parent / "mlflow.db", made)
    return made


@pytest.fixture(scope="module")
def printed(folder: Path) -> list[str]:
    """What the blocks print."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
    own = {"COATSCREEN_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"}
    return outputs(folder, kept | QUIET | own)


@pytest.fixture
def run(printed: list[str], folder: Path) -> StoredRun:
    return load_run(folder / "runs" / "notebook")


@pytest.mark.slow
def test_each_block_prints_what_stands_below_it(printed: list[str]) -> None:
    stated = [text for _, text in blocks()]
    assert len(printed) == len(stated) > 5
    for text, expected in zip(printed, stated, strict=True):
        assert words(text) == words(expected)


@pytest.mark.slow
def test_the_screen_of_the_notebook_is_that_of_the_command_line(run: StoredRun, tiny_run_folder: Path) -> None:
    computed = RecordStore(tiny_run_folder / "store.db").results()
    assert len(computed) > 20
    assert RecordStore(run.folder / "store.db").results() == computed, "something was computed, or computed again"


@pytest.mark.slow
def test_the_frame_is_the_csv_of_the_screen(run: StoredRun) -> None:
    pd.testing.assert_frame_equal(rank(run).to_frame(), pd.read_csv(run.folder / "ranking.csv"))


@pytest.mark.slow
def test_structures_are_those_that_the_records_rest_on(run: StoredRun) -> None:
    found = run.structures()
    assert {name.split("/")[0] for name in found} == {candidate.name for candidate in run.candidates}
    for candidate in run.candidates:
        dopants = {s.element: s.count for s in candidate.defects.substitutions}
        symbols = found[f"{candidate.name}/bulk"].get_chemical_symbols()
        assert {element: symbols.count(element) for element in dopants} == dopants
