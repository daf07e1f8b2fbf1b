"""How the data folder is written and read: frames, the list of calculations, and what ties them together."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import yaml
from ase import Atoms

from screening.errors import UserError
from screening.files import PARSE_ERRORS, read_received, replacing, sha256_of
from screening.training_data.calculation import Calculation
from screening.training_data.shapes import Shape
from screening.training_data.training_frames import calculation_id, training_frames
from screening.typed.shown_names import plain_name
from screening.typed.yaml_file import load_long

TRAINING, ENERGIES, LIST = "training.extxyz", "energies.extxyz", "calculations.yaml"
TEXT_KEYS = ("calculation", "candidate", "role", "formula", "fidelity", "source")

FolderState = tuple[tuple[int, int, int] | None, ...]
"""Inode, size and time of change of a data folder's files; None for one that is not there."""

# the compiled one writes ten thousand entries in seconds instead of minutes
_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """A calculation that passed its checks, with what is recorded beside it.

    Attributes
    ----------
    source
        Where it was read from, relative to what the user named.
    """

    calculation: Calculation
    fidelity: str
    settings: str
    source: str
    candidate: str = ""
    role: str = ""
    job: str = ""
    flags: tuple[str, ...] = ()

    @cached_property
    def id(self) -> str:
        return calculation_id(self.calculation, self.fidelity)


@dataclass
class Item:
    """A calculation as the library holds it: its entry in calculations.yaml, frames and final structure."""

    entry: dict[str, Any]
    training: list[Atoms]
    energies: list[Atoms]

    @property
    def frames(self) -> list[Atoms]:
        """Its structures in order."""
        return self.training or self.energies

    @cached_property
    def shape(self) -> Shape:
        """Final structure."""
        return Shape(self.frames[-1])

    @cached_property
    def start(self) -> Shape:
        """First structure."""
        return Shape(self.frames[0]) if len(self.frames) > 1 else self.shape

    @property
    def scale(self) -> Hashable:
        """What calculations share whose energies may be compared."""
        return tuple(self.entry[key] for key in ("fidelity", "charge", "n_atoms", "formula"))

    @property
    def energy(self) -> float:
        """Of the final structure, eV/atom."""
        return float(self.entry["energy"]) / int(self.entry["n_atoms"])

    @cached_property
    def mean_force(self) -> float:
        """Mean length of the forces on the atoms of the final structure, eV/A; zero where there are none."""
        if not self.training:
            return 0.0
        return float(np.linalg.norm(self.training[-1].get_forces(apply_constraint=False), axis=1).mean())


def read_frames(path: Path) -> list[Atoms]:
    """Frames of an extended XYZ file, in order; empty when there is none.

    Raises
    ------
    UserError
        When it is damaged.
    """
    from ase.io import read

    if not path.is_file() or path.stat().st_size == 0:
        return []
    try:
        frames = list(read(path, index=":", format="extxyz"))
    except Exception as error:  # ASE raises whatever the broken place happens to raise
        raise UserError(
            f"{path} is damaged ({error}): put a backup in its place, or ingest into a new folder."
        ) from error
    for atoms in frames:
        # what is empty was left out; a text that looks like a number comes back as one
        atoms.info.update({key: str(atoms.info.get(key, "")) for key in TEXT_KEYS})
    return frames


def folder_state(folder: Path) -> FolderState:
    """What tells whether another process has written a data folder since."""
    states: list[tuple[int, int, int] | None] = []
    for name in (TRAINING, ENERGIES, LIST):
        try:
            status = (folder / name).stat()
            states.append((status.st_ino, status.st_size, status.st_mtime_ns))
        except FileNotFoundError:
            states.append(None)
    return tuple(states)


def item_of(new: Accepted) -> Item:
    """Frames and entry of an accepted calculation."""
    calculation = new.calculation
    if broken := calculation.not_finite:  # the last place at which it can be kept out of the training set
        raise UserError(f"its {', '.join(broken)} hold what is no finite number")
    frames = training_frames(calculation)
    formula = calculation.atoms.get_chemical_formula(empirical=True)
    info = {
        "calculation": new.id,
        "candidate": new.candidate,
        "role": new.role,
        "formula": formula,
        "fidelity": new.fidelity,
        "charge": float(calculation.charge),
        "source": new.source,
    }
    training = [_labelled(atoms, info, number) for number, atoms in enumerate(frames)]
    last = calculation.final
    energies = [] if training else [_labelled(_energy_only(last.atoms, last.energy), info, 0)]
    entry = {
        "id": new.id,
        "source": new.source,
        "fidelity": new.fidelity,
        "settings": new.settings,
        "method": _plain_method(calculation),
        "formula": formula,
        "n_atoms": len(calculation.atoms),
        "charge": float(calculation.charge),
        "n_frames": len(training),
        "energy": float(calculation.energy),
        "band_gap": None if calculation.band_gap is None else float(calculation.band_gap),
        "converged": bool(calculation.converged),
        "flags": list(new.flags),
        "candidate": new.candidate,
        "role": new.role,
        "job": new.job,
        "sha256": {_plain_name(name): _sha256(name, *_stamp(name)) for name in calculation.details.files},
    }
    return Item(entry, training, energies)


