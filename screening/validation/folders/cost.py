"""What a job will cost: electrons and core-hours, as an order of magnitude.

    core-seconds = 50 s x (N / 64)^1.5 x (V / 106 A^3) x (E / 400 eV)^1.5 x (k / 14) x spins x (1 + (steps - 1) / 2)

The reference is measured: GPAW 26.7, PBE, plane waves to 400 eV, 3 x 3 x 3 k-points (14 after time reversal) and no
spin took 50 s on one core for 10 atoms of LiNbO3 (64 valence electrons, 106 A^3). The work per electronic step is bands
times plane waves for FFTs and bands squared times plane waves for orthogonalisation, between N V and N^2 V; N^1.5 V
lies in the middle. V counts the vacuum too. An ionic step after the first takes about half of its electronic steps.
Steps are guesses by role. Codes, machines and difficult electronic structures make a factor of three to ten of this.
"""

from __future__ import annotations

import math

from screening.validation.jobs import Job, Role
from screening.validation.kpoints import time_reversal_points

REFERENCE_SECONDS, REFERENCE_ELECTRONS, REFERENCE_VOLUME = 50.0, 64.0, 106.0
REFERENCE_CUTOFF, REFERENCE_POINTS = 400.0, 14.0

EXPONENT = 1.5

IONIC_STEPS: dict[Role, int] = {
    "bulk": 15, "phase": 15, "interface": 60, "substrate": 60, "coating": 60, "end": 25, "vacancy": 25, "band": 40,
}  # fmt: skip
"""Expected ionic steps from a structure that a potential has relaxed."""

STATEMENT = (
    "order of magnitude: scaled from 50 s on one core for 10 atoms of LiNbO3 (GPAW, PBE, 400 eV, 3x3x3) with "
    "electrons^1.5 x volume x cutoff^1.5 x k-points x spins x ionic steps; expect a factor of three to ten"
)


def core_hours(job: Job, electrons: float, cutoff: float, *, spin: bool = True) -> float:
    """Estimated core-hours of a job.

    Parameters
    ----------
    electrons
        Valence electrons of the cell.
    cutoff
        Plane-wave cutoff, eV.
    """
    first = (
        REFERENCE_SECONDS
        * (electrons / REFERENCE_ELECTRONS) ** EXPONENT
        * (job.atoms.get_volume() / REFERENCE_VOLUME)
        * (cutoff / REFERENCE_CUTOFF) ** 1.5
        * (time_reversal_points(job.kpoints) / REFERENCE_POINTS)
        * (2 if spin else 1)
    )
    steps = 1 if job.relax == "none" else IONIC_STEPS[job.role]
    images = max(1, len(job.images) - 2)
    return first * (1 + (steps - 1) / 2) * images / 3600


def rounded(value: float) -> float:
    """Two significant digits: more would pretend to know better."""
    if value == 0:
        return 0.0
    digits = 1 - math.floor(math.log10(abs(value)))
    return float(round(value, digits))
