"""Worker processes: how they are set up."""

import pytest

from screening.engine.running.workers import process_pool


def thread_counts() -> dict[str, list[int]]:
    """Runs in a worker: threads of torch and of every BLAS and OpenMP library that is loaded."""
    import torch
    from threadpoolctl import threadpool_info

    return {"torch": [torch.get_num_threads()], "libraries": [library["num_threads"] for library in threadpool_info()]}


def test_a_worker_computes_with_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    with process_pool(1, "chgnet", "cpu") as pool:
        counts = pool.submit(thread_counts).result()
    assert counts["torch"] == [1]
    assert counts["libraries"], "numpy brings at least one"
    assert set(counts["libraries"]) == {1}
