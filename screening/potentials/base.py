"""The protocol every potential follows: a list of structures in, energies, forces and stresses out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

Corrections = Literal["MP2020-in-model", "MP2020-needed", "own-hull"]
"""Scale of a potential's energies: trained on corrected ones of the Materials Project; on uncorrected ones, which need
pymatgen's MP2020 scheme; or any other, which only energies of the potential itself share."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """One structure's energy (eV, whole cell), forces (N, 3) eV/A and, when asked for, stress (3, 3) eV/A^3.

    The sign of the stress is ASE's: positive when the cell is under tension (dE/dstrain divided by volume).
    """

    energy: float
    forces: NDArray[np.float64]
    stress: NDArray[np.float64] | None = None


class Potential(Protocol):
    """A universal potential. Implementations are safe to construct in a worker process."""

    name: str
    checkpoint_sha256: str
    device: str
    corrections: str
    """One of `Corrections`."""
    batch_atoms: int
    """Atoms that one forward pass takes at present; 1 where structures are evaluated one by one."""

    def evaluate(self, structures: Sequence[Atoms], *, stress: bool = False) -> list[Evaluation]:
        """Evaluate all structures, in order, in as few forward passes as memory allows."""
        ...
