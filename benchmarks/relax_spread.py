"""How the search of a cold slab or interface depends on its seed, beside ASE from the same structure.

    OMP_NUM_THREADS=1 python benchmarks/relax_spread.py --benchmark docs/relax-benchmark.json --json OUT --seeds 5

A relaxation of such a structure ends in one of many minima, and the displaced starts of `relax.py`'s search are draws:
what it finds and what it costs is a distribution. ASE's energies and calls are those of `relax.py`'s JSON.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from peers import machine, read_json, table, write_json
from relax_cases import CASES, Builder
from relax_sides import SETTINGS, STARTS, measure

from screening.potentials.registry import load_potential

ALLOWED = 1.0
"""meV/atom above ASE's energy that count as equal."""


def summary(runs: Sequence[Mapping[str, Any]], row: Mapping[str, Any]) -> dict[str, Any]:
    """Final energies against ASE's, meV/atom, and calls of the seeds of one case; `row` is its row of `relax.py`."""
    above = sorted(1000 * (run["energy_eV"] - row["energy_ase_eV"]) / row["n_atoms"] for run in runs)
    return {
        "case": row["case"],
        "n_atoms": row["n_atoms"],
        "seeds": len(runs),
        "lowest_meV_atom": above[0],
        "median_meV_atom": statistics.median(above),
        "highest_meV_atom": above[-1],
        "not_higher": sum(value <= ALLOWED for value in above),
        "converged": sum(run["converged"] for run in runs),
        "calls": statistics.median(run["calls"] for run in runs),
        "calls_lbfgs": row["force_calls_lbfgs"],
        "call_ratio_lbfgs": statistics.median(row["force_calls_lbfgs"] / run["calls"] for run in runs),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--benchmark", type=Path, required=True)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--potential", default="chgnet")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", default="", help="cases whose name holds this")
    arguments = parser.parse_args()
    potential = load_potential(arguments.potential, "cpu")
    builder, runs = Builder(potential), read_json(arguments.json).get("runs", {})
    about: dict[str, Any] = {
        "rattle_A": SETTINGS.rattle,
        "move": SETTINGS.move,
        "displaced_starts": STARTS,
        "fmax_eV_A": SETTINGS.fmax,
    }
    about["machine"] = machine(arguments.potential)
    peers = {row["case"]: row for row in read_json(arguments.benchmark)["rows"]}
    cases = {case.name: case for case in CASES if case.kind != "bulk" and arguments.only in case.name}

    def rows() -> list[dict[str, Any]]:
        return [summary(own, peers[name]) for name, own in runs.items() if own]

    for name, case in cases.items():
        own, cold = runs.setdefault(name, []), builder.cold(case)
        for seed in range(len(own), arguments.seeds):
            own.append(measure("search", cold, case.cell, potential, seed))
            print(name, seed, own[-1]["calls"], own[-1]["energies_eV"], flush=True)
            write_json(arguments.json, {**about, "rows": rows(), "runs": runs})
    write_json(arguments.json, {**about, "rows": rows(), "runs": runs})
    columns = {"case": "case", "seeds": "seeds", "calls": "calls, median", "calls_lbfgs": "ASE L-BFGS"}
    columns |= {"call_ratio_lbfgs": "L-BFGS / ours"}
    columns |= {f"{kind}_meV_atom": kind for kind in ("lowest", "median", "highest")}
    columns |= {"not_higher": "equal or lower"}
    formats = dict.fromkeys(columns, ".2f") | dict.fromkeys(("seeds", "calls_lbfgs", "not_higher"), "d")
    print(table(rows(), columns, formats | {"calls": ".0f"}))


if __name__ == "__main__":
    main()
