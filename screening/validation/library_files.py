"""How the data folder is written and read: frames, the list of calculations, and what ties them together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from ase import Atoms

from screening.errors import UserError
from screening.files import PARSE_ERRORS, sha256_of, write_text
from screening.validation.calculation import Calculation
from screening.validation.same_structure import Shape
from screening.validation.training_frames import calculation_id, text_of_frames, training_frames

TRAINING, ENERGIES, LIST = "training.extxyz", "energies.extxyz", "calculations.yaml"
TEXT_KEYS = ("calculation", "candidate", "role", "formula", "fidelity", "source")


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

    @property
    def id(self) -> str:
        return calculation_id(self.calculation, self.fidelity)


@dataclass
class Item:
    """A calculation as the library holds it: its entry in calculations.yaml, frames and final structure."""

    entry: dict[str, Any]
    training: list[Atoms]
    energies: list[Atoms]

    @cached_property
    def start(self) -> Shape:
        """First structure."""
        return Shape((self.training or self.energies)[0])

    @cached_property
    def shape(self) -> Shape:
        """Final structure."""
        return Shape((self.training or self.energies)[-1])


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


def item_of(new: Accepted) -> Item:
    """Frames and entry of an accepted calculation."""
    frames = training_frames(new.calculation)
    calculation = new.calculation
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
        "sha256": {Path(name).name: sha256_of(Path(name)) for name in calculation.details.get("files", ())},
    }
    return Item(entry, training, energies)


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


def load_items(folder: Path) -> dict[str, Item]:
    """Calculations of a data folder by id, in the order of the file.

    Raises
    ------
    UserError
        When its files are damaged or do not belong together.
    """
    entries = read_list(folder / LIST)
    groups: dict[str, tuple[list[Atoms], list[Atoms]]] = {entry["id"]: ([], []) for entry in entries}
    for position, name in enumerate((TRAINING, ENERGIES)):
        for atoms in read_frames(folder / name):
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
    """Write a data folder; calculations.yaml comes last, so that a killed process leaves no entry without frames."""
    folder.mkdir(parents=True, exist_ok=True)
    held = list(items)
    write_text(folder / TRAINING, text_of_frames(atoms for item in held for atoms in item.training))
    if any(item.energies for item in held) or (folder / ENERGIES).is_file():
        write_text(folder / ENERGIES, text_of_frames(atoms for item in held for atoms in item.energies))
    text = yaml.safe_dump([item.entry for item in held], sort_keys=False, allow_unicode=True, width=120)
    write_text(folder / LIST, text)


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
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except PARSE_ERRORS as error:
        raise UserError(f"{path} is damaged: put a backup in its place, or ingest into a new folder.") from error
    if not isinstance(data, list) or not all(isinstance(entry, dict) and "id" in entry for entry in data):
        raise UserError(f"{path} is no list of calculations: put a backup in its place, or ingest into a new folder.")
    return data
