"""Which ionic steps of a calculation are worth learning from, and how they are written."""

from __future__ import annotations

import hashlib

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.geometry import find_mic

from screening.training_data.calculation import Calculation, Frame

# A step that moved less than this, and lowered the energy less, teaches nothing that the step before did not.
MIN_DISPLACEMENT = 0.02  # A, the largest of all atoms
MIN_STRAIN = 0.001
MIN_ENERGY_CHANGE = 0.001  # eV/atom


def training_frames(calculation: Calculation) -> list[Atoms]:
    """Ionic steps with forces, without those nearly identical to the one kept before; the last one is always kept.

    Returns
    -------
    Structures whose calculator holds the energy (eV), forces (N, 3) and, where known, the stress (6,) in ASE's signs.
    """
    usable = [frame for frame in calculation.frames if frame.forces is not None]
    kept: list[Frame] = []
    for frame in usable[:-1]:
        if not kept or _differ(kept[-1], frame):
            kept.append(frame)
    if usable:
        if len(kept) > 1 and not _differ(kept[-1], usable[-1]):
            kept.pop()
        kept.append(usable[-1])
    return [_with_results(frame) for frame in kept]


def calculation_id(calculation: Calculation, fidelity: str) -> str:
    """Hash of what a calculation found, wherever its files lie: fidelity, charge, number of steps, first and last."""
    first, final = calculation.frames[0], calculation.final
    digest = hashlib.sha256(f"{fidelity}|{calculation.charge:.3f}|{len(calculation.frames)}".encode())
    digest.update(final.atoms.numbers.astype("<i8").tobytes())
    for values in (first.atoms.positions, final.atoms.positions, final.atoms.cell.array, final.energy):
        digest.update((np.round(np.asarray(values, dtype=float), 5) + 0.0).astype("<f8").tobytes())
    return "c" + digest.hexdigest()[:15]


def _differ(one: Frame, other: Frame) -> bool:
    if abs(other.energy - one.energy) / len(one.atoms) > MIN_ENERGY_CHANGE:
        return True
    cells = one.atoms.cell.array, other.atoms.cell.array
    if np.abs(cells[1] - cells[0]).max() > MIN_STRAIN * max(np.abs(cells[0]).max(), 1e-9):
        return True
    shift, _ = find_mic(other.atoms.positions - one.atoms.positions, one.atoms.cell, pbc=one.atoms.pbc)
    return bool(np.linalg.norm(shift, axis=1).max() > MIN_DISPLACEMENT)


def _with_results(frame: Frame) -> Atoms:
    atoms = Atoms(frame.atoms.numbers, frame.atoms.positions, cell=frame.atoms.cell, pbc=frame.atoms.pbc)
    results = {"energy": float(frame.energy), "forces": np.asarray(frame.forces, dtype=float)}
    if frame.stress is not None:
        full = np.asarray(frame.stress, dtype=float)
        results["stress"] = np.array([full[0, 0], full[1, 1], full[2, 2], full[1, 2], full[0, 2], full[0, 1]])
    atoms.calc = SinglePointCalculator(atoms, **results)
    return atoms
