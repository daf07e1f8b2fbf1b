"""Bulk crystals from datasets/crystals: conventional cells with formal oxidation states."""

from __future__ import annotations

from math import gcd
from typing import Any

import numpy as np
from ase import Atoms

from screening.chemistry.crystal_facts import crystal_facts


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
