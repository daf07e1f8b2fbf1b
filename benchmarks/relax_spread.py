"""Where relaxations of one structure end when its start is shaken a little: our engine beside ASE's L-BFGS.

    OMP_NUM_THREADS=1 python benchmarks/relax_spread.py --json OUT --starts 6

One relaxation of a cut slab or interface ends in one of many minima, and which one depends on the last digits of the
start. Only the distribution of final energies tells whether one optimiser ends higher than another.
"""

from __future__ import annotations

import argparse
import statistics
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peers import machine, read_json, table, write_json
from relax import MAX_STEPS, measure
from relax_cases import CASES, Builder

from screening.potentials.registry import load_potential
from screening.structures.placements import rattled

AMPLITUDE = 0.02
"""A, standard deviation of the shake: the thermal motion at some 20 K."""
NAMES = ("Mg on Li 1/12, slab", "Ta on Nb 2/12, interface", "Mg on Nb 1/12, interface")
SIDES = ("ours", "lbfgs")


def summary(runs: Mapping[str, Sequence[Mapping[str, Any]]], n_atoms: int) -> dict[str, Any]:
    """Final energies of one case in meV/atom above the lowest of all its runs, and median calls, by side."""
    lowest = min(run["energy_eV"] for side in runs.values() for run in side)
    found: dict[str, Any] = {"n_atoms": n_atoms, "starts": min(len(side) for side in runs.values())}
    for side, own in runs.items():
        above = sorted(1000 * (run["energy_eV"] - lowest) / n_atoms for run in own)
        found |= {f"above_{side}_meV_atom": above, f"median_{side}_meV_atom": statistics.median(above)}
        found |= {f"lowest_{side}_meV_atom": above[0], f"highest_{side}_meV_atom": above[-1]}
        found |= {f"calls_{side}": statistics.median(run["calls"] for run in own)}
        found |= {f"unconverged_{side}": sum(not run["converged"] for run in own)}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--potential", default="chgnet")
    parser.add_argument("--starts", type=int, default=6)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", message="logm result may be inaccurate")
    potential = load_potential(arguments.potential, "cpu")
    builder, runs = Builder(potential), read_json(arguments.json).get("runs", {})
    about = {"amplitude_A": AMPLITUDE, "max_steps": MAX_STEPS, "machine": machine(arguments.potential)}
    rows: list[dict[str, Any]] = []
    for case in [case for case in CASES if case.name in NAMES]:
        own, cold = runs.setdefault(case.name, {side: [] for side in SIDES}), builder.cold(case)
        done = [row for row in rows if row["case"] != case.name]
        for seed in range(arguments.starts):
            start = rattled(cold, AMPLITUDE, np.random.default_rng(seed))
            for side in [side for side in SIDES if len(own[side]) <= seed]:
                own[side].append(measure(side, start, case.cell, potential))
                print(case.name, seed, side, own[side][-1]["calls"], own[side][-1]["energy_eV"], flush=True)
            rows = [*done, {"case": case.name} | summary(own, len(cold))]
            write_json(arguments.json, {**about, "rows": rows, "runs": runs})
    columns = {"case": "case", "starts": "starts"}
    for side in SIDES:
        columns |= {f"calls_{side}": f"calls, {side}"}
        columns |= {f"{kind}_{side}_meV_atom": f"{kind}, {side}" for kind in ("lowest", "median", "highest")}
    formats = dict.fromkeys(columns, ".1f") | {"starts": "d", "calls_ours": ".0f", "calls_lbfgs": ".0f"}
    print(table(rows, columns, formats))


if __name__ == "__main__":
    main()
