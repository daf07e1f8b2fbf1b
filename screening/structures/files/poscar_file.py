"""POSCAR and CONTCAR: read line by line, so that what is wrong can be said and nothing is guessed.

General readers give a POSCAR without a species line (VASP 4) the elements H, He, Li, ... Here such a file is read only
where its own comment, or the ends of its coordinate lines, name the species.
https://www.vasp.at/wiki/index.php/POSCAR
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise, takewhile

import numpy as np
import numpy.typing as npt
from ase import Atoms

from screening.structures.elements import BadStructure, element

_HEADER = 8
"""Lines of the shortest POSCAR: comment, scale, three vectors, counts, mode, one atom."""
_NAMED = re.compile(r"([A-Z][a-z]?)(\d*)")


def looks_like_poscar(text: str) -> bool:
    """Whether lines 2 to 5 hold a scale and three vectors."""
    lines = text.splitlines()[:5]
    if len(lines) < 5 or _leading(lines[1]) not in (1, 3):
        return False
    return all(_leading(line) >= 3 for line in lines[2:])


def read_poscar(text: str) -> tuple[Atoms, list[str]]:
    """The cell of a POSCAR, and what a reader should know about how it was read.

    Selective dynamics and velocities are left out: they say how a cell is to be relaxed, not what it is.

    Raises
    ------
    BadStructure
        Says in which line what is wrong.
    """
    lines = text.splitlines()
    if len(lines) < _HEADER:
        raise BadStructure(f"ends after {len(lines)} lines, within the header of a POSCAR")
    cell, scale = _cell(lines)
    names, counts, at = _species(lines)
    selective = at < len(lines) and lines[at].strip()[:1] in ("S", "s")
    at += selective
    if at >= len(lines) or not lines[at].strip() or _leading(lines[at]) >= 3:
        raise BadStructure(f"line {at + 1} should say Direct or Cartesian")
    cartesian = lines[at].strip()[0] in "CcKk"
    rows = lines[at + 1 : at + 1 + sum(counts)]
    positions = [_numbers(row, at + 2 + i, 3) for i, row in enumerate(_until_blank(rows))]
    if len(positions) < sum(counts):
        raise BadStructure(f"holds {len(positions)} of the {sum(counts)} atoms that it counts")
    behind = lines[at + 1 + sum(counts) :][:1]  # velocities come after a line that is blank or says Cartesian
    if behind and _leading(behind[0]) >= 3:
        raise BadStructure(f"holds more than the {sum(counts)} atoms that it counts")
    notes: list[str] = []
    if names is None:
        names, source = _unnamed(lines[0], rows, counts, behind=6 if selective else 3)
        notes.append(f"no species line (VASP 4): {' '.join(names)} taken from {source}")
    symbols = [s for name, n in zip([element(n, notes) for n in names], counts, strict=True) for s in [name] * n]
    points = np.array(positions)
    points = points * scale if cartesian else points @ cell
    return Atoms(symbols, positions=points, cell=cell, pbc=True), list(dict.fromkeys(notes))


def _cell(lines: Sequence[str]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """(3, 3) vectors, and (3,) factors of Cartesian coordinates; a negative scale is the volume of the cell (A^3)."""
    n_factors = 3 if _leading(lines[1]) >= 3 else 1
    factors = np.array(_numbers(lines[1], 2, n_factors))
    vectors = np.array([_numbers(line, 3 + i, 3) for i, line in enumerate(lines[2:5])])
    volume = abs(float(np.linalg.det(vectors)))
    if volume < 1e-9:
        raise BadStructure("the three vectors of its cell span no volume")
    if n_factors == 1 and factors[0] < 0:
        factors = np.array([(-factors[0] / volume) ** (1 / 3)])
    if (factors <= 0).any():
        raise BadStructure(f"line 2: {lines[1].strip()!r} is no scale")
    scale = np.broadcast_to(factors, 3).astype(float)
    return vectors * scale, scale


def _species(lines: Sequence[str]) -> tuple[list[str] | None, list[int], int]:
    """Names (None where there is no line for them), counts, and the index of the line after both.

    VASP breaks both after 20 entries, into as many lines each.
    """
    at = 5
    names: list[str] = []
    while at < len(lines) and lines[at].split() and not _is_count(lines[at].split()[0]):
        words = re.split("[#!]", lines[at])[0].split()
        names += [word.split("/")[0].split("_")[0] for word in words]
        at += 1
    counts: list[int] = []
    while at < len(lines) and len(counts) < max(len(names), 1) and lines[at].split():
        numbers = [int(word) for word in takewhile(_is_count, lines[at].split())]
        if not numbers:
            break
        counts += numbers
        at += 1
    if not counts:
        raise BadStructure("line 6 and those after it hold no counts of atoms")
    if names and len(names) != len(counts):
        raise BadStructure(f"names {len(names)} species and counts {len(counts)}")
    if sum(counts) == 0:
        raise BadStructure("counts no atoms")
    return names or None, counts, at


def _unnamed(comment: str, rows: Sequence[str], counts: Sequence[int], *, behind: int) -> tuple[list[str], str]:
    """Species of a file that has no line for them, and where they were found."""
    words = [(row.split() + [""] * (behind + 1))[behind] for row in rows]
    starts = np.cumsum([0, *counts])
    groups = [set(words[a:b]) for a, b in pairwise(starts) if b > a]
    if all(len(group) == 1 and _NAMED.fullmatch(next(iter(group))) for group in groups) and len(groups) == len(counts):
        return [next(iter(group)) for group in groups], "the ends of its lines"
    named = [_NAMED.fullmatch(word) for word in comment.split()]
    found = [match.groups() for match in named if match is not None]
    fits = [number in ("", str(count)) for (_, number), count in zip(found, counts, strict=False)]
    if len(found) == len(named) == len(counts) and all(fits):
        return [name for name, _ in found], f"its comment {comment.strip()!r}"
    raise BadStructure(
        f"has no species line (VASP 4), and its comment {comment.strip()!r} does not name {len(counts)} species: "
        "write their symbols into a line before the counts"
    )


def _until_blank(rows: Sequence[str]) -> list[str]:
    blank = next((i for i, row in enumerate(rows) if not row.strip()), len(rows))
    return list(rows[:blank])


def _is_count(word: str) -> bool:
    return word.isdigit()


def _number(word: str) -> float | None:
    try:
        return float(word.replace("d", "e").replace("D", "e"))
    except ValueError:
        return None


def _leading(line: str) -> int:
    """How many numbers a line begins with."""
    words = line.split()
    return next((i for i, word in enumerate(words) if _number(word) is None), len(words))


def _numbers(line: str, number: int, n: int) -> list[float]:
    """The first `n` numbers of line `number`; they are finite."""
    words = line.split()[:n]
    values = [_number(word) for word in words]
    bad = [word for word, value in zip(words, values, strict=True) if value is None or not np.isfinite(value)]
    if bad:
        raise BadStructure(f"line {number}: {bad[0]!r} is no number")
    if len(values) < n:
        raise BadStructure(f"line {number} holds {len(values)} of {n} numbers")
    return [value for value in values if value is not None]
