"""Competing phases: crystal facts from datasets/phases/*.yaml, and the atoms they describe.

A phase is given in one of three ways: site by site (`lattice`, `sites`); as an isotype of another entry (`isotype_of`,
`replace`, `lattice`); or as an ordering on a parent lattice (`parent`, `supercell`, `fill`), of which the orderings of
lowest Ewald energy that have the stated space group are built and the potential decides between them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from ase import Atoms
from ase.formula import Formula

from screening.assets import asset
from screening.errors import UserError
from screening.structures.crystals.phase_orderings import orderings
from screening.typed.yaml_file import load_shipped

SYMPREC = 0.1
"""Tolerance (A) with which space groups are determined here, as in the Materials Project."""

PREDICTED_SOURCE = "substitution:"
"""How the source of a phase begins that was predicted by ionic substitution, or is a model and no known crystal."""

_REQUIRED = ("name", "formula", "space_group", "source")
_GEOMETRY = ("space_group", "origin_shift", "supercell", "fill", "charges", "keep", "dispersion_bound", "cell_held")
_KEYS = {*_REQUIRED, *_GEOMETRY, "lattice", "sites", "parent", "reference", "volume_per_atom"}


@dataclass(frozen=True, kw_only=True)
class PhaseFacts:
    """One phase as its YAML entry states it.

    Attributes
    ----------
    space_group
        International number.
    volume
        Stated volume, A^3 per atom; None for a molecule in a box.
    cell_held
        Relaxed in the stated cell (keys ``dispersion_bound``: layers, molecules and open frameworks held together by
        dispersion, which PBE and potentials trained on it lack; or ``cell_held``, with the reason in a comment).
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
    cell_held: bool = False
    reference: dict[str, Any] | None = field(hash=False)
    facts_sha256: str
    entry: dict[str, Any] = field(repr=False, hash=False, compare=False)

    @property
    def composition(self) -> dict[str, int]:
        """Atoms of each element in the formula."""
        return dict(Formula(self.formula).count())

    @property
    def substituted(self) -> bool:
        """Predicted by ionic substitution: neither its volume nor its space group is a fact."""
        return self.source.startswith(PREDICTED_SOURCE)


@cache
def _all_phases(folder: Path) -> tuple[PhaseFacts, ...]:
    entries: dict[str, tuple[dict[str, Any], str]] = {}
    for path in sorted(folder.glob("*.yaml")):
        for entry in load_shipped(path.read_text(encoding="utf-8")) or []:
            name = entry.get("name", "?")
            if name in entries:
                raise UserError(f"{path.name}: phase {name} is listed twice; give the second one another name")
            entries[name] = (entry, path.name)
    known = {name: entry for name, (entry, _) in entries.items()}
    return tuple(
        parse_facts(resolve_isotype(entry, known, where=where), where=where) for entry, where in entries.values()
    )


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


def resolve_isotype(entry: dict[str, Any], known: Mapping[str, dict[str, Any]], *, where: str) -> dict[str, Any]:
    """An entry that names another one (`isotype_of`) with that one's sites, elements replaced; others as they are.

    Raises
    ------
    UserError
        When the other entry does not exist, or an element to replace does not occur in it.
    """
    if "isotype_of" not in entry:
        return entry
    name = entry.get("name", "?")
    base_name = entry["isotype_of"]
    if base_name not in known or base_name == name:
        raise UserError(f"{where}: phase {name} is said to be isotypic with {base_name}, which is not listed")
    if "lattice" not in entry:
        raise UserError(f"{where}: phase {name} lacks lattice; an isotype states its own")
    base = resolve_isotype(known[base_name], known, where=where)
    replace = {str(k): str(v) for k, v in entry.get("replace", {}).items()}
    geometry = base if "sites" in base else base["parent"]
    present = {site[0] for site in geometry["sites"]} | {k for fill in base.get("fill", {}).values() for k in fill}
    if strange := sorted(set(replace) - present):
        raise UserError(f"{where}: phase {name} replaces {', '.join(strange)}, which {base_name} does not hold")

    def named(symbol: str) -> str:
        return replace.get(symbol, symbol)

    own = {k: v for k, v in entry.items() if k not in ("isotype_of", "replace", "lattice")}
    moved = [[named(site[0]), *site[1:]] for site in geometry["sites"]]
    resolved = {k: v for k, v in base.items() if k in _GEOMETRY} | own
    if "sites" in base:
        return {**resolved, "lattice": entry["lattice"], "sites": moved}
    return {
        **resolved,
        "parent": {**base["parent"], "lattice": entry["lattice"], "sites": moved},
        "fill": {site: {named(k): v for k, v in fill.items()} for site, fill in base["fill"].items()},
        "charges": {named(k): v for k, v in base["charges"].items()},
    }


