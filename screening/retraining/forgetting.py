"""Whether a fine-tuned potential still knows crystals that it was not trained on.

Oxides of one kind make a network forget metals, sulfides and the cathode, which a screen needs as well. A handful of
listed crystals is relaxed with the base and with the fine-tuned potential. The limits are wide enough for what
fine-tuning is meant to change (universal potentials are too soft by some 20 %, Deng et al., npj Comput. Mater. 2025,
doi:10.1038/s41524-024-01500-6) and narrow enough that a hull or a lattice match remains what it was.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from ase import Atoms

from screening.engine.running.run import run_tasks
from screening.engine.tasks import RelaxTask, Result
from screening.potentials.base import Potential
from screening.structures.crystals.phases import load_phases, phase_structures

CRYSTALS = (
    "LiNbO3", "LiTaO3", "LiCoO2", "LiNiO2", "MgO", "Li2O", "Li3PO4", "Li2S", "Li3PS4", "Li",
)  # fmt: skip
"""Phases of datasets/phases: coatings, cathodes, dopant oxide, electrolyte, and the metal that voltages refer to."""

MAX_ENERGY_CHANGE = 0.05
"""eV/atom, zero points taken off: the accuracy of hulls from PBE itself."""
MAX_FORCE_CHANGE = 0.35
"""Root mean square change of the forces on a rattled cell, as a share of the base's forces there."""
MAX_LENGTH_CHANGE = 0.02
"""Relative change of any lattice parameter, the strain at which interfaces are matched."""
RATTLE = 0.08
"""A; typical of thermal motion and of what relaxations start from."""

FMAX, MAX_STEPS = 0.02, 300


@dataclass(frozen=True, kw_only=True)
class Remembered:
    """How much one crystal changed; NaN where it could not be relaxed.

    Attributes
    ----------
    energy_change
        eV/atom at the base's relaxed structure, zero points taken off.
    force_change
        As `MAX_FORCE_CHANGE`.
    length_change
        Largest relative change of a, b, c of the relaxed cell.
    """

    crystal: str
    energy_change: float
    force_change: float
    length_change: float

    @property
    def forgotten(self) -> list[str]:
        """What is beyond its limit, in words."""
        checks = (
            (abs(self.energy_change), MAX_ENERGY_CHANGE, f"energy by {1000 * self.energy_change:+.0f} meV/atom"),
            (self.force_change, MAX_FORCE_CHANGE, f"forces by {self.force_change:.0%}"),
            (self.length_change, MAX_LENGTH_CHANGE, f"lattice by {self.length_change:.1%}"),
        )
        return [what for value, limit, what in checks if not value <= limit]

    def to_card(self) -> dict[str, object]:
        values = {k: round(v, 5) if isinstance(v, float) else v for k, v in asdict(self).items()}
        return {name: None if isinstance(v, float) and math.isnan(v) else v for name, v in values.items()}


def limits_card() -> dict[str, float]:
    return {
        "energy_change_eV_per_atom": MAX_ENERGY_CHANGE,
        "force_change_share": MAX_FORCE_CHANGE,
        "length_change_share": MAX_LENGTH_CHANGE,
    }


def compare_crystals(
    base: Potential, tuned: Potential, names: Sequence[str] = CRYSTALS, *, seed: int = 0
) -> list[Remembered]:
    """Compare two potentials on listed crystals.

    Parameters
    ----------
    tuned
        On the base's zero points.
    names
        Phases of datasets/phases.
    """
    crystals = [_crystal(name) for name in names]
    before, after = _relaxed(base, crystals), _relaxed(tuned, crystals)
    rng = np.random.default_rng(seed)
    return [_compare(name, base, tuned, b, a, rng) for name, b, a in zip(names, before, after, strict=True)]


def _compare(
    name: str, base: Potential, tuned: Potential, before: Result, after: Result, rng: np.random.Generator
) -> Remembered:
    if before.failure is not None or after.failure is not None:
        return Remembered(crystal=name, energy_change=math.nan, force_change=math.nan, length_change=math.nan)
    relaxed = Atoms(before.atoms.numbers, before.atoms.positions, cell=before.atoms.cell, pbc=True)
    rattled = relaxed.repeat((2, 2, 2)) if len(relaxed) < 4 else relaxed.copy()
    rattled.positions += rng.normal(0, RATTLE, (len(rattled), 3))
    (at_rest, shaken), (new_at_rest, new_shaken) = (p.evaluate([relaxed, rattled]) for p in (base, tuned))
    lengths, new_lengths = before.atoms.cell.lengths(), after.atoms.cell.lengths()
    return Remembered(
        crystal=name,
        energy_change=(new_at_rest.energy - at_rest.energy) / len(relaxed),
        force_change=float(np.linalg.norm(new_shaken.forces - shaken.forces) / np.linalg.norm(shaken.forces)),
        length_change=float(np.abs(new_lengths / lengths - 1).max()),
    )


def _relaxed(potential: Potential, crystals: Sequence[Atoms]) -> list[Result]:
    tasks = [RelaxTask(recipe={}, atoms=a, cell="full", fmax=FMAX, max_steps=MAX_STEPS) for a in crystals]
    return run_tasks(tasks, [str(i) for i in range(len(tasks))], potential, None)


def _crystal(name: str) -> Atoms:
    facts = next(facts for facts in load_phases() if facts.name == name)
    atoms = phase_structures(facts)[0]
    return Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=True)
