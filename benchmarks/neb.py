"""Force calls, wall time and barrier of single Li hops: our engine beside ASE's NEB and matcalc's NEBCalc.

    OMP_NUM_THREADS=1 python benchmarks/neb.py --json OUT --potential chgnet [--case FILE_A FILE_B] [--modes 3]

*Cold single hop*: every side gets the same two end points as cut from the relaxed cell and does everything itself:
relaxes both to END_FMAX (ours with our engine, ASE's and matcalc with their optimiser), spans the band and converges it
to FMAX. Every structure that is evaluated counts. All sides use one potential. ASE runs `improvedtangent` with a
climbing image from IDPP along the minimum image, one calculator per image and end points that are evaluated once; its
springs and optimisers are the defaults. matcalc (extra `bench`) runs as shipped, with the same images and fmax. What a
side gave is written at once, and a second run goes on after it; `--again` computes only our side anew.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import statistics
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase import Atoms
from ase.mep import NEB
from ase.optimize import FIRE, LBFGS
from hop_cases import HopCase, campaign_cases, hop_cases
from peers import CountingCalculator, CountingPotential, machine, read_json, table, write_json

from screening.engine.running.run import run_tasks
from screening.engine.tasks import NebTask, RelaxTask, Result
from screening.potentials.base import Potential
from screening.potentials.registry import load_potential

FMAX = 0.05
END_FMAX = 0.02
N_IMAGES = 5
MAX_STEPS = 500
MOVING = 0.15
"""A. Atoms that move farther between the saddle and both end points take part in the hop."""
SHIFT = 0.02
"""A, of the finite differences behind a Hessian."""

Run = dict[str, Any]


def run_ours(case: HopCase, potential: Potential, n_images: int) -> tuple[Run, Result]:
    """Our engine: end points together, then the band."""
    counted = CountingPotential(potential)
    started, cpu = time.perf_counter(), time.process_time()
    ends = [RelaxTask(recipe={}, atoms=atoms, fmax=END_FMAX, max_steps=300) for atoms in (case.initial, case.final)]
    first, last = run_tasks(ends, ["initial", "final"], counted, None)
    ends_calls = counted.n_calls
    band = band_task(first, last, n_images)
    (result,) = run_tasks([band], ["band"], counted, None)
    energies = np.array(result.image_energies)
    run = {
        "calls": counted.n_calls,
        "band_calls": counted.n_calls - ends_calls,
        "wall_s": time.perf_counter() - started,
        "cpu_s": time.process_time() - cpu,
        "potential_s": counted.seconds,
        "converged": first.converged and last.converged and result.converged,
        "barrier_eV": float(energies.max() - energies[0]) if len(energies) else None,
        "energies_eV": (energies - energies[0]).tolist() if len(energies) else [],
        "fmax": result.fmax,
        "flags": list(result.atoms.info.get("flags", [])),
    }
    return run, result


def band_task(first: Result, last: Result, n_images: int) -> NebTask:
    return NebTask(
        recipe={},
        initial=first.atoms,
        final=last.atoms,
        initial_energy=first.energy,
        final_energy=last.energy,
        n_images=n_images,
        fmax=FMAX,
    )


def run_ase(optimizer: Any, case: HopCase, potential: Potential, n_images: int) -> Run:
    """ASE's NEB with one of its optimisers."""
    started, cpu = time.perf_counter(), time.process_time()
    calculators, ends = [], []
    for atoms in (case.initial, case.final):
        end = atoms.copy()
        end.calc = CountingCalculator(potential)
        calculators.append(end.calc)
        optimizer(end, logfile=None).run(fmax=END_FMAX, steps=MAX_STEPS)
        ends.append(end)
    ends_calls = sum(calculator.n_calls for calculator in calculators)
    images = [ends[0], *(ends[0].copy() for _ in range(n_images)), ends[1]]
    for image in images[1:-1]:
        image.calc = CountingCalculator(potential)
        calculators.append(image.calc)
    neb = NEB(images, climb=True, method="improvedtangent")
    neb.interpolate("idpp", mic=True)
    converged = optimizer(neb, logfile=None).run(fmax=FMAX, steps=MAX_STEPS)
    energies = np.array([image.get_potential_energy() for image in images])
    calls = sum(calculator.n_calls for calculator in calculators)
    return {
        "calls": calls,
        "band_calls": calls - ends_calls,
        "wall_s": time.perf_counter() - started,
        "cpu_s": time.process_time() - cpu,
        "converged": bool(converged),
        "barrier_eV": float(energies.max() - energies[0]),
        "energies_eV": (energies - energies[0]).tolist(),
    }


