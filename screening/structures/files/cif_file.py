"""CIF: what its sites say is checked before pymatgen applies the symmetry.

pymatgen leaves out a site with the occupancy ``.``, reads the coordinate ``.`` as 0 and falls back to P1 where it does
not know the space group; ASE keeps the majority species of a shared site. Each of these is another crystal.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from typing import Any

from ase import Atoms
from ase.data import atomic_numbers

from screening.errors import first_line
from screening.structures.elements import BadStructure, element

OCCUPANCY_TOLERANCE = 1e-3
"""How far an occupancy may be from 1 as printed, for example 0.9999."""
_AXES = tuple(f"_atom_site_fract_{axis}" for axis in "xyz")
_KEPT = ("_cell_", "_symmetry_", "_space_group_", "_atom_site_", "_chemical_formula_sum")
_DEFAULT_P1 = "Defaulting to P1"
_P1 = ("P1", "1")


def looks_like_cif(text: str) -> bool:
    """Whether there is a data block with a cell or atoms."""
    return all(re.search(rf"^\s*{start}", text, re.MULTILINE) for start in ("data_", "_(cell|atom)_"))


def read_cif(text: str) -> tuple[list[Atoms], list[str]]:
    """Structures of all data blocks that hold atoms, and what a reader should know about them.

    Raises
    ------
    BadStructure
        When sites are partly or more than fully occupied, coordinates or elements are unknown, the symmetry cannot be
        made out, or there are no atoms.
    """
    from pymatgen.io.cif import CifFile

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            blocks = CifFile.from_str(text).data
    except Exception as error:  # pymatgen raises whatever the broken place happens to raise
        raise BadStructure(f"is no readable CIF ({first_line(error).rstrip('.')})") from error
    notes: list[str] = []
    with_atoms = [b for b in blocks.values() if any(key.startswith("_atom_site_") for key in b.data)]
    found = [_structure(block, notes) for block in with_atoms]
    if not found:
        raise BadStructure("holds no atoms")
    return found, list(dict.fromkeys(notes))


def _structure(block: Any, notes: list[str]) -> Atoms:
    from pymatgen.io.cif import CifBlock, CifFile, CifParser

    sites = {k: [v] if isinstance(v, str) else list(v) for k, v in block.data.items() if k.startswith("_atom_site_")}
    symbols = _symbols(sites, notes)
    _check_coordinates(sites, symbols)
    _check_occupancies(sites, symbols)
    _check_alternatives(sites)
    needed = {"_atom_site_label": [f"{s}{i}" for i, s in enumerate(symbols)], "_atom_site_type_symbol": symbols}
    needed |= {axis: sites[axis] for axis in _AXES}
    data = {k: v for k, v in block.data.items() if k.startswith(_KEPT) and not k.startswith("_atom_site_")} | needed
    loops = [kept for loop in block.loops if (kept := [k for k in loop if k in data and k not in sites])]
    plain = CifFile({"x": CifBlock(data, [*loops, list(needed)], "x")})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            parser: Any = CifParser.from_str(str(plain))
            (structure,) = parser.parse_structures(primitive=False, on_error="raise")
            missing = parser.check(structure) if "_chemical_formula_sum" in data else None
        except Exception as error:  # as above
            raise BadStructure(f"is no readable CIF ({first_line(error).rstrip('.')})") from error
    _check_symmetry(block, parser.warnings, notes)
    if missing:
        notes.append(f"pymatgen: {missing}")
    return Atoms(
        [site.specie.symbol for site in structure],
        scaled_positions=structure.frac_coords,
        cell=structure.lattice.matrix,
        pbc=True,
    )


def _symbols(sites: dict[str, list[str]], notes: list[str]) -> list[str]:
    """Element of every site, from its type symbol (``Nb5+``) or else from its label (``Nb1``)."""
    types, labels = sites.get("_atom_site_type_symbol"), sites.get("_atom_site_label")
    if types:
        return [element(_letters(name).title(), notes) for name in types]
    if labels:
        return [element(_from_label(name), notes) for name in labels]
    raise BadStructure("names no elements for its atoms")


def _letters(name: str) -> str:
    """Letters that a name begins with; the name itself where there are none."""
    found = re.match(r"[A-Za-z]+", name)
    return found.group() if found else name


def _from_label(label: str) -> str:
    """Element of a label: ``Nb1`` and ``NB1`` are Nb, ``OW1`` is O.

    Raises
    ------
    BadStructure
        For ``HO1``, which may be holmium or the hydrogen of a hydroxyl.
    """
    letters = _letters(label)
    one, two = letters[:1].upper(), letters[:2].title()
    pair = bool(atomic_numbers.get(two)) and len(letters) > 1
    if pair and letters[1].isupper() and one in atomic_numbers:
        raise BadStructure(f"has an atom labelled {label}, which may be {two} or {one}: add _atom_site_type_symbol")
    if pair or letters[1:2].islower():
        return letters[:2].title()
    return "D" if letters[:1] == "D" else one


def _check_coordinates(sites: dict[str, list[str]], symbols: Sequence[str]) -> None:
    for axis in _AXES:
        values = sites.get(axis)
        if values is None or len(values) != len(symbols):
            raise BadStructure(f"gives no {axis} for its atoms; fractional coordinates are needed")
        for symbol, value in zip(symbols, values, strict=True):
            if _number(value) is None:
                raise BadStructure(f"an atom of {symbol} has the coordinate {value!r}, which is no number")
    for symbol, attached in zip(symbols, sites.get("_atom_site_attached_hydrogens", []), strict=False):
        if _number(attached):
            raise BadStructure(f"attaches {attached} H to an atom of {symbol} without giving their positions")


def _check_occupancies(sites: dict[str, list[str]], symbols: Sequence[str]) -> None:
    """The dictionary's default for ``.`` is 1; ``?`` means that nobody knows."""
    wrong = []
    for symbol, text in zip(symbols, sites.get("_atom_site_occupancy", []), strict=False):
        value = 1.0 if text == "." else _number(text)
        if value is None:
            raise BadStructure(f"an atom of {symbol} has the occupancy {text!r}, which is no number")
        if value > 1 + OCCUPANCY_TOLERANCE:
            raise BadStructure(f"a site of {symbol} is occupied {text} times, which is more than once")
        if value < 1 - OCCUPANCY_TOLERANCE:
            wrong.append(f"{symbol} {text}")
    if wrong:
        raise partly_occupied(wrong)


