"""Bulk crystals from datasets/crystals: conventional cells with formal oxidation states."""

from __future__ import annotations

from functools import cache
from math import gcd
from typing import Any

import numpy as np
import yaml
from ase import Atoms

from screening.assets import asset
from screening.errors import UserError
from screening.names import nearest


def available_crystals(role: str | None = None) -> list[str]:
    """Names that `load_crystal` takes, sorted; only those of one role ("host", "cathode", "electrolyte") if given."""
    names = sorted(path.stem for path in asset("datasets", "crystals").glob("*.yaml"))
    return names if role is None else [name for name in names if crystal_facts(name)["role"] == role]


def crystal_facts(name: str) -> dict[str, Any]:
    """What is known of a crystal: formula, role, space group, lattice (A), sites with formal charges (e), sources.

    Raises
    ------
    UserError
        When there is no such crystal; names the nearest valid one.
    """
    names = available_crystals()
    if name not in names:
        raise UserError(f"there is no crystal {name!r}; {nearest(name, names)}.")
    return dict(_read(name))


@cache
def _read(name: str) -> dict[str, Any]:
    return yaml.safe_load(asset("datasets", "crystals", f"{name}.yaml").read_text(encoding="utf-8"))


def load_crystal(name: str) -> Atoms:
    """Conventional cell of a crystal.

    Returns
    -------
    Atoms
        Periodic, with the integer array ``oxidation_state`` (N,) in e and ``info["crystal"]``. A cathode carries one
        element on all its transition-metal sites; `cathode.decorate_cathode` mixes them.

    Raises
    ------
    UserError
        When there is no such crystal.
    """
    from pymatgen.core import Lattice, Structure

    facts = crystal_facts(name)
    a = facts["lattice"]["a"]
    lattice = Lattice.hexagonal(a, facts["lattice"]["c"]) if "c" in facts["lattice"] else Lattice.cubic(a)
    sites = facts["sites"]
    structure = Structure.from_spacegroup(
        facts["space_group"],
        lattice,
        [s["element"] for s in sites],
        [s["position"] for s in sites],
        site_properties={"oxidation_state": [s["charge"] for s in sites]},
    )
    atoms = Atoms(
        symbols=[site.specie.symbol for site in structure],
        scaled_positions=structure.frac_coords % 1.0,
        cell=structure.lattice.matrix,
        pbc=True,
    )
    atoms.set_array("oxidation_state", np.array(structure.site_properties["oxidation_state"], dtype=int))
    if "decoration" in facts:
        _decorate(atoms, facts["decoration"])
    atoms.info["crystal"] = name
    return atoms


def _decorate(atoms: Atoms, decoration: dict[str, Any]) -> None:
    """Replace a share of one element, keeping the replaced sites in common lattice planes (a layered ordering)."""
    sites = [i for i, s in enumerate(atoms.get_chemical_symbols()) if s == decoration["site"]]
    sites.sort(key=lambda i: tuple(np.round(atoms.get_scaled_positions()[i][::-1], 6)))
    for i in sites[: round(len(sites) * decoration["fraction"])]:
        atoms.symbols[i] = decoration["replace_with"]


def formula_units(atoms: Atoms) -> int:
    """Number of reduced formula units in a cell."""
    counts = list(atoms.symbols.formula.count().values())
    return gcd(*counts)