def run_matcalc(case: HopCase, potential: Potential, n_images: int) -> Run:
    """matcalc's NEBCalc as shipped: its own end-point relaxation, interpolation and BFGS."""
    from matcalc import NEBCalc
    from pymatgen.io.ase import AseAtomsAdaptor

    calculator = CountingCalculator(potential)
    started, cpu = time.perf_counter(), time.process_time()
    neb = NEBCalc(calculator, fmax=FMAX, max_steps=MAX_STEPS)
    structures = [AseAtomsAdaptor.get_structure(bare(atoms)) for atoms in (case.initial, case.final)]
    with contextlib.redirect_stdout(io.StringIO()):  # its optimiser prints every step
        ends = neb.calc_endpoints(*structures, relax_calc_kwargs={"fmax": END_FMAX})
        first, last = (end["final_structure"] for end in ends)
        interpolated = neb.calc_images(first, last, n_images=n_images, autosort_tol=0)
    return {
        "calls": calculator.n_calls,
        "wall_s": time.perf_counter() - started,
        "cpu_s": time.process_time() - cpu,
        "converged": bool(interpolated["converged"]),
        "barrier_eV": float(interpolated["barrier"]),
    }


def bare(atoms: Atoms) -> Atoms:
    """Only what pymatgen can take along: species, cell and positions."""
    return Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=True)


def lowest_modes(task_ends: Sequence[Atoms], saddle: Atoms, potential: Potential) -> tuple[int, list[float]]:
    """Atoms that take part in a hop, and the lowest eigenvalues (eV/A^2) of their Hessian at the saddle.

    Central differences of the true forces.
    """
    from ase.geometry import find_mic

    moved = np.min(
        [
            np.linalg.norm(find_mic(saddle.positions - end.positions, saddle.cell, saddle.pbc)[0], axis=1)
            for end in task_ends
        ],
        axis=0,
    )
    moving = np.flatnonzero(moved > MOVING)
    rows = []
    for atom in moving:
        for axis in range(3):
            forces = []
            for sign in (1, -1):
                shifted = saddle.copy()
                shifted.set_constraint()
                shifted.positions[atom, axis] += sign * SHIFT
                forces.append(potential.evaluate([shifted])[0].forces[moving].ravel())
            rows.append((forces[1] - forces[0]) / (2 * SHIFT))
    hessian = np.array(rows)
    return len(moving), np.linalg.eigvalsh((hessian + hessian.T) / 2)[:3].tolist()


def row_of(case: str, n_atoms: int, runs: dict[str, Run]) -> dict[str, Any]:
    """One row of the table from the runs of all sides; `*_ase` is the better of ASE's two that converged."""
    ours, sides = runs["ours"], {name: runs[name] for name in ("lbfgs", "fire")}
    best = min(sides.values(), key=lambda run: (not run["converged"], run["calls"]))
    matcalc = runs.get("matcalc") or {}
    return {
        "case": case,
        "n_atoms": n_atoms,
        "force_calls": ours["calls"],
        "force_calls_ase": best["calls"],
        "force_calls_lbfgs": sides["lbfgs"]["calls"],
        "force_calls_fire": sides["fire"]["calls"],
        "force_calls_matcalc": matcalc.get("calls"),
        "band_calls": ours["band_calls"],
        "band_calls_ase": best["band_calls"],
        "band_calls_fire": sides["fire"]["band_calls"],
        "wall_s": ours["wall_s"],
        "wall_s_ase": best["wall_s"],
        "wall_s_matcalc": matcalc.get("wall_s"),
        "barrier_eV": ours["barrier_eV"],
        "barrier_ase_eV": best["barrier_eV"],
        "difference_meV": 1000 * abs(ours["barrier_eV"] - best["barrier_eV"]),
        "fmax": ours["fmax"],
        "converged": ours["converged"],
        "converged_ase": best["converged"],
        "converged_fire": sides["fire"]["converged"],
        "converged_matcalc": matcalc.get("converged"),
        "modes": ours.get("modes"),
    }


