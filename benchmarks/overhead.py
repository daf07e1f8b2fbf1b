"""What the engine costs beside the potential: overhead, scaling with the number of systems, batches, processes.

    OMP_NUM_THREADS=1 python benchmarks/overhead.py --json OUT [--potential chgnet] [--device auto]

Overhead is all wall time outside the model's forward and backward pass: neighbour lists and graphs, optimiser steps,
model Hessians, first guesses of bands, overlap checks, checkpoints. Timers sit around the functions of `PARTS`.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from peers import machine, write_json

import screening.engine.batch
from screening.config import load_settings
from screening.engine.paths.neb import Band
from screening.engine.relax import Relaxation
from screening.engine.running.run import run_tasks
from screening.engine.tasks import NebTask, RelaxTask, Result, Task
from screening.potentials.batching import BatchedPotential, pick_device
from screening.potentials.registry import load_potential
from screening.structures.crystals.crystals import load_crystal
from screening.structures.hops.supercells import isotropic_supercell
from screening.structures.interfaces.interface import find_parents

COPIES = (1, 2, 4, 8)
BATCHES = (1, 2, 4, 8, 16)
STEPS = 10


@cache
def cut() -> Atoms:
    """LiNbO3(110) on NCM811, 136 atoms, part of the substrate frozen, from literature lattices."""
    settings = load_settings("quick", None, {}).interface
    return find_parents(load_crystal("LiNbO3"), load_crystal("NCM811"), "NCM811", settings, 0)[0].atoms


def interface(seed: int) -> Atoms:
    """The cut interface, rattled by 0.05 A."""
    out = cut().copy()
    out.positions += np.random.default_rng(seed).normal(scale=0.05, size=out.positions.shape)
    return out


def band(potential: BatchedPotential) -> NebTask:
    """A Li of 119-atom LiNbO3 hops into the nearest vacancy; five images. End points are rattled, not relaxed."""
    cell = isotropic_supercell(load_crystal("LiNbO3"), 24)
    first, *others = np.flatnonzero(cell.symbols == "Li")
    hole = others[int(np.argmin(cell.get_distances(first, others, mic=True)))]
    initial, final = cell.copy(), cell.copy()
    final.positions[first] += cell.get_distance(first, hole, mic=True, vector=True)
    noise = np.random.default_rng(0).normal(scale=0.02, size=cell.positions.shape)
    for atoms in (initial, final):
        atoms.positions += noise
        del atoms[hole]
    energies = [result.energy for result in potential.evaluate([initial, final])]
    return NebTask(
        recipe={},
        initial=initial,
        final=final,
        initial_energy=energies[0],
        final_energy=energies[1],
        fmax=0.05,
        max_steps=30,
    )


@contextmanager
def timers(potential: BatchedPotential) -> Iterator[dict[str, float]]:
    """Seconds in each part while the block runs; no part contains another."""
    seconds: dict[str, float] = defaultdict(float)
    parts = [
        (potential, "infer", "model"),
        (potential, "graph", "graph"),
        (potential, "unpack", "sums"),
        (screening.engine.batch, "overlap", "overlap"),
        *((kind, "advance", "optimiser") for kind in (Relaxation, Band)),
        *((kind, "start", "start") for kind in (Relaxation, Band)),
        *((kind, "save", "checkpoint") for kind in (Relaxation, Band)),
    ]
    kept = [(owner, name, vars(owner).get(name)) for owner, name, _ in parts]
    for owner, name, label in parts:
        setattr(owner, name, _timed(getattr(owner, name), seconds, label))
    try:
        yield seconds
    finally:
        for owner, name, original in kept:
            if original is None:
                delattr(owner, name)
            else:
                setattr(owner, name, original)


def _timed(function: Any, seconds: dict[str, float], label: str) -> Any:
    def call(*args: Any, **kwargs: Any) -> Any:
        begun = time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            seconds[label] += time.perf_counter() - begun

    return call


def run(tasks: Sequence[Task], potential: BatchedPotential) -> tuple[list[Result], dict[str, Any]]:
    """Results, and the shares of the wall time."""
    with tempfile.TemporaryDirectory() as folder, timers(potential) as seconds:
        begun = time.perf_counter()
        results = run_tasks(tasks, [f"task{index}" for index in range(len(tasks))], potential, Path(folder))
        total = time.perf_counter() - begun
    if any(result.failure for result in results):
        raise SystemExit(f"a benchmark system failed: {[result.failure for result in results]}")
    calls = sum(result.n_force_calls for result in results)
    facts = {
        "seconds": total,
        "force_calls": calls,
        "overhead": 1 - seconds["model"] / total,
        "seconds_per_call": {name: spent / calls for name, spent in seconds.items()},
    }
    return results, facts


def overhead(potential: BatchedPotential, repeats: int = 3) -> Iterator[dict[str, Any]]:
    """One relaxation and one band at a time."""
    relaxation = RelaxTask(recipe={}, atoms=interface(0), fmax=0.05, max_steps=30)
    hop = band(potential)
    for repeat in range(repeats):
        for name, task, n in (("relaxation", relaxation, len(relaxation.atoms)), ("band", hop, len(hop.initial))):
            yield {"what": "overhead", "system": name, "n_atoms": n, "repeat": repeat, **run([task], potential)[1]}


def copies(potential: BatchedPotential) -> Iterator[dict[str, Any]]:
    """1 to 8 systems in one call, the same number of steps each; up and down, since the machine's speed drifts."""
    for n in (*COPIES, *reversed(COPIES)):
        tasks = [RelaxTask(recipe={}, atoms=interface(seed), fmax=1e-9, max_steps=STEPS) for seed in range(n)]
        facts = run(tasks, potential)[1]
        per_system = {"seconds_per_system": facts["seconds"] / n, "calls_per_system": facts["force_calls"] / n}
        yield {"what": "copies", "systems": n, **per_system, "overhead": facts["overhead"]}


