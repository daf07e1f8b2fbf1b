"""How far the shipped GPAW settings are converged: cutoff and k-points of rattled LiNbO3, forces and relative energies.

`python benchmarks/dft_convergence.py WORK --json docs/dft-convergence.json`; a stopped run goes on.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from dft_cells import primitive_cell
from peers import machine, table, write_json

from screening.structures.crystals.crystals import load_crystal
from screening.training_data.calculation import Calculation
from screening.validation.gpaw.engine import GpawEngine
from screening.validation.gpaw.settings import GpawSettings
from screening.validation.jobs import Job
from screening.validation.programs import load_validation_settings

CUTOFFS = (400.0, 500.0, 600.0, 800.0)
GRIDS = (2, 3, 4)
REFERENCE_GRID_CUTOFF = 400.0
"""eV. Grids are compared at a smaller cutoff: the two errors add, and the larger grid costs less so."""


def rattled() -> list[Atoms]:
    """Two LiNbO3 cells: atoms displaced by 0.05 A, and by a further 0.08 A."""
    first = primitive_cell(load_crystal("LiNbO3"))
    first.rattle(0.05, seed=1)
    second = first.copy()
    second.rattle(0.08, seed=7)
    return [first, second]


def compute(work: Path, cutoff: float, grid: int, cells: Sequence[Atoms]) -> list[Calculation]:
    """Single points of all cells, kept below `work`."""
    base = load_validation_settings("gpaw-pbe")
    assert isinstance(base, GpawSettings)
    engine = GpawEngine(base.model_copy(update={"cutoff": cutoff}))
    found = []
    for index, atoms in enumerate(cells):
        folder = work / f"pw{cutoff:.0f}-k{grid}-{index}"
        if not engine.is_finished(folder):
            job = Job(name=folder.name, candidate=None, role="bulk", atoms=atoms, kpoints=(grid, grid, grid))
            engine.write(job, folder)
            engine.run(folder)
        found += engine.read(folder)
        print(f"{folder.name}: {found[-1].energy:.4f} eV", flush=True)
    return found


def _forces(calculation: Calculation) -> np.ndarray:
    """eV/A, (N, 3); GPAW always gives them."""
    assert calculation.final.forces is not None
    return calculation.final.forces


def compare(name: str, these: Sequence[Calculation], reference: Sequence[Calculation]) -> dict[str, Any]:
    """Differences of forces (eV/A) and of the energy between both cells (meV/atom) from the reference."""
    forces = np.concatenate([_forces(t) - _forces(r) for t, r in zip(these, reference, strict=True)])
    step = [(c[1].energy - c[0].energy) / len(c[0].atoms) for c in (these, reference)]
    return {
        "settings": name,
        "force_mae_eV_A": float(np.abs(forces).mean()),
        "force_max_eV_A": float(np.abs(forces).max()),
        "relative_energy_meV_atom": 1000 * abs(step[0] - step[1]),
        "wall_s": sum(c.details.wall_s for c in these),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    cells = rattled()
    by_cutoff = {c: compute(arguments.work, c, 2, cells) for c in CUTOFFS}
    by_grid = {k: compute(arguments.work, REFERENCE_GRID_CUTOFF, k, cells) for k in GRIDS}
    rows = [compare(f"{c:.0f} eV, 2x2x2", by_cutoff[c], by_cutoff[CUTOFFS[-1]]) for c in CUTOFFS[:-1]]
    rows += [
        compare(f"{k}x{k}x{k}, {REFERENCE_GRID_CUTOFF:.0f} eV", by_grid[k], by_grid[GRIDS[-1]]) for k in GRIDS[:-1]
    ]
    print(table(rows, {key: key for key in rows[0]}, {}))
    if arguments.json:
        write_json(arguments.json, {"machine": machine("chgnet"), "rows": rows})


if __name__ == "__main__":
    main()
