"""What taking many frames into the data folder costs, and that doing it twice changes nothing.

Writes rattled cells of ordered rock-salt Li3NbO4 with the energies and forces of springs between atoms and sites, runs
``screen ingest`` on them twice as a user would, and states wall and processor time, the largest memory, and whether any
file changed the second time.

    OMP_NUM_THREADS=1 python benchmarks/ingest_frames.py --frames 10000 --atoms 64 --json OUT
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write

SPRING = 6.0  # eV/A^2, of the order of an oxide's
ENERGY = -6.9  # eV/atom
SETTINGS = "kim2026"

HEADER = """| frames | input, MB | first: s | CPU, s | memory, MB | second: s | CPU, s | memory, MB | unchanged |
|---|---|---|---|---|---|---|---|---|"""


def parent(n_atoms: int) -> Atoms:
    """Li3NbO4 with eight atoms a cell, repeated to `n_atoms`."""
    if n_atoms % 8:
        raise SystemExit("--atoms must be a multiple of 8, the atoms of one cell")
    cell = bulk("LiO", "rocksalt", a=4.2, cubic=True)
    cell.symbols[0] = "Nb"
    repeat = [1, 1, 1]
    left = n_atoms // 8
    for prime in (2, 3, 5, 7):
        while left % prime == 0:
            repeat[int(np.argmin(repeat))] *= prime
            left //= prime
    repeat[int(np.argmin(repeat))] *= left
    return cell.repeat(repeat)


def frames(n_frames: int, n_atoms: int, amplitude: float, seed: int = 0) -> Iterator[Atoms]:
    """Rattles of one cell with normally distributed displacements of `amplitude` (A)."""
    rng, sites = np.random.default_rng(seed), parent(n_atoms)
    for _ in range(n_frames):
        shift = rng.normal(scale=amplitude, size=(n_atoms, 3))
        atoms = sites.copy()
        atoms.positions += shift
        energy = ENERGY * n_atoms + 0.5 * SPRING * float((shift**2).sum())
        atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=-SPRING * shift, stress=np.zeros(6))
        yield atoms


def ingest_command(file: Path, data: Path) -> list[str]:
    """The command a user would type."""
    program = "from screening.cli.app import main; main()"
    return [sys.executable, "-c", program, "ingest", str(file), "--data", str(data), "--settings", SETTINGS]


def measured(command: list[str]) -> dict[str, Any]:
    """Wall and processor seconds and the largest memory (MB) of one process, and the last line it printed."""
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        text = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"the ingestion failed: {text}")
    return {
        "wall_s": round(time.perf_counter() - began, 1),
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 1),
        "memory_MB": round(usage.ru_maxrss / 1024),
        "said": text.strip().splitlines()[-1],
    }


def state_of(folder: Path) -> dict[str, tuple[str, int]]:
    """Hash and time of change of every file."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.name: (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns) for path in files}


def benchmark(n_frames: int, n_atoms: int, amplitude: float, folder: Path) -> dict[str, Any]:
    """Ingest `n_frames` twice below `folder`."""
    file, data = folder / "frames.extxyz", folder / "data"
    with file.open("w", encoding="utf-8") as target:
        for atoms in frames(n_frames, n_atoms, amplitude):
            write(target, atoms, format="extxyz")
    first = measured(ingest_command(file, data))
    before = state_of(data)
    second = measured(ingest_command(file, data))
    return {
        "frames": n_frames,
        "atoms": n_atoms,
        "amplitude_A": amplitude,
        "input_MB": round(file.stat().st_size / 1e6, 1),
        "first": first,
        "second": second,
        "unchanged": state_of(data) == before,
        "files": {name: digest for name, (digest, _) in before.items()},
    }


def main(arguments: list[str] | None = None) -> None:
    """Run the benchmark for one number of frames or several, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, nargs="+", default=[100, 1000, 10000])
    parser.add_argument("--atoms", type=int, default=64, help="a multiple of 8")
    parser.add_argument("--amplitude", type=float, default=0.05, help="of the rattles, A")
    parser.add_argument("--json", type=Path, help="file for the figures")
    options = parser.parse_args(arguments)
    rows = []
    print(HEADER)
    for n_frames in options.frames:
        with tempfile.TemporaryDirectory() as folder:
            row = benchmark(n_frames, options.atoms, options.amplitude, Path(folder))
        rows.append(row)
        times = [row[which][key] for which in ("first", "second") for key in ("wall_s", "cpu_s", "memory_MB")]
        print("|", " | ".join(map(str, (n_frames, row["input_MB"], *times, row["unchanged"]))), "|", flush=True)
    if options.json is not None:
        options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
