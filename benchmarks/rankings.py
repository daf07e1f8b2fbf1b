"""Compare the rankings of two runs of one screen, for example before and after a change of the engine.

python benchmarks/rankings.py docs/example-ranking-bands.csv docs/example-ranking.csv
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from screening.quantities.table import ranked

VALUES = [entry.column() for entry in ranked()]


def compare(first: pd.DataFrame, second: pd.DataFrame, top: int = 3) -> dict[str, Any]:
    """Spearman correlation of the ranks both runs gave, who is ranked in one of them only, and how far values moved."""
    one, other = (table.set_index("candidate") for table in (first, second))
    both = one.index[one["rank"].notna()].intersection(other.index[other["rank"].notna()])
    best = [list(table.dropna(subset="rank").sort_values("rank").index[:top]) for table in (one, other)]
    moved = {column: float((one[column] - other[column]).abs().max()) for column in VALUES}
    return {
        "n_candidates": len(one),
        "n_ranked_in_both": len(both),
        "ranked_in_one_only": sorted(set(one.index[one["rank"].notna()]) ^ set(other.index[other["rank"].notna()])),
        "spearman": float(one.loc[both, "rank"].corr(other.loc[both, "rank"], method="spearman")),
        f"top_{top}": best,
        f"top_{top}_equal": best[0] == best[1],
        "largest_change": moved,
    }


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first", type=Path, help="a run's ranking.csv")
    parser.add_argument("second", type=Path, help="another run's ranking.csv")
    arguments = parser.parse_args(argv)
    print(json.dumps(compare(pd.read_csv(arguments.first), pd.read_csv(arguments.second)), indent=1))


if __name__ == "__main__":
    main()
