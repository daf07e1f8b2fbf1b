"""The one reader of structure files that users give: any of several formats, and nothing taken that was not said.

The format is found in the content, the file's name decides only where that says nothing. Disorder, missing species,
unknown elements, NaN, cells without a volume and atoms on top of each other are refused in one sentence: general
readers turn most of them into another crystal without a word.
"""

from __future__ import annotations

import bz2
import gzip
import json
import logging
import lzma
import re
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list

from screening.errors import UserError
from screening.structures.elements import BadStructure, element
from screening.structures.files.cif_file import OCCUPANCY_TOLERANCE, looks_like_cif, partly_occupied, read_cif
from screening.structures.files.extxyz_entries import entries_of
from screening.structures.files.poscar_file import looks_like_poscar, read_poscar

logger = logging.getLogger(__name__)

CLOSEST = 0.5
"""A; no two atoms are nearer than this (H2 has 0.74 A)."""
LONGEST = 1e4
"""A; longer vectors and coordinates farther out are slips of a digit, and no neighbour search survives them."""
FLATTEST = 1e-3
"""Volume over the product of the lengths of the cell vectors below which a cell has no volume."""
OTHER_FORMATS = (
    "vasp-xml", "vasp-out", "vasp-xdatcar", "extxyz", "xyz", "traj", "db", "json", "espresso-in", "espresso-out",
    "aims", "aims-output", "cube", "gen", "gpaw-out", "gpw", "proteindatabank", "siesta-xv", "xsf",
)  # fmt: skip
"""ASE's readers that may be used; others guess species, run the file as a program (``py``) or unpickle it."""
_OCCUPANCY = re.compile(r"occupanc|^occu?$|^sof$|_occu?$")
"""Names under which programs write occupancies."""
ADVICE = "give extxyz, CIF, POSCAR or pymatgen's JSON of an ordered structure"


def read_structure(path: Path) -> Atoms:
    """The one crystal of a file.

    Raises
    ------
    UserError
        As `read_structures`, and when the file holds several structures or no periodic one.
    """
    found = read_structures(path)
    if len(found) > 1:
        raise UserError(f"{path} holds {len(found)} structures, but one is wanted; give a file with one of them.")
    if not found[0].pbc.all():
        raise UserError(f"{path} holds no periodic crystal; {ADVICE}.")
    return found[0]


