"""Seconds per energy and force evaluation of the shipped potentials, beside the packages' own ASE calculators.

    OMP_NUM_THREADS=1 python benchmarks/potential_cost.py --json OUT

LiNbO3 supercells, rattled anew for every call so that nothing is cached; medians of five calls after two warm-up
calls, our protocol and the package's calculator in turn.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

from ase import Atoms

from screening.potentials.registry import load_potential
from screening.structures.crystals.crystals import load_crystal
from screening.structures.hops.supercells import isotropic_supercell

NAMES = ("chgnet", "sevennet-0", "sevennet-l3i5", "sevennet-mf-0:PBE")
FORMULA_UNITS = (12, 24)
WARM_UP, COUNTED = 2, 5


def package_calculator(name: str) -> Any:
    """The package's own ASE calculator of the same model."""
    if name == "chgnet":
        from chgnet.model.dynamics import CHGNetCalculator

        return CHGNetCalculator(use_device="cpu", on_isolated_atoms="ignore")
    from sevenn.calculator import SevenNetCalculator

    model, _, modal = name.removeprefix("sevennet-").partition(":")
    keyword = {"0": "7net-0", "l3i5": "7net-l3i5", "mf-0": "7net-mf-0"}[model]
    return SevenNetCalculator(keyword, device="cpu", modal=modal or None)


def seconds(call: Any) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def measure(name: str, n_fu: int) -> dict[str, Any]:
    """Median cost of both on one cell."""
    potential, calculator = load_potential(name, "cpu", self_check=False), package_calculator(name)
    atoms: Atoms = isotropic_supercell(load_crystal("LiNbO3"), n_fu)
    ours, theirs = [], []
    for i in range(WARM_UP + COUNTED):
        shaken = atoms.copy()
        shaken.rattle(0.03, seed=i)
        ours.append(seconds(lambda s=shaken: potential.evaluate([s])))
        shaken.calc = calculator
        theirs.append(seconds(lambda s=shaken: s.get_forces()))
    median, package = statistics.median(ours[WARM_UP:]), statistics.median(theirs[WARM_UP:])
    row = {"potential": name, "n_atoms": len(atoms), "seconds": median, "seconds_package": package}
    return row | {"ratio": package / median, "seconds_per_atom": median / len(atoms)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, required=True)
    arguments = parser.parse_args()
    rows = []
    for name in NAMES:
        for n_fu in FORMULA_UNITS:
            rows.append(measure(name, n_fu))
            print(rows[-1], flush=True)
    arguments.json.write_text(json.dumps({"threads": 1, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