def in_words(error: Exception) -> str:
    """What went wrong, in one line."""
    told = getattr(error, "strerror", None) or " ".join(str(error).split())
    return told.rstrip(".") if isinstance(error, UserError) else f"{type(error).__name__}: {told}"


def _plain_name(path: str) -> str:
    return plain_name(Path(path).name)


def _labelled(atoms: Atoms, info: dict[str, Any], number: int) -> Atoms:
    atoms.info = {**info, "frame": number}
    return atoms


def _energy_only(atoms: Atoms, energy: float) -> Atoms:
    from ase.calculators.singlepoint import SinglePointCalculator

    bare = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    bare.calc = SinglePointCalculator(bare, energy=energy)
    return bare


def _plain_method(calculation: Calculation) -> dict[str, Any]:
    method = calculation.method
    return {
        "engine": method.engine,
        "functional": method.functional,
        "hubbard": dict(sorted(method.hubbard.items())),
        "basis": method.basis,
        "cutoff": method.cutoff,
        "potentials": dict(sorted(method.potentials.items())),
        "kpoints": list(method.kpoints) if method.kpoints else None,
        "spin": method.spin,
    }


def load_items(folder: Path, without: Collection[str] = ()) -> dict[str, Item]:
    """Calculations of a data folder by id, in the order of the file.

    Parameters
    ----------
    without
        Ids that are left out: what a killed process had set aside already.

    Raises
    ------
    UserError
        When its files are damaged or do not belong together.
    """
    entries = [entry for entry in read_list(folder / LIST) if entry["id"] not in without]
    if not (folder / LIST).is_file() and (folder / TRAINING).is_file() and (folder / TRAINING).stat().st_size:
        raise UserError(
            f"{folder} holds {TRAINING} without {LIST} and would lose its frames: ingest that file, too, into a "
            "new folder."
        )
    groups: dict[str, tuple[list[Atoms], list[Atoms]]] = {entry["id"]: ([], []) for entry in entries}
    for position, name in enumerate((TRAINING, ENERGIES)):
        for atoms in read_frames(folder / name) if groups else []:
            if atoms.info.get("calculation") in groups:
                groups[atoms.info["calculation"]][position].append(atoms)
    missing = [entry["source"] for entry in entries if not any(groups[entry["id"]])]
    if missing:
        raise UserError(
            f"{folder / LIST} lists {missing[0]}, whose frames are missing: put a backup in its place, or ingest into "
            "a new folder."
        )
    return {entry["id"]: Item(entry, *groups[entry["id"]]) for entry in entries}


def save_items(folder: Path, items: Iterable[Item]) -> None:
    """Write a data folder: everything beside the old files first, which are then replaced in one go.

    calculations.yaml comes last, so that a killed process leaves no entry without frames.
    """
    folder.mkdir(parents=True, exist_ok=True)
    held = list(items)
    entries = [item.entry for item in held]
    with ExitStack() as stack:  # what is opened first replaces its old file last
        yaml_file = stack.enter_context(_replacing_text(folder / LIST))
        yaml.dump(entries, yaml_file, Dumper=_DUMPER, sort_keys=False, allow_unicode=True, width=120)
        if any(item.energies for item in held) or (folder / ENERGIES).is_file():
            _write_frames(
                stack.enter_context(_replacing_text(folder / ENERGIES)), (a for item in held for a in item.energies)
            )
        _write_frames(
            stack.enter_context(_replacing_text(folder / TRAINING)), (a for item in held for a in item.training)
        )


@contextmanager
def _replacing_text(path: Path) -> Iterator[TextIO]:
    with replacing(path) as file:
        text = TextIOWrapper(file, encoding="utf-8", errors="backslashreplace", newline="")
        yield text
        text.flush()
        text.detach()


def _write_frames(file: TextIO, frames: Iterable[Atoms]) -> None:
    """Frames as extended XYZ, one by one; an empty entry of `info` is left out, since ASE could not read it back."""
    from ase.io import write

    for atoms in frames:
        atoms.info = {key: value for key, value in atoms.info.items() if value != ""}
        write(file, atoms, format="extxyz")


def read_list(path: Path) -> list[dict[str, Any]]:
    """Content of a calculations.yaml; empty when there is none.

    Raises
    ------
    UserError
        When it is damaged.
    """
    if not path.is_file():
        return []
    try:
        data = load_long(read_received(path))
    except PARSE_ERRORS as error:
        raise UserError(f"{path} is damaged: put a backup in its place, or ingest into a new folder.") from error
    if not isinstance(data, list) or not all(isinstance(entry, dict) and "id" in entry for entry in data):
        raise UserError(f"{path} is no list of calculations: put a backup in its place, or ingest into a new folder.")
    return data


def _stamp(path: str) -> tuple[int, int]:
    status = Path(path).stat()
    return status.st_size, status.st_mtime_ns


@lru_cache(maxsize=1024)
def _sha256(path: str, size: int, changed: int) -> str:
    """Hash of a file; one that holds thousands of calculations is read once for all of them."""
    return sha256_of(Path(path))
