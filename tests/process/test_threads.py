"""One rule for threads, in the driver and in its workers."""

import json
import os
import subprocess
import sys

import pytest

from screening.engine.running.workers import process_pool
from screening.process.threads import VARIABLES, set_environment, thread_count, users_environment

POTENTIAL = "ase:ase.calculators.emt:EMT"


def thread_counts() -> dict[str, set[int]]:
    """Threads of torch, of every BLAS and OpenMP library that is loaded, and what the environment says."""
    import torch
    from threadpoolctl import threadpool_info

    return {
        "torch": {torch.get_num_threads(), torch.get_num_interop_threads()},
        "libraries": {library["num_threads"] for library in threadpool_info()},
        "environment": {int(os.environ[name]) for name in VARIABLES},
    }


DRIVER = """
import json, os, sys
{before}
from screening.potentials.registry import load_potential
load_potential({potential!r}, "cpu", self_check=False)
import scipy.linalg
sys.path.insert(0, {here!r})
from test_threads import thread_counts
print(json.dumps({{name: sorted(counts) for name, counts in thread_counts().items()}}))
"""


@pytest.mark.parametrize("given", [None, "2"])
@pytest.mark.parametrize(
    "before",
    ["import sys", "import numpy, torch; numpy.ones((9, 9)) @ numpy.ones((9, 9)); torch.ones(9).sum()"],
    ids=["fresh", "notebook that has loaded everything"],
)
def test_driver_and_workers_follow_one_number(given: str | None, before: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    if given is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", given)
    wanted = int(given or 1)
    code = DRIVER.format(before=before, potential=POTENTIAL, here=os.path.dirname(__file__))  # noqa: PTH120
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    driver = json.loads(done.stdout)
    with process_pool(1, POTENTIAL, "cpu") as pool:
        worker = pool.submit(thread_counts).result()
    assert driver == {name: [wanted] for name in ("torch", "libraries", "environment")}
    assert worker == {name: {wanted} for name in ("torch", "libraries", "environment")}


@pytest.mark.parametrize(
    ("text", "count"),
    [("3", 3), ("4,2", 4), (" 2 ", 2), ("", 1), ("0", 1), ("all", 1), ("-2", 1), ("1000000", 1), ("9" * 5000, 1)],
)
def test_what_is_no_number_counts_as_one(text: str, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", text)
    assert thread_count() == count


def test_a_program_of_the_users_keeps_the_users_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("screening.process.threads._found", {})
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MKL_NUM_THREADS", "8")
    assert set_environment() == 1
    assert {os.environ[name] for name in VARIABLES} == {"1"}
    with users_environment():
        assert [os.environ.get(name) for name in VARIABLES] == [
            "8" if name == "MKL_NUM_THREADS" else None for name in VARIABLES
        ]
    assert {os.environ[name] for name in VARIABLES} == {"1"}
