"""What the adhesion flow hands on: trials of the placement search, states of charge, the outcome of one candidate."""

from __future__ import annotations

from dataclasses import dataclass, field

from ase import Atoms

from screening.chemistry.candidate import Candidate
from screening.engine.tasks import Result


@dataclass(kw_only=True)
class Trial:
    """One placement: the interface and the coating slab alone after the same short relaxation."""

    label: str
    where: str
    cut: Atoms
    start: Atoms
    interface: Result
    coating: Result


@dataclass(kw_only=True)
class ChargeState:
    """The winning placement at one state of charge and one vacancy order."""

    y: float
    order: int
    start: Atoms
    interface: Result
    substrates: dict[str, Result] = field(default_factory=dict)

    @property
    def y_realised(self) -> float:
        return float(self.start.info["y_realised"])


@dataclass(kw_only=True)
class AdhesionOutcome:
    """Everything adhesion needs of one candidate; energies are in the results (eV).

    `realised` is the candidate in the coating slab's own number of formula units.
    """

    candidate: Candidate
    realised: Candidate
    trials: list[Trial]
    winner: int
    states: list[ChargeState]
    coatings: dict[str, Result]
    equilibrium: dict[str, Result]
    back_substituted: bool = False

    @property
    def chosen(self) -> Trial:
        return self.trials[self.winner]

    @property
    def discharged(self) -> ChargeState:
        """The fully relaxed interface at y = 1, which every other state starts from."""
        return self.states[0]
