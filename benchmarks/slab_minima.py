"""Which minimum a bulk-cut LiNbO3(110) coating slab relaxes to, against how far its atoms are rattled first.

OMP_NUM_THREADS=1 python benchmarks/slab_minima.py --planes 2 --json OUT
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

import numpy as np
import torch

from screening.config import load_settings
from screening.engine.run import run_tasks
from screening.engine.tasks import RelaxTask
from screening.potentials.registry import load_potential
from screening.structures.crystals import load_crystal
from screening.structures.interface import find_parents, split
from screening.structures.placements import rattled

AMPLITUDES = (0.05, 0.1, 0.2, 0.3)
SEEDS = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--planes", type=int, default=2)
    parser.add_argument("--potential", default="chgnet")
    parser.add_argument("--fmax", type=float, default=0.1)
    parser.add_argument("--json", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    potential = load_potential(arguments.potential, "cpu")
    interface = load_settings("quick", None, {}).interface.model_copy(update={"min_planes": arguments.planes})
    # literature lattices: the slab is strained by about 1.5 %, as it would be on the relaxed cathode
    parent = find_parents(load_crystal("LiNbO3"), load_crystal("NCM811"), "NCM811", interface, 0)[0]
    slab = split(parent.atoms)[1]
    rows = []
    for amplitude in (0.0, *AMPLITUDES):
        for seed in range(SEEDS if amplitude else 1):
            atoms = rattled(slab, amplitude, np.random.default_rng(seed))
            task = RelaxTask(recipe={}, atoms=atoms, fmax=arguments.fmax, max_steps=400)
            (result,) = run_tasks([task], [f"{amplitude}-{seed}"], potential, None)
            energy = None if math.isnan(result.energy) else result.energy
            rows.append({"amplitude_A": amplitude, "seed": seed, "energy_eV": energy, "calls": result.n_force_calls})
            rows[-1] |= {"converged": result.converged, "failure": result.failure}
            print(rows[-1], flush=True)
    facts = {"potential": arguments.potential, "n_atoms": len(slab), "planes": arguments.planes}
    arguments.json.write_text(json.dumps({**facts, "fmax": arguments.fmax, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
