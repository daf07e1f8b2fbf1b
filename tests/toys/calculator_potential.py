"""A potential made of an ASE calculator, for tests of the engine's algorithms."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.calculators.emt import EMT

from screening.potentials.base import Evaluation


class Killed(BaseException):
    """Stands for ``kill -9``: nothing in the engine may catch it."""


class CalculatorPotential:
    """One structure after the other through an ASE calculator; counts and records what it is asked."""

    name = "test"
    checkpoint_sha256 = "0" * 64
    device = "cpu"
    corrections = "own-hull"
    batch_atoms: int  # unset where a test does not set it: the engine then takes its own limit

    def __init__(self, factory: Callable[[], Calculator] = EMT) -> None:
        self.factory = factory
        self.n_calls = 0
        self.batches: list[tuple[int, bool]] = []
        self.kill_after: int | None = None
        self.spoil: Callable[[Atoms], str | None] = lambda atoms: None

    def evaluate(self, structures: Sequence[Atoms], *, stress: bool = False) -> list[Evaluation]:
        if self.kill_after is not None and len(self.batches) >= self.kill_after:
            raise Killed
        self.batches.append((len(structures), stress))
        return [self._one(atoms, stress) for atoms in structures]

    def _one(self, atoms: Atoms, stress: bool) -> Evaluation:
        self.n_calls += 1
        kind = self.spoil(atoms)
        if kind == "raise":
            raise RuntimeError("isolated atom")
        work = atoms.copy()
        work.set_constraint()
        work.calc = self.factory()
        forces = work.get_forces()
        if kind == "nan":
            forces = np.full_like(forces, np.nan)
        energy = float(work.get_potential_energy()) - (1e6 if kind == "hole" else 0.0)
        return Evaluation(energy=energy, forces=forces, stress=work.get_stress(voigt=False) if stress else None)
