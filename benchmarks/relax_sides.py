"""One relaxation by each side of `relax.py`, and what it cost.

Every side stops by `Coordinates.fmax` at FMAX, and every structure that is evaluated counts.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from ase import Atoms
from ase.filters import FrechetCellFilter
from ase.optimize import FIRE, LBFGS
from peers import CountingCalculator, CountingPotential
from relax_cases import Cell

from screening.config import AdhesionSettings
from screening.engine.coordinates import Coordinates
from screening.engine.relax import relax_batch
from screening.engine.tasks import RelaxTask, Result
from screening.potentials.base import Potential
from screening.properties.adhesion.basin_hopping import full_relaxation, lowest, moved

FMAX = 0.05
MAX_STEPS = 600
SEARCH_FMAX = 0.15
STARTS = 2
SETTINGS = AdhesionSettings(fmax=SEARCH_FMAX, max_steps=MAX_STEPS, rattle=0.35, move="soft")

Run = dict[str, Any]


def measure(side: str, atoms: Atoms, cell: Cell, potential: Potential, seed: int = 0) -> Run:
    """One side of one case: `descent`, `search`, `lbfgs`, `fire` or `lbfgs_displaced`."""
    if side == "descent":
        return descend(atoms, cell, potential)[0]
    if side == "search":
        return search(atoms, potential, seed)
    start = displaced_start(atoms, seed, 0) if side == "lbfgs_displaced" else atoms
    return relax_ase(FIRE if side == "fire" else LBFGS, start, cell, potential)


def displaced_start(atoms: Atoms, seed: int, n: int) -> Atoms:
    """The n-th displaced start of the search of a cold structure."""
    return moved(atoms, SETTINGS, np.random.default_rng([seed, n]))


def descend(atoms: Atoms, cell: Cell, potential: Potential) -> tuple[Run, Atoms]:
    """One relaxation by our engine: what it cost, and the relaxed atoms."""
    counted, clock = CountingPotential(potential), _Clock()
    task = RelaxTask(recipe={}, atoms=atoms, cell=cell, fmax=FMAX, max_steps=MAX_STEPS)
    (result,) = relax_batch([task], counted, keys=["case"])
    return _own_run(counted, clock, result), result.atoms


def search(atoms: Atoms, potential: Potential, seed: int = 0) -> Run:
    """A parent's starts with `move: soft`, as given and STARTS displaced, to SEARCH_FMAX; the lowest to FMAX."""
    counted, clock = CountingPotential(potential), _Clock()
    starts = [atoms, *(displaced_start(atoms, seed, n) for n in range(STARTS))]
    keys = [f"start {n}" for n in range(len(starts))]
    results = relax_batch([full_relaxation({}, start, SETTINGS) for start in starts], counted, keys=keys)
    best = lowest([r for r in results if r.failure is None])
    last = RelaxTask(recipe={}, atoms=best.atoms, fmax=FMAX, max_steps=MAX_STEPS)
    (result,) = relax_batch([last], counted, keys=["last"])
    energies = [None if r.failure else r.energy for r in results]
    return _own_run(counted, clock, result) | {"energies_eV": energies}


def relax_ase(optimizer: Any, atoms: Atoms, cell: Cell, potential: Potential, max_steps: int = MAX_STEPS) -> Run:
    """One of ASE's optimisers with its defaults, stopped by our criterion."""
    atoms, full = atoms.copy(), cell == "full"
    coordinates = Coordinates.of(atoms, full_cell=full)
    calculator = CountingCalculator(potential, stress=full)
    atoms.calc = calculator
    clock = _Clock()
    steps = optimizer(FrechetCellFilter(atoms) if full else atoms, logfile=None)
    fmax = float("inf")
    for _ in steps.irun(fmax=0.0, steps=max_steps):
        fmax = coordinates.fmax(atoms, calculator.evaluation())
        if fmax <= FMAX:
            break
    run = {"calls": calculator.n_calls, "potential_s": calculator.counter.seconds, **clock.read()}
    return run | {"energy_eV": calculator.results["energy"], "converged": fmax <= FMAX, "fmax": fmax}


class _Clock:
    """Wall and processor time since it was made, s."""

    def __init__(self) -> None:
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def read(self) -> dict[str, float]:
        return {"wall_s": time.perf_counter() - self.wall, "cpu_s": time.process_time() - self.cpu}


def _own_run(counted: CountingPotential, clock: _Clock, result: Result) -> Run:
    run = {"calls": counted.n_calls, "potential_s": counted.seconds, **clock.read()}
    return run | {"energy_eV": result.energy, "converged": result.converged, "fmax": result.fmax}
