"""What one hop from a relaxed slab or interface gives: atoms displaced independently or along soft motions.

    OMP_NUM_THREADS=1 python benchmarks/hop_moves.py --json OUT

Every case of `relax.py` that has a surface is relaxed as cut; from there each move and amplitude is drawn DRAWS times
and relaxed again. Rows are written as they come and a second run goes on after them.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from peers import machine, read_json, table, write_json
from relax_cases import CASES, Builder
from relax_sides import descend

from screening.config import AdhesionSettings
from screening.potentials.registry import load_potential
from screening.properties.adhesion.basin_hopping import moved

Move = Literal["independent", "soft"]
MOVES: dict[Move, tuple[float, ...]] = {"independent": (0.2, 0.25, 0.3), "soft": (0.2, 0.3, 0.4)}
DRAWS = 4
SAME = 1.0
"""meV/atom that do not tell two minima apart."""
MUCH_HIGHER = 10.0
"""meV/atom; such a hop has left a defect behind."""


def summary(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """How the hops of each move and amplitude ended, counted."""
    found = []
    for move, amplitude in sorted({(row["move"], row["amplitude_A"]) for row in rows}):
        own = [row for row in rows if (row["move"], row["amplitude_A"]) == (move, amplitude)]
        gains = [row["gain_meV_atom"] for row in own if row["gain_meV_atom"] is not None]
        found.append(
            {
                "move": move,
                "amplitude_A": amplitude,
                "hops": len(own),
                "failed": len(own) - len(gains),
                "much_higher": sum(gain < -MUCH_HIGHER for gain in gains),
                "same": sum(abs(gain) <= SAME for gain in gains),
                "lower": sum(gain > SAME for gain in gains),
                "calls": statistics.median(row["calls"] for row in own),
                "calls_per_lower": sum(row["calls"] for row in own) / max(sum(gain > SAME for gain in gains), 1),
            }
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--potential", default="chgnet")
    parser.add_argument("--only", default="", help="cases whose name holds this")
    arguments = parser.parse_args()
    potential = load_potential(arguments.potential, "cpu")
    builder, rows = Builder(potential), read_json(arguments.json).get("rows", [])
    for case in [case for case in CASES if case.kind != "bulk" and arguments.only in case.name]:
        wanted = [(move, size, seed) for move, sizes in MOVES.items() for size in sizes for seed in range(DRAWS)]
        done = {(row["move"], row["amplitude_A"], row["seed"]) for row in rows if row["case"] == case.name}
        if done.issuperset(wanted):
            continue
        first, relaxed = descend(builder.cold(case), case.cell, potential)
        for move, size, seed in [key for key in wanted if key not in done]:
            settings = AdhesionSettings(rattle=size, move=move)
            start = moved(relaxed, settings, np.random.default_rng([seed, 77]))
            run = descend(start, case.cell, potential)[0]
            gain = 1000 * (first["energy_eV"] - run["energy_eV"]) / len(relaxed)
            row = {"case": case.name, "move": move, "amplitude_A": size, "seed": seed, "calls": run["calls"]}
            rows.append(row | {"gain_meV_atom": None if np.isnan(gain) else gain, "converged": run["converged"]})
            print(rows[-1], flush=True)
            about = {"machine": machine(arguments.potential)}
            write_json(arguments.json, {**about, "summary": summary(rows), "rows": rows})
    columns = {"move": "move", "amplitude_A": "A", "hops": "hops", "failed": "failed", "much_higher": "10 meV higher"}
    columns |= {"same": "same", "lower": "lower", "calls": "calls, median", "calls_per_lower": "calls per lower one"}
    print(table(summary(rows), columns, {"amplitude_A": ".2f", "calls": ".0f", "calls_per_lower": ".0f"}))


if __name__ == "__main__":
    main()