def parse_facts(entry: dict[str, Any], *, where: str = "entry") -> PhaseFacts:
    """Check one YAML entry and turn it into facts."""
    if missing := [key for key in _REQUIRED if key not in entry]:
        raise UserError(f"{where}: phase {entry.get('name', '?')} lacks {', '.join(missing)}")
    if unknown := sorted(set(entry) - _KEYS):
        raise UserError(
            f"{where}: phase {entry['name']} has the unknown key {unknown[0]}; see datasets/phases for examples"
        )
    if ("sites" in entry) == ("parent" in entry):
        raise UserError(f"{where}: phase {entry['name']} needs either sites or a parent with a supercell and a fill")
    facts = {k: v for k, v in entry.items() if k != "source"}  # better known origins change no energy
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    geometry = entry if "sites" in entry else entry["parent"]
    lattice = _lattice(geometry["lattice"])
    volume: float | None = entry.get("volume_per_atom")
    if volume is None and "reference" not in entry:
        n_atoms = sum(_multiplicity(site[1]) for site in geometry["sites"])
        volume = lattice.volume / n_atoms
    return PhaseFacts(
        name=entry["name"],
        formula=entry["formula"],
        space_group=_group_number(str(entry["space_group"]).split(":")[0], where=f"{where}: phase {entry['name']}"),
        volume=volume,
        source=entry["source"],
        cell_held=bool(entry.get("dispersion_bound", False) or entry.get("cell_held", False)),
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
        structures = orderings(parent, entry, facts.name, facts.space_group)
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


@cache
def _standard_symbols() -> dict[str, int]:
    import spglib

    types = [spglib.get_spacegroup_type(hall) for hall in range(1, 531)]
    return {t.international_short: int(t.number) for t in types if t is not None}


def _group_number(symbol: str, *, where: str) -> int:
    """International number of a Hermann-Mauguin symbol."""
    if symbol in _standard_symbols():
        return _standard_symbols()[symbol]
    from pymatgen.symmetry.groups import SpaceGroup

    # knows the other settings (P2_1/n, Pbnm), but takes up to a second for each
    try:
        return int(SpaceGroup(symbol).int_number)
    except ValueError as error:
        raise UserError(f"{where} has the unknown space group {symbol!r}; write it as R-3m or P2_1/c") from error


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


@cache
def _space_group(symbol: str) -> Any:
    from pymatgen.symmetry.groups import SpaceGroup

    return SpaceGroup(symbol)  # kept: its operations take up to a second to generate


def _from_sites(entry: dict[str, Any], name: str) -> Any:
    """pymatgen structure of the conventional cell; every Wyckoff multiplicity is checked."""
    from pymatgen.core import DummySpecies, Structure

    cell, group = _lattice(entry["lattice"]), _space_group(entry["space_group"])
    if not group.is_compatible(cell):
        raise UserError(f"phase {name}: a lattice of {cell.parameters} does not fit {entry['space_group']}")
    shift = [_number(v) for v in entry.get("origin_shift", (0, 0, 0))]
    species, coords = [], []
    for element, wyckoff, *xyz in entry["sites"]:
        symbol = DummySpecies("X") if element == "M" else element
        position = [_number(v) + s for v, s in zip(xyz, shift, strict=True)]
        orbit = group.get_orbit(position, tol=0.01)
        if len(orbit) != _multiplicity(wyckoff):
            raise UserError(f"phase {name}: {element} at {position} gives {len(orbit)} atoms, not {wyckoff}")
        species += [symbol] * len(orbit)
        coords += list(orbit)
    return Structure(cell, species, coords)