def read_structures(path: Path) -> list[Atoms]:
    """All structures of a file, each with a cell of non-zero volume; what was read in a special way is logged.

    Fixed atoms are free: ASE would set their forces to zero.

    Raises
    ------
    UserError
        In one sentence, when the file cannot be read or anything in it is not what it should be.
    """
    raw = _bytes(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found, notes = _parse(path, raw)
        if not found:
            raise BadStructure("holds no structure")
        for number, atoms in enumerate(found, start=1):
            try:
                check_structure(atoms)
                atoms.set_constraint()
            except BadStructure as error:
                where = f"structure {number} of {len(found)}: " if len(found) > 1 else ""
                raise BadStructure(f"{where}{error}") from error
    except BadStructure as error:
        text = str(error)
        raise UserError(f"{path}: {text}." if ": " in text else f"{path}: {text}; {ADVICE}.") from error
    for note in notes:
        logger.warning("%s: %s", path, note)
    return found


def check_structure(atoms: Atoms) -> None:
    """Refuse what is no ordered structure in a cell.

    Raises
    ------
    BadStructure
        Says what is wrong.
    """
    if not len(atoms):
        raise BadStructure("holds no atoms")
    if (atoms.numbers < 1).any():
        raise BadStructure("names the element X, which does not exist")
    if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
        raise BadStructure("a coordinate or the cell is not a finite number")
    _check_occupancy(atoms)
    lengths = atoms.cell.lengths()
    if (lengths < CLOSEST).any() or abs(np.linalg.det(atoms.cell.array)) < FLATTEST * float(np.prod(lengths)):
        raise BadStructure("has no cell, or one without a volume")
    if (lengths > LONGEST).any() or (np.abs(atoms.positions) > LONGEST).any():
        raise BadStructure(f"a cell vector or a coordinate is longer than {LONGEST:g} A")
    first, second, apart = neighbor_list("ijd", atoms, CLOSEST)
    if len(first):
        i, j = int(first[0]), int(second[0])
        pair = f"atoms {i + 1} ({atoms.symbols[i]}) and {j + 1} ({atoms.symbols[j]})"
        raise BadStructure(f"{pair} are {apart[0]:.2f} A apart, on top of each other")


def _check_occupancy(atoms: Atoms) -> None:
    """Occupancies as an array of the atoms, or as ASE keeps those of a CIF."""
    for name, values in [*atoms.arrays.items(), *atoms.info.items()]:
        if not _OCCUPANCY.search(name.lower()):
            continue
        wrong = [v for v in _plain_numbers(values) if not abs(v - 1) <= OCCUPANCY_TOLERANCE]
        if wrong:
            raise partly_occupied([f"{v:g}" for v in wrong])


def _plain_numbers(values: Any) -> list[float]:
    if isinstance(values, dict):
        return [number for value in values.values() for number in _plain_numbers(value)]
    if isinstance(values, list | tuple | np.ndarray):
        return [number for value in values for number in _plain_numbers(value)]
    try:
        return [] if values is None else [float(values)]
    except (TypeError, ValueError):
        return [float("nan")]


# ----- which format


def _bytes(path: Path) -> bytes:
    """Content of a file, unpacked.

    Raises
    ------
    UserError
        When it does not exist, cannot be read or is empty.
    """
    openers: dict[str, Any] = {".gz": gzip.decompress, ".bz2": bz2.decompress, ".xz": lzma.decompress}
    try:
        raw = path.read_bytes()
        raw = openers.get(path.suffix.lower(), lambda content: content)(raw)
    except FileNotFoundError as error:
        raise UserError(f"{path} cannot be read: there is no such file; give a structure file.") from error
    except IsADirectoryError as error:
        raise UserError(f"{path} cannot be read: it is a folder; give a structure file.") from error
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise UserError(
            f"{path} cannot be read ({getattr(error, 'strerror', None) or error}); give a structure file."
        ) from error
    if not raw.strip():
        raise UserError(f"{path} is empty; {ADVICE}.")
    return bytes(raw)


def _parse(path: Path, raw: bytes) -> tuple[list[Atoms], list[str]]:
    if b"\0" in raw[:4096]:
        return _with_ase(path), []
    text = raw.decode("utf-8-sig", errors="replace")
    name = path.name.removesuffix(path.suffix) if path.suffix.lower() in (".gz", ".bz2", ".xz") else path.name
    if name.lower().endswith(".json") or (text.lstrip()[:1] == "{" and not looks_like_poscar(text)):
        return _from_json(path, text)
    if looks_like_cif(text) or (name.lower().endswith((".cif", ".mcif")) and not looks_like_poscar(text)):
        return read_cif(text)
    first = text.lstrip().splitlines()[0].split()
    if name.lower().endswith("xyz") or (len(first) == 1 and first[0].isdigit() and not looks_like_poscar(text)):
        return _with_ase(path, "extxyz"), []
    trajectory = "configuration=" in text[:20000]
    named = name.upper().startswith(("POSCAR", "CONTCAR")) or name.lower().endswith((".vasp", ".poscar"))
    if (named or looks_like_poscar(text)) and not trajectory:
        atoms, notes = read_poscar(text)
        other = name.lower().endswith((".cif", ".mcif", ".json"))
        return [atoms], [*notes, *(["is read as the POSCAR that it is"] if other else [])]
    return _with_ase(path), []


def _with_ase(path: Path, form: str | None = None) -> list[Atoms]:
    from ase.io import read
    from ase.io.formats import UnknownFileTypeError, filetype

    try:
        form = form or filetype(str(path))
        if form not in OTHER_FORMATS:
            raise BadStructure(f"is of the kind {form}, which is not read")
        options: dict[str, Any] = {"properties_parser": entries_of} if form == "extxyz" else {}
        images = read(str(path), index=":", format=form, do_not_split_by_at_sign=True, **options)
        return [atoms.copy() for atoms in images]
    except BadStructure:
        raise
    except UnknownFileTypeError as error:
        raise BadStructure("is no structure file that is known here") from error
    except KeyError as error:
        raise BadStructure(f"names {error}, which is no element and nothing else that is known") from error
    except Exception as error:  # every reader of ASE has its own
        text = str(error).strip().splitlines()
        reason = text[0].rstrip(".") if text else type(error).__name__
        raise BadStructure(f"cannot be read as {form or 'a structure'} ({reason})") from error


# ----- pymatgen's JSON


def _from_json(path: Path, text: str) -> tuple[list[Atoms], list[str]]:
    """Structures as pymatgen writes them (alone, in a list, or in entries), read without importing what they name."""
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise BadStructure(f"line {error.lineno} is no valid JSON ({error.msg})") from error
    if isinstance(content, dict) and "ids" in content:
        return _with_ase(path, "json"), []
    items = content if isinstance(content, list) else [content]
    notes: list[str] = []
    return [_from_dict(item, notes) for item in items], list(dict.fromkeys(notes))


def _from_dict(item: Any, notes: list[str]) -> Atoms:
    if isinstance(item, dict) and isinstance(item.get("structure"), dict):
        item = item["structure"]
    if not isinstance(item, dict) or not {"lattice", "sites"} <= item.keys():
        raise BadStructure("is JSON, but holds no structure with a lattice and sites")
    try:
        cell = np.array(item["lattice"]["matrix"], dtype=float)
        points = np.array([site["abc"] for site in item["sites"]], dtype=float)
        species = [[(str(s["element"]), float(s["occu"])) for s in site["species"]] for site in item["sites"]]
    except (KeyError, TypeError, ValueError) as error:
        raise BadStructure(f"is JSON, but no structure of pymatgen (no {error})") from error
    if cell.shape != (3, 3) or points.shape != (len(species), 3) or not species:
        raise BadStructure("is JSON, but no structure of pymatgen (its lattice or its sites are incomplete)")
    shared = [" ".join(f"{name} {occu:g}" for name, occu in site) for site in species if not _whole(site)]
    if shared:
        raise partly_occupied(shared)
    symbols = [element(site[0][0], notes) for site in species]
    return Atoms(symbols, scaled_positions=points, cell=cell, pbc=True)


def _whole(site: list[tuple[str, float]]) -> bool:
    return len(site) == 1 and abs(site[0][1] - 1) <= OCCUPANCY_TOLERANCE
