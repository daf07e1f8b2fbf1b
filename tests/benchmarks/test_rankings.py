"""Two rankings side by side."""

from __future__ import annotations

import pandas as pd
import pytest
from rankings import VALUES, compare


def ranking(names: str, ranks: list[float | None], barrier: float = 0.5) -> pd.DataFrame:
    columns = dict.fromkeys(VALUES, 0.1) | {"migration_barrier_eV": barrier}
    return pd.DataFrame({"candidate": list(names), "rank": ranks, **columns})


def test_equal_rankings_agree() -> None:
    found = compare(ranking("abcd", [1, 2, 3, None]), ranking("dcba", [None, 3, 2, 1], barrier=0.52))
    assert found["spearman"] == pytest.approx(1.0)
    assert found["top_3_equal"]
    assert (found["n_ranked_in_both"], found["ranked_in_one_only"]) == (3, [])
    assert found["largest_change"]["migration_barrier_eV"] == pytest.approx(0.02)


def test_a_swap_and_a_lost_candidate_are_seen() -> None:
    found = compare(ranking("abcd", [1, 2, 3, 4]), ranking("abcd", [2, 1, None, 3]))
    assert found["spearman"] == pytest.approx(0.5)
    assert not found["top_3_equal"]
    assert found["ranked_in_one_only"] == ["c"]