def batches(potential: BatchedPotential) -> Iterator[dict[str, Any]]:
    """Structures per second by structures per pass; one at a time is measured anew before each."""
    structures = [interface(seed) for seed in range(max(BATCHES))]
    n_atoms = len(structures[0])

    def rate(size: int) -> float:
        potential.batch_size, potential.batch_atoms = None, size * n_atoms
        begun = time.perf_counter()
        potential.evaluate(structures)
        return len(structures) / (time.perf_counter() - begun)

    kept = potential.batch_size, potential.batch_atoms
    for size in BATCHES:
        rate(size)
        pairs = [(rate(1), rate(size)) for _ in range(3)]
        alone, together = (statistics.median(column) for column in zip(*pairs, strict=True))
        yield {"what": "batches", "batch": size, "one_at_a_time_per_s": alone, "batched_per_s": together}
    potential.batch_size, potential.batch_atoms = kept


def _work(name: str, seeds: Sequence[int], gate: Any, out: Any) -> None:
    potential = load_potential(name, "cpu", self_check=False)
    structures = [interface(seed) for seed in seeds]
    potential.evaluate(structures[:1])
    gate.wait()
    begun = time.perf_counter()
    potential.evaluate(structures)
    out.put((begun, time.perf_counter()))


def processes(name: str) -> Iterator[dict[str, Any]]:
    """The same 24 force calls in one process with two threads and in two processes with one, in both orders."""
    context = multiprocessing.get_context("spawn")
    for n_processes, threads in ((1, 2), (2, 1), (2, 1), (1, 2)):
        os.environ["OMP_NUM_THREADS"] = str(threads)  # the rest follows (screening.process.threads)
        gate, out = context.Barrier(n_processes), context.Queue()
        shares = [range(24)[start::n_processes] for start in range(n_processes)]
        team = [context.Process(target=_work, args=(name, share, gate, out)) for share in shares]
        for process in team:
            process.start()
        spans = [out.get() for _ in team]
        for process in team:
            process.join()
        seconds = max(end for _, end in spans) - min(begin for begin, _ in spans)
        yield {"what": "processes", "processes": n_processes, "threads": threads, "calls_per_s": 24 / seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--potential", default="chgnet")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--only", nargs="*", default=["overhead", "copies", "batches", "processes"])
    parser.add_argument("--json", type=Path, required=True)
    arguments = parser.parse_args()
    device = pick_device(arguments.device)
    potential = load_potential(arguments.potential, device, self_check=False)
    if not isinstance(potential, BatchedPotential):
        raise SystemExit(f"{arguments.potential} runs through an ASE calculator, whose parts cannot be told apart")
    run([RelaxTask(recipe={}, atoms=interface(0), max_steps=2)], potential)  # imports, first allocations
    parts = {
        "overhead": lambda: overhead(potential),
        "copies": lambda: copies(potential),
        "batches": lambda: batches(potential),
        "processes": lambda: processes(arguments.potential) if device == "cpu" else iter(()),
    }
    rows: list[dict[str, Any]] = []
    facts = machine(arguments.potential, device) | {"load_average": os.getloadavg()[0]}
    about = {"potential": arguments.potential, "machine": facts}
    for name in arguments.only:
        for row in parts[name]():
            rows.append(row)
            print(row, flush=True)
            write_json(arguments.json, {**about, "rows": rows})


if __name__ == "__main__":
    main()
