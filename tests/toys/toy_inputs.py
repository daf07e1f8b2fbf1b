"""Inputs of whole screens that take seconds: next to nothing is relaxed, on the energies of `toy_calculator`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

# nothing is searched and next to nothing relaxed
TINY: dict[str, Any] = {
    "preset": "quick",
    "compensation": ["li_vacancy", "li_interstitial", "o_vacancy", "self"],
    "bulk": {"n_draws": 2, "n_relaxed": 1, "fmax": 0.5, "max_steps": 2},
    "interface": {
        "registry_grid": [1, 1], "gaps": [2.0], "registry_relaxed": 1, "registry_steps": 1,
        "parent_starts": 1, "parent_hops": 0,
    },
    "adhesion": {
        "soc": [1.0, 1 / 3], "contact_placements": 1, "inner_placements": 0, "n_draws": 2, "vacancy_orders": 1,
        "rounds": 1, "prerelax_steps": 1, "slab_starts": ["half"], "slab_hops": 0, "fmax": 0.5, "max_steps": 2,
    },
    "migration": {"min_hops": 2, "n_images": 1, "fmax": 0.5, "max_steps": 2, "endpoint_fmax": 0.5},
    "stability": {"max_steps": 1, "delithiation_sites": 2, "fmax": 0.5},
}  # fmt: skip
PHASES = (
    "Li", "Nb", "O2", "Mg", "Ta", "Ni", "Co", "Mn", "P", "S", "Cl", "Br",
    "Li2O", "Nb2O5", "LiNbO3", "MgO", "Ta2O5", "LiTaO3", "LiNiO2", "LiCoO2", "LiMnO2", "NiO2", "CoO2", "MnO2", "Li2S",
    "P2S5", "LiCl", "LiBr",
)  # fmt: skip
"""Enough for a hull of every chemical system that occurs, all on the toy's own energies."""
PER_ATOM = -7.0


def write_inputs(folder: Path) -> None:
    from monty.serialization import dumpfn
    from pymatgen.core import Composition
    from pymatgen.entries.computed_entries import ComputedEntry

    entries = [
        ComputedEntry(
            Composition(name), (PER_ATOM - 0.5 * (len(Composition(name)) > 1)) * Composition(name).num_atoms,
            entry_id=name,
        )
        for name in PHASES
    ]  # fmt: skip
    dumpfn(entries, folder / "phases.json")
    (folder / "tiny.yaml").write_text(yaml.safe_dump(TINY))
