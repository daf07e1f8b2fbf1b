"""Competing phases: crystal facts from datasets/phases/*.yaml, and the atoms they describe.

A phase is either given site by site, or as an ordering on a parent lattice (`parent`, `supercell`, `fill`); then the
orderings of lowest Ewald energy that have the stated space group are built and the potential decides between them.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from ase import Atoms
from ase.formula import Formula
from numpy.typing import NDArray

from screening.assets import asset
from screening.errors import UserError

SYMPREC = 0.1
"""Tolerance (A) with which space groups are determined here, as in the Materials Project."""

MAX_ORDERINGS = 20_000
_ENERGY_TOLERANCE = 1e-5  # eV; orderings closer than this in Ewald energy are taken as equivalent
_REQUIRED = ("name", "formula", "space_group", "source")


@dataclass(frozen=True, kw_only=True)
class PhaseFacts:
    """One phase as its YAML entry states it.

    Attributes
    ----------
    space_group
        International number.
    volume
        Stated volume, A^3 per atom; None for a molecule in a box.
    reference
        ``{"energy_per_atom": eV, "source": ...}`` for a gas whose energy is not left to the potential.
    facts_sha256
        Hash of the entry: any edit makes shipped energies of this phase stale.
    """

    name: str
    formula: str
    space_group: int
    volume: float | None
    source: str
    reference: dict[str, Any] | None = field(hash=False)
    facts_sha256: str
    entry: dict[str, Any] = field(repr=False, hash=False, compare=False)

    @property
    def composition(self) -> dict[str, int]:
        """Atoms of each element in the formula."""
        return dict(Formula(self.formula).count())


@cache
def _all_phases(folder: Path) -> tuple[PhaseFacts, ...]:
    phases: dict[str, PhaseFacts] = {}
    for path in sorted(folder.glob("*.yaml")):
        for entry in yaml.safe_load(path.read_text()) or []:
            facts = parse_facts(entry, where=path.name)
            if facts.name in phases:
                raise UserError(f"{path.name}: phase {facts.name} is listed twice; give the second one another name")
            phases[facts.name] = facts
    return tuple(phases.values())


def load_phases(elements: Iterable[str] | None = None, folder: Path | None = None) -> list[PhaseFacts]:
    """Facts of every listed phase made of nothing but `elements` (all phases when None).

    Raises
    ------
    UserError
        When an entry is malformed, or when an element has no phases at all.
    """
    phases = _all_phases(folder or asset("datasets", "phases"))
    if elements is None:
        return list(phases)
    wanted = set(elements)
    known = {symbol for facts in phases for symbol in facts.composition}
    if missing := sorted(wanted - known):
        raise UserError(
            f"no competing phases are listed for {', '.join(missing)}; add them to datasets/phases "
            f"(elements with phases: {', '.join(sorted(known))})"
        )
    return [facts for facts in phases if set(facts.composition) <= wanted]


def parse_facts(entry: dict[str, Any], *, where: str = "entry") -> PhaseFacts:
    """Check one YAML entry and turn it into facts."""
    from pymatgen.symmetry.groups import SpaceGroup

    if missing := [key for key in _REQUIRED if key not in entry]:
        raise UserError(f"{where}: phase {entry.get('name', '?')} lacks {', '.join(missing)}")
    if ("sites" in entry) == ("parent" in entry):
        raise UserError(f"{where}: phase {entry['name']} needs either sites or a parent with a supercell and a fill")
    text = json.dumps(entry, sort_keys=True, separators=(",", ":"))
    geometry = entry if "sites" in entry else entry["parent"]
    lattice = _lattice(geometry["lattice"])
    volume: float | None = entry.get("volume_per_atom")
    if volume is None and "reference" not in entry:
        n_atoms = sum(_multiplicity(site[1]) for site in geometry["sites"])
        volume = lattice.volume / n_atoms
    return PhaseFacts(
        name=entry["name"],
        formula=entry["formula"],
        space_group=SpaceGroup(entry["space_group"].split(":")[0]).int_number,
        volume=volume,
        source=entry["source"],
        reference=entry.get("reference"),
        facts_sha256=hashlib.sha256(text.encode()).hexdigest()[:16],
        entry=entry,
    )


def phase_structures(facts: PhaseFacts) -> list[Atoms]:
    """Primitive cells to relax: one for a phase given by its sites, the lowest-Ewald orderings for one on a parent.

    Raises
    ------
    UserError
        When a Wyckoff letter and its coordinates disagree, or the cell does not have the stated formula.
    """
    return [atoms.copy() for atoms in _built(facts)]


@lru_cache(maxsize=256)
def _built(facts: PhaseFacts) -> tuple[Atoms, ...]:
    from pymatgen.core import Structure
    from pymatgen.io.ase import AseAtomsAdaptor

    entry = facts.entry
    if "sites" in entry:
        structures = [_from_sites(entry, facts.name)]
    else:
        parent = _from_sites({**entry["parent"], "formula": None}, facts.name)
        structures = _orderings(parent, entry, facts)
    found = []
    for structure in structures:
        primitive: Structure = structure if facts.reference else structure.get_primitive_structure(tolerance=0.05)
        if primitive.composition.reduced_formula != _reduced(facts.formula):
            raise UserError(
                f"phase {facts.name}: the sites give {primitive.composition.reduced_formula}, not {facts.formula}"
            )
        found.append(AseAtomsAdaptor.get_atoms(primitive, msonable=False))
    return tuple(found)


def space_group_number(atoms: Atoms, symprec: float = SYMPREC) -> int:
    """International number of the space group of `atoms` (0 when spglib finds none)."""
    import spglib

    cell = (atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers)
    dataset = spglib.get_symmetry_dataset(cell, symprec=symprec)
    return 0 if dataset is None else int(dataset.number)


def _reduced(formula: str) -> str:
    from pymatgen.core import Composition

    return Composition(formula).reduced_formula


def _number(value: Any) -> float:
    return float(Fraction(value)) if isinstance(value, str) else float(value)


def _multiplicity(wyckoff: str) -> int:
    return int("".join(c for c in str(wyckoff) if c.isdigit()) or 0)


def _lattice(values: dict[str, float]) -> Any:
    from pymatgen.core import Lattice

    a = values["a"]
    return Lattice.from_parameters(
        a,
        values.get("b", a),
        values.get("c", a),
        values.get("alpha", 90.0),
        values.get("beta", 90.0),
        values.get("gamma", 90.0),
    )


def _from_sites(entry: dict[str, Any], name: str) -> Any:
    """pymatgen structure of the conventional cell; every Wyckoff multiplicity is checked."""
    from pymatgen.core import DummySpecies, Structure

    cell = _lattice(entry["lattice"])
    shift = [_number(v) for v in entry.get("origin_shift", (0, 0, 0))]
    species, coords = [], []
    for element, wyckoff, *xyz in entry["sites"]:
        symbol = DummySpecies("X") if element == "M" else element
        position = [_number(v) + s for v, s in zip(xyz, shift, strict=True)]
        orbit = Structure.from_spacegroup(entry["space_group"], cell, [symbol], [position], tol=0.01)
        if len(orbit) != _multiplicity(wyckoff):
            raise UserError(f"phase {name}: {element} at {position} gives {len(orbit)} atoms, not {wyckoff}")
        species += [symbol] * len(orbit)
        coords += list(orbit.frac_coords)
    return Structure(cell, species, coords)


def _orderings(parent: Any, entry: dict[str, Any], facts: PhaseFacts) -> list[Any]:
    """Orderings of two species on the sites ``M`` of the parent's supercell, lowest Ewald energy first.

    Those with the stated space group come alone if there are any; `keep` of them are returned.
    """
    from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

    cell = parent.copy()
    cell.make_supercell(entry["supercell"])
    (fill,) = entry["fill"].values()
    (minor, n_minor), (major, n_major) = sorted(fill.items(), key=lambda item: item[1])
    metal = [i for i, site in enumerate(cell) if site.specie.symbol == "X"]
    chosen_size = len(metal) * n_minor // (n_minor + n_major)
    if math.comb(len(metal), chosen_size) > MAX_ORDERINGS:
        raise UserError(f"phase {facts.name}: more than {MAX_ORDERINGS} orderings; use a smaller supercell")
    charges = {symbol: float(entry["charges"][symbol]) for symbol in fill}
    pairs = _ewald_pairs(cell, metal, (charges[minor] * n_minor + charges[major] * n_major) / (n_minor + n_major))
    ranked: list[tuple[float, tuple[int, ...]]] = []
    for subset in itertools.combinations(range(len(metal)), chosen_size):
        q = np.full(len(cell), 1.0)
        q[metal] = charges[major]
        q[[metal[i] for i in subset]] = charges[minor]
        ranked.append((float(q @ pairs @ q), subset))
    keep = int(entry.get("keep", 3))
    matching: list[Any] = []
    others: list[Any] = []
    for subset in _distinct(ranked):
        structure = cell.copy()
        for position, index in enumerate(metal):
            structure[index] = minor if position in subset else major
        same = SpacegroupAnalyzer(structure, symprec=0.01).get_space_group_number() == facts.space_group
        (matching if same else others).append(structure)
        if len(matching) == keep:
            break
    return matching or others[:keep]


def _distinct(ranked: Sequence[tuple[float, tuple[int, ...]]]) -> Iterable[tuple[int, ...]]:
    """One ordering per Ewald energy, ascending."""
    last = -np.inf
    for energy, subset in sorted(ranked):
        if energy - last > _ENERGY_TOLERANCE:
            last = energy
            yield subset


def _ewald_pairs(cell: Any, metal: Sequence[int], mean_charge: float) -> NDArray[np.float64]:
    """Matrix P with which q @ P @ q is the Ewald energy (eV), q = 1 on anions and the charge (e) on metal sites.

    The sum is done once, with the mean charge on every metal site, where the cell is neutral.
    """
    from pymatgen.analysis.ewald import EwaldSummation

    charged = cell.copy()
    charged.replace_species({"X": "Nb"})  # any real element: Ewald sums only know charges and positions
    anion = -mean_charge * len(metal) / (len(cell) - len(metal))
    charged.add_oxidation_state_by_site([mean_charge if i in set(metal) else anion for i in range(len(cell))])
    matrix = np.array(EwaldSummation(charged).total_energy_matrix)
    scale = np.where(np.isin(np.arange(len(cell)), metal), 1 / mean_charge, 1.0)
    return matrix * np.outer(scale, scale)
