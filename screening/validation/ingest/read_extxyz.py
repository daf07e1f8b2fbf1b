"""Read calculations from extended XYZ files: our own training sets, and those of other people."""

from __future__ import annotations

import io
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ase import Atoms

from screening.fidelity import Fidelity
from screening.structures.files.extxyz_entries import RESERVED, entries_of
from screening.training_data.calculation import Calculation, CalculationDetails, CalculationUnreadable, Frame, Method
from screening.training_data.frame_choice import left_out
from screening.validation.ingest.extxyz_labels import Labels, NotUsable, labels_of

OWN_ID = re.compile(r"c[0-9a-f]+")  # what `calculation_id` makes
UNKNOWN = "unknown"
STARS = re.compile(r"\*{2,}")
LEAST_CUTOFF = 50.0  # eV; no plane-wave cutoff is smaller
MAX_GROWTH = 1.5  # by which the volume may change within one relaxation


def read_extxyz(path: Path) -> list[Calculation]:
    """Calculations of a file: frames of one calculation of ours are one, any other frame is one of its own.

    What decides the energy scale is taken from ``info``: ``fidelity`` as this program writes it, or ``functional``,
    ``cutoff``, ``engine`` and ``spin`` with ``hubbard`` as a mapping. A file that says none of it gets the functional
    ``unknown``, and only the user can say which settings it was made with. Frames that are no calculation (without an
    energy, with ``****`` or NaN, isolated atoms, molecules) are left out; a note of the first calculation names them.

    Raises
    ------
    CalculationUnreadable
        When the file is no extended XYZ, or none of its frames can be used.
    """
    groups: dict[tuple[Any, ...], list[tuple[Atoms, Labels]]] = {}
    unusable: dict[str, list[int]] = defaultdict(list)
    notes: Counter[str] = Counter()
    images = _images(path)
    for number, atoms in enumerate(images, start=1):
        own = _is_own(atoms)
        try:
            labels = _finite(atoms, labels_of(atoms, own=own))
        except NotUsable as error:
            unusable[str(error)].append(number)
            continue
        notes.update(labels.notes)
        groups.setdefault(_group(atoms, labels, number, own=own), []).append((atoms, labels))
    refused = [left_out("frame", numbers, reason) for reason, numbers in unusable.items()]
    if not groups:
        raise CalculationUnreadable(f"{path.name}: {'; '.join(refused)}")
    warnings = [*refused, *(f"{note} ({count} frame{'s' * (count > 1)})" for note, count in notes.items())]
    found = [_calculation(path, str(key[0]), part) for key, group in groups.items() for part in _split(group)]
    if warnings:
        found[0] = found[0].warned(*warnings)
    return found


def _images(path: Path) -> list[Atoms]:
    from ase.io import read

    try:
        text = path.read_text(encoding="utf-8", errors="replace")
        stream = io.StringIO(_with_nan(text))
        images = list(read(stream, index=":", format="extxyz", properties_parser=entries_of))
    except Exception as error:  # ASE raises whatever the broken place happens to raise
        raise CalculationUnreadable(f"{path.name} is no extended XYZ file, or is cut ({error})") from error
    if not images:
        raise CalculationUnreadable(f"{path.name} holds no structure")
    return images


def _with_nan(text: str) -> str:
    """The same text with NaN for ``****``, of which two columns may touch: such a row is filled up with NaN."""
    if "**" not in text:
        return text
    lines = text.split("\n")
    columns = 0
    for number, line in enumerate(lines):
        if RESERVED.search(line):
            columns = sum(map(int, re.findall(r":(\d+)", line)))
            lines[number] = STARS.sub("nan", line)
        elif "**" in line:
            row = STARS.sub(" nan ", line).split()
            lines[number] = " ".join(row + ["nan"] * (columns - len(row)))
    return "\n".join(lines)


def _is_own(atoms: Atoms) -> bool:
    fidelity = _fidelity(atoms.info)
    return bool(fidelity.potential or fidelity.program)


def _fidelity(info: dict[str, Any]) -> Fidelity:
    return Fidelity.parse(str(info.get("fidelity", "")))


def _finite(atoms: Atoms, labels: Labels) -> Labels:
    parts = _frame(atoms, labels).not_finite
    if parts:
        raise NotUsable(f"**** or NaN in {' and '.join(parts)}")
    return labels


def _group(atoms: Atoms, labels: Labels, number: int, *, own: bool) -> tuple[Any, ...]:
    """What frames of one calculation share; other programs use the word ``calculation`` for something else."""
    name = str(atoms.info.get("calculation", ""))
    if not own or not OWN_ID.fullmatch(name):
        return (f"frame {number}",)
    return (name, atoms.info["fidelity"], labels.charge, atoms.numbers.tobytes(), atoms.pbc.tobytes())


def _split(group: list[tuple[Atoms, Labels]]) -> list[list[tuple[Atoms, Labels]]]:
    """The group itself, or its frames one by one where their cells are too different to be steps of one relaxation."""
    volumes = [float(atoms.cell.volume) for atoms, _ in group]
    return [group] if max(volumes) <= MAX_GROWTH * min(volumes) else [[frame] for frame in group]


def _calculation(path: Path, name: str, images: Sequence[tuple[Atoms, Labels]]) -> Calculation:
    info = images[-1][0].info
    fidelity = _fidelity(info)
    return Calculation(
        source=f"{path}:{name}",
        method=_method(info, fidelity),
        frames=tuple(_frame(atoms, labels) for atoms, labels in images),
        electronic_converged=all(labels.converged for _, labels in images),
        charge=images[-1][1].charge,
        band_gap=_finite_number(info, "band_gap"),
        simulated_by=fidelity.potential or None,
        settings=fidelity.settings or None,
        details=CalculationDetails(
            files=(str(path),),
            candidate=str(info.get("candidate") or ""),
            # the file does not repeat the U values, which the fidelity stands for
            fidelity=str(fidelity) if fidelity.is_dft else "",
        ),
    )


def _finite_number(info: dict[str, Any], name: str) -> float | None:
    """None where it is not there or no finite number in front of a unit: a by-product must not cost the calculation."""
    try:
        number = float(str(info[name]).removesuffix("eV"))
    except (KeyError, ValueError):
        return None
    return number if abs(number) < float("inf") else None


def _cutoff(info: dict[str, Any]) -> float | None:
    """Plane-wave cutoff, eV; small or negative numbers of that name are distances of neighbours (QUIP)."""
    cutoff = _finite_number(info, "cutoff")
    return cutoff if cutoff is not None and cutoff > LEAST_CUTOFF else None


def _method(info: dict[str, Any], fidelity: Fidelity) -> Method:
    hubbard = info.get("hubbard")
    return Method(
        engine=fidelity.program if fidelity.is_dft else str(info.get("engine", "extxyz")).lower(),
        functional=fidelity.functional or str(info.get("functional", UNKNOWN)).lower(),
        hubbard={str(k): float(v) for k, v in hubbard.items()} if isinstance(hubbard, dict) else {},
        cutoff=_cutoff(info),
        spin=bool(info.get("spin", False)),
    )


def _frame(atoms: Atoms, labels: Labels) -> Frame:
    bare = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    return Frame(atoms=bare, energy=labels.energy, forces=labels.forces, stress=labels.stress)