def medians(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Median ratios, theirs over ours, and the smallest ratio to ASE's better one."""

    def ratio(theirs: str, ours: str) -> float | None:
        found = [row[theirs] / row[ours] for row in rows if row.get(theirs) is not None]
        return statistics.median(found) if found else None

    return {
        "call_ratio": ratio("force_calls_ase", "force_calls"),
        "call_ratio_fire": ratio("force_calls_fire", "force_calls"),
        "call_ratio_smallest": min(row["force_calls_ase"] / row["force_calls"] for row in rows),
        "band_call_ratio": ratio("band_calls_ase", "band_calls"),
        "band_call_ratio_fire": ratio("band_calls_fire", "band_calls"),
        "wall_ratio_ase": ratio("wall_s_ase", "wall_s"),
        "wall_ratio_matcalc": ratio("wall_s_matcalc", "wall_s"),
        "largest_difference_meV": max(row["difference_meV"] for row in rows),
    }


PRINTED = ("calls", "band_calls", "wall_s", "cpu_s", "converged", "barrier_eV", "fmax")
COLUMNS = {
    "case": "hop",
    "n_atoms": "atoms",
    "force_calls": "calls",
    "force_calls_lbfgs": "ASE L-BFGS",
    "force_calls_fire": "ASE FIRE",
    "force_calls_matcalc": "matcalc",
    "wall_s": "wall, s",
    "wall_s_ase": "ASE's better",
    "wall_s_matcalc": "matcalc",
    "barrier_eV": "barrier, eV",
    "barrier_ase_eV": "ASE",
    "difference_meV": "difference, meV",
    "fmax": "force at the saddle, eV/A",
}
FORMATS = {
    "wall_s": ".0f", "wall_s_ase": ".0f", "wall_s_matcalc": ".0f", "barrier_eV": ".3f", "barrier_ase_eV": ".3f",
    "difference_meV": ".1f", "fmax": ".3f",
}  # fmt: skip


def measure(case: HopCase, runs: dict[str, Run], potential: Potential, arguments: argparse.Namespace) -> Iterator[str]:
    """Run every side that has no run yet, in turn; yields the side's name after each."""
    if "ours" not in runs or arguments.again:
        runs["ours"], result = run_ours(case, potential, arguments.images)
        if arguments.modes and result.images:
            found = lowest_modes([result.images[0], result.images[-1]], result.atoms, potential)
            runs["ours"]["modes"] = {"moving_atoms": found[0], "lowest_eV_A2": found[1]}
            arguments.modes -= 1
        yield "ours"
    for name, optimizer in (("lbfgs", LBFGS), ("fire", FIRE)):
        if name not in runs:
            runs[name] = run_ase(optimizer, case, potential, arguments.images)
            yield name
    if "matcalc" not in runs and arguments.matcalc:
        runs["matcalc"] = run_matcalc(case, potential, arguments.images)
        yield "matcalc"


def campaign(potential: Potential) -> dict[str, Any]:
    """All chosen hops of one doped cell: end points shared by our engine, and every hop cold by itself."""
    hops, sites = campaign_cases(potential)
    counted = CountingPotential(potential)
    started = time.perf_counter()
    labels = list(sites)
    tasks = [RelaxTask(recipe={}, atoms=sites[label], fmax=END_FMAX, max_steps=300) for label in labels]
    ends = dict(zip(labels, run_tasks(tasks, [f"end {label}" for label in labels], counted, None), strict=True))
    bands = [band_task(*hop.relaxed(ends), N_IMAGES) for hop in hops]
    results = run_tasks(bands, [hop.name for hop in hops], counted, None)
    wall = time.perf_counter() - started
    rows: list[dict[str, Any]] = []
    for hop, result in zip(hops, results, strict=True):
        side = run_ase(LBFGS, hop.cold(), potential, N_IMAGES)
        barrier = float(max(result.image_energies) - result.image_energies[0])
        rows.append(
            {"case": hop.name, "band_calls": result.n_force_calls, "converged": result.converged, "barrier_eV": barrier}
            | {f"{key}_ase": side[key] for key in ("calls", "wall_s", "converged", "barrier_eV")}
        )
        print(rows[-1], flush=True)
    theirs = sum(row["calls_ase"] for row in rows)
    return {
        "n_hops": len(rows),
        "n_end_points": len(ends),
        "force_calls": counted.n_calls,
        "force_calls_ase": theirs,
        "call_ratio": theirs / counted.n_calls,
        "wall_ratio_ase": sum(row["wall_s_ase"] for row in rows) / wall,
        "rows": rows,
    }


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--potential", default="chgnet")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--images", type=int, default=N_IMAGES, help="intermediate images on every side")
    parser.add_argument("--case", nargs=2, metavar=("FILE_A", "FILE_B"), help="two end points, atoms in one order")
    parser.add_argument("--only", help="built-in hops whose name contains this")
    parser.add_argument("--modes", type=int, default=0, help="lowest modes of the first N saddles")
    parser.add_argument("--again", action="store_true", help="compute our side anew")
    parser.add_argument("--no-matcalc", dest="matcalc", action="store_false")
    parser.add_argument("--campaign", action="store_true", help="only the table of all hops of one doped cell")
    arguments = parser.parse_args(argv)
    warnings.simplefilter("ignore")
    potential = load_potential(arguments.potential, arguments.device)
    document = read_json(arguments.json)
    document["machine"] = machine(arguments.potential, arguments.device)
    if arguments.campaign:
        document["campaign"] = campaign(potential)
        write_json(arguments.json, document)
        print(json.dumps({key: value for key, value in document["campaign"].items() if key != "rows"}))
        return
    runs = document.setdefault("runs", {})
    if arguments.case:
        first, last = (ase.io.read(file) for file in arguments.case)
        assert isinstance(first, Atoms)
        assert isinstance(last, Atoms)
        cases = iter([HopCase(name=" to ".join(arguments.case), initial=first, final=last)])
    else:
        cases = hop_cases(potential, arguments.only)
    for case in cases:
        own = runs.setdefault(case.name, {"n_atoms": len(case.initial)})
        for side in measure(case, own, potential, arguments):
            write_json(arguments.json, document)
            print(case.name, side, {key: own[side].get(key) for key in PRINTED}, flush=True)
        document["rows"] = [row_of(name, sides["n_atoms"], sides) for name, sides in runs.items() if "fire" in sides]
        document |= medians(document["rows"])
        write_json(arguments.json, document)
    print(table(document["rows"], COLUMNS, FORMATS))
    print(json.dumps({key: document[key] for key in medians(document["rows"])}))


if __name__ == "__main__":
    main()
