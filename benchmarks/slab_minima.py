"""Ways down from a bulk-cut LiNbO3(110) slab: rattled and softly displaced starts, basin hopping, short anneals.

OMP_NUM_THREADS=1 python benchmarks/slab_minima.py --planes 2 --json OUT
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import Calculator, all_changes
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution

from screening.config import AdhesionSettings, load_settings
from screening.engine.running.run import run_tasks
from screening.engine.tasks import RelaxTask, Result
from screening.potentials.base import Potential
from screening.potentials.registry import load_potential
from screening.properties.adhesion.basin_hopping import basin_hopping, moved
from screening.structures.crystals.crystals import load_crystal
from screening.structures.interfaces.interface import find_parents, split
from screening.structures.interfaces.placements import rattled

AMPLITUDES = (0.05, 0.1, 0.2, 0.3)
SOFT_AMPLITUDES = (0.2, 0.35)
SEEDS = 4
GENERATIONS = 12
TEMPERATURES = (800.0, 1200.0)
ANNEALS, ANNEAL_STEPS, TIME_STEP = 2, 300, 2.0


class AsCalculator(Calculator):
    """One of our potentials as an ASE calculator, for molecular dynamics."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012 - the name and type are ASE's

    def __init__(self, potential: Potential) -> None:
        super().__init__()
        self.potential = potential

    def calculate(
        self, atoms: Any = None, properties: Any = ("energy",), system_changes: Any = tuple(all_changes)
    ) -> None:
        super().calculate(atoms, properties, system_changes)
        (found,) = self.potential.evaluate([atoms])
        self.results = {"energy": found.energy, "forces": found.forces}


def independent_starts(slab: Atoms, relax: Any) -> Iterator[dict[str, Any]]:
    for amplitude in (0.0, *AMPLITUDES):
        for seed in range(SEEDS if amplitude else 1):
            result = relax(rattled(slab, amplitude, np.random.default_rng(seed)))
            yield {"way": "rattled", "amplitude_A": amplitude, "seed": seed, **facts(result)}
    for amplitude in SOFT_AMPLITUDES:
        for seed in range(SEEDS):
            settings = AdhesionSettings(rattle=amplitude, move="soft")
            result = relax(moved(slab, settings, np.random.default_rng(seed)))
            yield {"way": "soft", "amplitude_A": amplitude, "seed": seed, **facts(result)}


def hops(first: Result, relax: Any, fmax: float, change: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The package's own basin hopping from the relaxed cut slab, driven without a store."""
    settings = load_settings("quick", None, {"adhesion": {"fmax": fmax, "max_steps": 400, **change}}).adhesion
    flow = basin_hopping(first, settings, recipe={"benchmark": "slab_minima"}, hops=GENERATIONS)
    tasks = next(flow)
    for generation in range(GENERATIONS):
        results = [relax(task.atoms) for task in tasks if isinstance(task, RelaxTask)]
        for result in results:
            yield {"way": f"hop, {settings.move}", "generation": generation, **facts(result)}
        try:
            tasks = flow.send(results)
        except StopIteration:
            return


def anneals(slab: Atoms, relax: Any, potential: Potential) -> Iterator[dict[str, Any]]:
    """Langevin dynamics at one temperature, cooled linearly over its second half, then relaxed."""
    for temperature in TEMPERATURES:
        for seed in range(ANNEALS):
            atoms, rng = slab.copy(), np.random.default_rng(seed)
            atoms.calc = AsCalculator(potential)
            MaxwellBoltzmannDistribution(atoms, temperature_K=temperature, rng=rng)
            step, friction = TIME_STEP * units.fs, 0.02 / units.fs
            dynamics = Langevin(atoms, step, temperature_K=temperature, friction=friction, rng=rng)
            dynamics.run(ANNEAL_STEPS // 2)
            for left in np.linspace(1.0, 0.05, ANNEAL_STEPS // 2):
                dynamics.set_temperature(temperature_K=temperature * left)
                dynamics.run(1)
            found = facts(relax(atoms))
            found["calls"] += ANNEAL_STEPS
            yield {"way": "anneal", "temperature_K": temperature, "seed": seed, **found}


def facts(result: Result) -> dict[str, Any]:
    energy = None if math.isnan(result.energy) else result.energy
    return {
        "energy_eV": energy,
        "calls": result.n_force_calls,
        "converged": result.converged,
        "failure": result.failure,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--planes", type=int, default=2)
    parser.add_argument("--potential", default="chgnet")
    parser.add_argument("--fmax", type=float, default=0.1)
    parser.add_argument("--json", type=Path, required=True)
    arguments = parser.parse_args()
    potential = load_potential(arguments.potential, "cpu")
    interface = load_settings("quick", None, {}).interface.model_copy(update={"min_planes": arguments.planes})
    # literature lattices: the slab is strained by about 1.5 %, as it would be on the relaxed cathode
    parent = find_parents(load_crystal("LiNbO3"), load_crystal("NCM811"), "NCM811", interface, 0)[0]
    slab = split(parent.atoms)[1]

    def relax(atoms: Atoms) -> Result:
        task = RelaxTask(recipe={}, atoms=atoms, fmax=arguments.fmax, max_steps=400)
        return run_tasks([task], ["slab"], potential, None)[0]

    rows: list[dict[str, Any]] = []
    ways = (
        independent_starts(slab, relax),
        hops(relax(slab), relax, arguments.fmax, {}),
        hops(relax(slab), relax, arguments.fmax, {"move": "soft", "rattle": SOFT_AMPLITUDES[-1]}),
        anneals(slab, relax, potential),
    )
    for way in ways:
        for row in way:
            rows.append(row)
            print(row, flush=True)
    about = {"potential": arguments.potential, "n_atoms": len(slab), "planes": arguments.planes}
    arguments.json.write_text(json.dumps({**about, "fmax": arguments.fmax, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
