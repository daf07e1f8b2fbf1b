"""Force calls and wall time of a relaxation: our engine beside ASE's L-BFGS and FIRE on the same potential.

    OMP_NUM_THREADS=1 python benchmarks/relax.py --json OUT --potential chgnet [--case FILE --cell full]

Our side is one relaxation for bulk cells and warm starts. A slab or interface as cut from crystals has many minima, and
there it is the campaign's starts of a parent with `move: soft` (`search`): as given and two displaced ones, of which
the lowest is relaxed to the end. One relaxation of the given start stands beside it (`descent`). Every side stops by
the same criterion, `Coordinates.fmax` at 0.05 eV/A (for a full cell the stress counts as a force; ASE relaxes that cell
through its FrechetCellFilter and is stopped from outside), and every structure that is evaluated counts. ASE's
optimisers run with their defaults, L-BFGS from the first displaced start as well. Rows are written as they come and a
second run goes on after them; `--again` computes only our side anew. torch-sim is no side: it needs Python 3.12 and has
no CHGNet.
"""

from __future__ import annotations

import argparse
import json
import statistics
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import ase.io
from ase import Atoms
from peers import machine, read_json, table, write_json
from relax_cases import CASES, Builder, Case, Cell
from relax_sides import FMAX, MAX_STEPS, SETTINGS, STARTS, Run, descend, measure

from screening.potentials.registry import load_potential

Start = Literal["cold", "warm"]
OUR_SIDES = ("descent", "search")


def row_of(name: str, runs: Mapping[str, Any]) -> dict[str, Any]:
    """One row. Our figures are those of the search where there was one; ASE's those of its better optimiser from the
    given start: converged before not, then fewer calls."""
    descent, lbfgs, fire, n_atoms = runs["descent"], runs["lbfgs"], runs.get("fire"), runs["n_atoms"]
    ours, displaced = runs.get("search", descent), runs.get("lbfgs_displaced")
    best: Run = min(
        [run for run in (lbfgs, fire) if run is not None], key=lambda run: (not run["converged"], run["calls"])
    )

    def above(run: Run, other: Run) -> float:
        return float(1000 * (run["energy_eV"] - other["energy_eV"]) / n_atoms)

    row: dict[str, Any] = {
        "case": name,
        "n_atoms": n_atoms,
        "search": "search" in runs,
        "force_calls": ours["calls"],
        "force_calls_descent": descent["calls"],
        "force_calls_ase": best["calls"],
        "force_calls_lbfgs": lbfgs["calls"],
        "force_calls_fire": None if fire is None else fire["calls"],
        "force_calls_lbfgs_displaced": None if displaced is None else displaced["calls"],
        "wall_s": ours["wall_s"],
        "wall_s_descent": descent["wall_s"],
        "wall_s_ase": best["wall_s"],
        "wall_s_lbfgs": lbfgs["wall_s"],
        "wall_s_fire": None if fire is None else fire["wall_s"],
        "overhead": 1.0 - ours["potential_s"] / ours["wall_s"],
        "energy_eV": ours["energy_eV"],
        "energy_descent_eV": descent["energy_eV"],
        "energy_ase_eV": best["energy_eV"],
        "energy_difference_meV_atom": above(ours, best),
        "energy_difference_lbfgs_meV_atom": above(ours, lbfgs),
        "energy_difference_fire_meV_atom": None if fire is None else above(ours, fire),
        "energy_difference_descent_meV_atom": above(descent, best),
        "energy_difference_lbfgs_displaced_meV_atom": None if displaced is None else above(displaced, best),
        "converged": ours["converged"],
        "converged_lbfgs": lbfgs["converged"],
        "converged_fire": None if fire is None else fire["converged"],
    }
    row["call_ratio"] = row["force_calls_ase"] / row["force_calls"]
    row["call_ratio_lbfgs"] = row["force_calls_lbfgs"] / row["force_calls"]
    row["call_ratio_lbfgs_descent"] = row["force_calls_lbfgs"] / row["force_calls_descent"]
    row["wall_ratio_ase"] = row["wall_s_ase"] / row["wall_s"]
    row["cpu_ratio_ase"] = best["cpu_s"] / ours["cpu_s"]
    return row


