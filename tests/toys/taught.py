"""Frames that a real potential labels: small crystals, strained and rattled, with SevenNet-0 as the teacher."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write

from screening.potentials.base import Potential
from screening.potentials.registry import load_potential
from screening.structures.crystals.phases import load_phases, phase_structures

DOPED = "Mg-LiNbO3"
"""LiNbO3 with Mg for one Li and a vacancy for the other: 9 atoms."""
CRYSTALS = {"LiNbO3": 1, DOPED: 1, "MgO": 2, "Li2O": 2, "LiNbO2": 1, "NbO2-rutile": 1}
"""Phases and how often the cell is repeated along its first axis."""
TEACHER = "sevennet-0"
FIDELITY = "mlip:sevennet-0-as-teacher"


@cache
def crystal(name: str) -> Atoms:
    if name == DOPED:
        atoms = crystal("LiNbO3").copy()
        first, second = [a.index for a in atoms if a.symbol == "Li"]
        atoms.symbols[first] = "Mg"
        del atoms[second]
        return atoms
    phase = next(p for p in load_phases() if p.name == name)
    atoms = phase_structures(phase)[0]
    return Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=True)


def shaken(name: str, n: int, *, rattle: float = 0.08, seed: int = 0) -> list[Atoms]:
    """`n` copies with random strains up to 2 % and random displacements (A)."""
    rng = np.random.default_rng([seed, *map(ord, name)])
    frames = []
    for _ in range(n):
        atoms = crystal(name).repeat((CRYSTALS[name], 1, 1))
        strain = rng.uniform(-0.02, 0.02, (3, 3))
        atoms.set_cell(atoms.cell[:] @ (np.eye(3) + (strain + strain.T) / 2), scale_atoms=True)
        atoms.positions += rng.normal(0, rattle, (len(atoms), 3))
        frames.append(atoms)
    return frames


def label(
    frames: list[Atoms],
    teacher: Potential,
    *,
    fidelity: str = FIDELITY,
    zero_points: Mapping[str, float] | None = None,
    stress: bool = True,
    candidate: str = "",
) -> list[Atoms]:
    """The frames as `screen ingest` writes them; `zero_points` (eV per atom of an element) are added to energies."""
    zero = dict(zero_points or {})
    out = []
    for index, (atoms, answer) in enumerate(zip(frames, teacher.evaluate(frames, stress=True), strict=True)):
        shift = sum(zero.get(s, 0.0) for s in atoms.get_chemical_symbols())
        labelled = atoms.copy()
        results = {"energy": answer.energy + shift, "forces": answer.forces}
        if stress and answer.stress is not None:
            results["stress"] = answer.stress[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
        labelled.calc = SinglePointCalculator(labelled, **results)
        labelled.info = {
            "calculation": f"{atoms.get_chemical_formula()}-{index}",
            "frame": 0,
            "candidate": candidate,
            "role": "bulk",
            "formula": atoms.get_chemical_formula(),
            "fidelity": fidelity,
            "charge": 0,
            "source": "taught",
        }
        out.append(labelled)
    return out


@cache
def _taught(per_crystal: int) -> tuple[Atoms, ...]:
    teacher = load_potential(TEACHER, "cpu", self_check=False)
    return tuple(a for name in CRYSTALS for a in label(shaken(name, per_crystal), teacher))


def taught(per_crystal: int) -> list[Atoms]:
    """Labelled frames of all crystals, computed once per process."""
    return [a.copy() if a.calc is None else _with_calc(a) for a in _taught(per_crystal)]


def _with_calc(atoms: Atoms) -> Atoms:
    copy = atoms.copy()
    copy.calc = SinglePointCalculator(copy, **atoms.calc.results)
    return copy


def write_data(folder: Path, frames: list[Atoms]) -> Path:
    """A data folder with these frames."""
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "training.extxyz", frames, format="extxyz")
    return folder
