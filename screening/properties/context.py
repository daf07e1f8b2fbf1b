"""What all values of a screen share: whose energies they rest on, on which scale, and from which seed."""

from __future__ import annotations

from dataclasses import dataclass

from screening.engine.running.records import PotentialId


@dataclass(frozen=True, kw_only=True)
class ScreeningContext:
    """Whose energies the values of a screen rest on.

    Attributes
    ----------
    potential_id
        The potential and its checkpoint.
    corrections
        `Potential.corrections`: what brings its energies to the scale of the competing phases.
    seed
        Of every random choice; part of the recipes, since doped cells depend on it.
    """

    potential_id: PotentialId
    corrections: str
    seed: int