def _check_alternatives(sites: dict[str, list[str]]) -> None:
    """Groups of one assembly exclude each other, whatever their occupancies say."""
    groups = sites.get("_atom_site_disorder_group", [])
    assemblies = sites.get("_atom_site_disorder_assembly") or ["."] * len(groups)
    found: dict[str, set[str]] = {}
    for assembly, group in zip(assemblies, groups, strict=False):
        if group not in (".", "?"):
            found.setdefault(assembly, set()).add(group)
    for names in found.values():
        if len(names) > 1:
            shown = ", ".join(sorted(names))
            raise BadStructure(
                f"holds alternatives, of which one is there at a time (disorder groups {shown}): "
                "give an ordered model of the crystal"
            )


def partly_occupied(sites: Sequence[str]) -> BadStructure:
    """The refusal of a disordered crystal, which names its first sites."""
    shown = ", ".join(sites[:4]) + (", ..." if len(sites) > 4 else "")
    return BadStructure(f"has partly occupied sites ({shown}): give an ordered model of the crystal")


def _check_symmetry(block: Any, said: Sequence[str], notes: list[str]) -> None:
    """P1 is right where nothing else is stated, and only there."""
    if not any(_DEFAULT_P1 in text for text in said):
        return
    stated = [
        str(value).strip("'\" ")
        for key, value in block.data.items()
        if re.search(r"(space_group|symmetry).*(name|number|equiv|symop_operation)", key, re.IGNORECASE)
    ]
    other = [value for value in stated if value.replace(" ", "") not in (*_P1, ".", "?", "")]
    if other:
        raise BadStructure(f"states the symmetry {other[0]}, which is not known: list its operations")
    notes.append("states no symmetry and is read as P1")


def _number(text: str) -> float | None:
    """A number, with or without its uncertainty in brackets, or a fraction."""
    found = re.fullmatch(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)(?:\(\d*\))?\s*", text)
    return float(found.group(1)) if found else None
