"""Doped structures to relax, built as the campaign builds them; the list was fixed before anything was measured.

A cold start is cut and substituted from the literature crystals. A warm start is the same arrangement carried over to
the relaxed pristine parent, which is what a candidate of a campaign starts from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from ase import Atoms

from screening.chemistry.arrangements.orderings import ranked_orderings
from screening.chemistry.candidate import Candidate
from screening.chemistry.compensation import rescale
from screening.chemistry.grid import enumerate_candidates
from screening.config import load_settings
from screening.potentials.base import Potential
from screening.properties.adhesion.placement_search import carry_over
from screening.structures.crystals.crystals import load_crystal
from screening.structures.hops.supercells import isotropic_supercell
from screening.structures.hops.voids import octahedral_voids
from screening.structures.interfaces.cathode import delithiate
from screening.structures.interfaces.interface import find_parents, shift, split
from screening.structures.interfaces.placements import place

SEED = 0
Cell = Literal["fixed", "full"]
Relax = Callable[[Atoms, Cell], Atoms]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One doped structure.

    Attributes
    ----------
    kind
        LiNbO3(110)/NCM811(110) of two planes each, its coating slab alone, or a bulk cell.
    dopant, site, x
        As a user writes them; the compensation is the default one.
    y
        Li per formula unit of the cathode.
    n_fu
        Formula units of a bulk cell.
    """

    kind: Literal["interface", "slab", "bulk"]
    dopant: str
    site: str
    x: str = "1/12"
    y: float = 1.0
    n_fu: int = 12
    cell: Cell = "fixed"

    @property
    def name(self) -> str:
        where = f"bulk {self.n_fu} f.u., {self.cell} cell" if self.kind == "bulk" else self.kind
        charge = "" if self.y == 1.0 else f", y = {self.y:.2g}"
        return f"{self.dopant} on {self.site} {self.x}, {where}{charge}"

    @property
    def candidate(self) -> Candidate:
        """The first doped candidate that the program would enumerate."""
        grid = enumerate_candidates(self.dopant, self.x, site=self.site)
        return next(c for c in grid.candidates if not c.is_pristine)


CASES = (
    Case(kind="bulk", dopant="Mg", site="Li", n_fu=24),
    Case(kind="bulk", dopant="Zr", site="Nb", n_fu=24),
    Case(kind="bulk", dopant="Zr", site="Li", cell="full"),
    Case(kind="bulk", dopant="Mg", site="Nb", cell="full"),
    Case(kind="bulk", dopant="Ta", site="Nb", n_fu=24, x="1/12", cell="full"),
    Case(kind="slab", dopant="Mg", site="Li"),
    Case(kind="slab", dopant="Zr", site="Li"),
    Case(kind="slab", dopant="Ta", site="Nb"),
    Case(kind="interface", dopant="Zr", site="Nb"),
    Case(kind="interface", dopant="Ta", site="Nb", x="2/12"),
    Case(kind="interface", dopant="Mg", site="Nb"),
    Case(kind="interface", dopant="Mg", site="Li"),
    Case(kind="interface", dopant="Zr", site="Li", y=1 / 3),
)


class Builder:
    """Start structures of the cases for one potential.

    The potential chooses the registry and gap of the interface, as in a campaign: the strongest rigid contact on the
    grid of the preset.
    """

    def __init__(self, potential: Potential) -> None:
        self.potential = potential
        self._relaxed: dict[str, Atoms] = {}

    def cold(self, case: Case) -> Atoms:
        """The doped structure as cut or substituted from the crystals."""
        if case.kind == "bulk":
            return self._doped_bulk(case, pristine_bulk(case.n_fu))
        return self._charged(case, self._placed(case))

    def warm(self, case: Case, relax: Relax) -> Atoms:
        """The same arrangement on the relaxed pristine parent, which `relax` gives and which is kept."""
        if case.kind == "bulk":
            cut = pristine_bulk(case.n_fu)
            relaxed = self._parent(f"bulk {case.n_fu} {case.cell}", cut, case.cell, relax)
            placed = self._doped_bulk(case, cut)
            for atoms in (placed, cut):
                atoms.set_cell(relaxed.cell, scale_atoms=True)
            return carry_over(placed, cut, relaxed)
        cut, placed = self.pristine_interface(), self._placed(case)
        if case.kind == "slab":
            cut = split(cut)[1]
        return self._charged(case, carry_over(placed, cut, self._parent(case.kind, cut, "fixed", relax)))

    def pristine_interface(self) -> Atoms:
        """The pristine interface at the registry and gap of strongest rigid contact."""
        return _best_contact(self.potential)  # type: ignore[arg-type] # every potential is hashable by its identity

    def _placed(self, case: Case) -> Atoms:
        interface = self.pristine_interface()
        placed = place(interface, case.candidate, where="contact", k=1, n_draws=40, seed=SEED)[0].atoms
        return split(placed)[1] if case.kind == "slab" else placed

    def _doped_bulk(self, case: Case, supercell: Atoms) -> Atoms:
        defects = rescale(case.candidate, case.n_fu).defects
        voids = octahedral_voids(supercell) if defects.li_interstitials else None
        return ranked_orderings(supercell, defects, k=1, n_draws=60, seed=SEED, voids=voids)[0].atoms

    def _charged(self, case: Case, atoms: Atoms) -> Atoms:
        return delithiate(atoms, case.y, order=0, seed=SEED) if case.kind == "interface" else atoms

    def _parent(self, key: str, cut: Atoms, cell: Cell, relax: Relax) -> Atoms:
        if key not in self._relaxed:
            self._relaxed[key] = relax(cut, cell)
        return self._relaxed[key]


def pristine_bulk(n_fu: int) -> Atoms:
    """Supercell of the literature crystal whose atoms are numbered in `parent_index`."""
    return _numbered(isotropic_supercell(load_crystal("LiNbO3"), n_fu))


def _numbered(atoms: Atoms) -> Atoms:
    atoms.set_array("parent_index", np.arange(1, len(atoms) + 1))
    return atoms


@cache
def _best_contact(potential: Potential) -> Atoms:
    settings = load_settings("quick", None, {}).interface
    parent = find_parents(load_crystal("LiNbO3"), load_crystal("NCM811"), "NCM811", settings, SEED)[0]
    grid = [
        shift(parent.atoms, dx, dy, gap)
        for dx in np.linspace(0, 1, settings.registry_grid[0], endpoint=False).tolist()
        for dy in np.linspace(0, 1, settings.registry_grid[1], endpoint=False).tolist()
        for gap in settings.gaps
    ]
    energies = [potential.evaluate([atoms])[0].energy for atoms in grid]
    return _numbered(grid[int(np.argmin(energies))])


def facts(atoms: Atoms) -> Mapping[str, object]:
    """Size and composition of a start."""
    return {"n_atoms": len(atoms), "formula": atoms.get_chemical_formula("metal")}