def medians(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Median ratio over all rows, each ratio for itself; the largest energy difference beside them."""
    names = (
        "call_ratio",
        "call_ratio_lbfgs",
        "call_ratio_lbfgs_descent",
        "wall_ratio_ase",
        "cpu_ratio_ase",
        "overhead",
    )
    found = {name: statistics.median(row[name] for row in rows) for name in names}
    return found | {"max_energy_difference_meV_atom": max(row["energy_difference_meV_atom"] for row in rows)}


PASSES: tuple[tuple[Start, tuple[str, ...]], ...] = (
    ("cold", ("descent", "search", "lbfgs")),
    ("warm", ("descent", "lbfgs")),
    ("cold", ("fire", "lbfgs_displaced")),
)
"""Starts and sides in the order of their use: a benchmark that is cut short lacks the slowest first."""


def sides_of(sides: Sequence[str], *, searched: bool) -> list[str]:
    """The sides that apply: only a searched start is displaced."""
    return [side for side in sides if searched or side not in ("search", "lbfgs_displaced")]


def document(potential: str, runs: dict[str, dict[str, Run]], device: str = "cpu") -> dict[str, Any]:
    """What is written: rows and medians of the cold starts, the same of the warm ones, and every side's run."""
    rows, warm_rows = (
        [row_of(case, one) for case, one in runs[start].items() if {"descent", "lbfgs"} <= one.keys()]
        for start in ("cold", "warm")
    )
    found: dict[str, Any] = {"fmax_eV_A": FMAX, "max_steps": MAX_STEPS, "machine": machine(potential, device)}
    found["search"] = {
        "rattle_A": SETTINGS.rattle,
        "move": SETTINGS.move,
        "displaced_starts": STARTS,
        "fmax_eV_A": SETTINGS.fmax,
    }
    if rows:
        found |= medians(rows)
    calls = {row["case"]: row["force_calls_descent"] for row in rows}
    for row in warm_rows:
        row["force_calls_cold"] = calls.get(row["case"])
    if warm_rows:
        saved = [row["force_calls_cold"] / row["force_calls"] for row in warm_rows if row["force_calls_cold"]]
        ratio = statistics.median(saved) if saved else None
        found["warm"] = medians(warm_rows) | {"cold_calls_over_warm_calls": ratio}
    return found | {"rows": rows, "warm_rows": warm_rows, "runs": runs}


def earlier_runs(path: Path, *, again: bool) -> dict[str, dict[str, Run]]:
    """Runs of an earlier, perhaps unfinished benchmark.

    When our side is wanted again, it is left out of the cold starts; of the warm ones nothing stays, because they start
    from parents that our side relaxed.
    """
    stored = read_json(path).get("runs", {})
    cold, warm = stored.get("cold", {}), stored.get("warm", {})
    if again:
        cold, warm = {case: {k: v for k, v in one.items() if k not in OUR_SIDES} for case, one in cold.items()}, {}
    return {"cold": cold, "warm": warm}


def given_case(path: Path, cell: Cell) -> tuple[str, Atoms, Cell]:
    """A structure of the user's, in any format that ASE reads."""
    atoms = ase.io.read(path)
    assert isinstance(atoms, Atoms)
    return path.stem, atoms, cell


def print_tables(found: Mapping[str, Any]) -> None:
    ratios = ("call_ratio_lbfgs", "call_ratio_lbfgs_descent")
    seconds = ("wall_s", "wall_s_lbfgs", "wall_s_fire")
    energies = {
        "energy_difference_meV_atom": "E - E(ASE), meV/atom",
        "energy_difference_descent_meV_atom": "one relaxation",
        "energy_difference_lbfgs_displaced_meV_atom": "L-BFGS, displaced",
    }
    formats = dict.fromkeys(ratios, ".2f") | dict.fromkeys(seconds, ".1f") | dict.fromkeys(energies, ".2f")
    formats |= {"overhead": ".1%", "energy_difference_lbfgs_meV_atom": ".2f"}
    columns = {"case": "case", "n_atoms": "atoms", "force_calls": "calls, ours", "force_calls_lbfgs": "ASE L-BFGS"}
    cold = columns | {"force_calls_fire": "ASE FIRE", "call_ratio_lbfgs": "L-BFGS / ours"}
    cold |= {"force_calls_descent": "one relaxation", "call_ratio_lbfgs_descent": "L-BFGS / one"}
    cold |= {
        "wall_s": "s, ours",
        "wall_s_lbfgs": "s, L-BFGS",
        "wall_s_fire": "s, FIRE",
        "overhead": "not in the potential",
    }
    print(table(found["rows"], cold, formats))
    displaced = {"case": "case", **energies, "force_calls_lbfgs_displaced": "calls, L-BFGS displaced"}
    print(table([row for row in found["rows"] if row["search"]], displaced, formats))
    if found["warm_rows"]:
        warm = columns | {"force_calls_cold": "cold, ours", "call_ratio_lbfgs": "L-BFGS / ours"}
        warm |= {"energy_difference_lbfgs_meV_atom": "E - E(ASE), meV/atom"}
        print(table(found["warm_rows"], warm, formats))
    print(json.dumps({k: v for k, v in found.items() if k not in ("rows", "warm_rows", "runs")}, indent=1))


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--potential", default="chgnet")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--case", type=Path, help="relax this structure and nothing else")
    parser.add_argument("--cell", choices=("fixed", "full"), default="fixed", help="for --case")
    parser.add_argument("--search", action="store_true", help="for --case: a cut slab or interface, searched")
    parser.add_argument("--no-warm", action="store_true", help="cold starts only")
    parser.add_argument("--again", action="store_true", help="compute our side anew, keep ASE's")
    arguments = parser.parse_args(argv)
    if arguments.search and (arguments.case is None or arguments.cell == "full"):
        parser.error("--search is for a --case of fixed cell: a cut slab or interface")
    # SciPy remarks on the last digits of ASE's logarithm of the deformation, at every step of a full cell
    warnings.filterwarnings("ignore", message="logm result may be inaccurate")
    potential = load_potential(arguments.potential, arguments.device)
    builder, runs = Builder(potential), earlier_runs(arguments.json, again=arguments.again)

    def relax(atoms: Atoms, cell: Cell) -> Atoms:
        return descend(atoms, cell, potential)[1]

    def start_of(case: Case, start: str) -> tuple[str, Atoms, Cell]:
        return case.name, builder.cold(case) if start == "cold" else builder.warm(case, relax), case.cell

    for start, sides in PASSES:
        if start == "warm" and (arguments.no_warm or arguments.case):
            continue
        for case in [None] if arguments.case else CASES:
            wanted = sides_of(sides, searched=arguments.search if case is None else case.kind != "bulk")
            if case is not None and set(wanted) <= runs[start].get(case.name, {}).keys():
                continue
            name, atoms, cell = given_case(arguments.case, arguments.cell) if case is None else start_of(case, start)
            one = runs[start].setdefault(name, {"n_atoms": len(atoms)})
            for side in [side for side in wanted if side not in one]:
                one[side] = measure(side, atoms, cell, potential)
                print(start, name, side, one[side]["calls"], one[side]["converged"], flush=True)
                write_json(arguments.json, document(arguments.potential, runs, arguments.device))
    found = document(arguments.potential, runs, arguments.device)
    write_json(arguments.json, found)
    print_tables(found)


if __name__ == "__main__":
    main()
