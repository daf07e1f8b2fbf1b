"""What the adhesion flows hand on: the placement search, states of charge, the outcome of one candidate."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ase import Atoms

from screening.chemistry.candidate import Candidate
from screening.engine.tasks import Result


@dataclass(kw_only=True)
class Trial:
    """One placement: the interface and the coating slab alone after the same short relaxation.

    `given_up`: the interface was stopped half-way, because it lay far above that of another placement.
    """

    label: str
    where: str
    cut: Atoms
    interface: Result
    coating: Result
    given_up: bool = False


@dataclass(kw_only=True)
class PlacementSearch:
    """Placement search of one candidate at y = 1: all trials, and the relaxed interface of the lowest one.

    `realised` is the candidate in the coating slab's own number of formula units.
    """

    candidate: Candidate
    realised: Candidate
    trials: list[Trial]
    winner: int
    relaxed: Result
    back_substituted: bool = False

    @property
    def chosen(self) -> Trial:
        return self.trials[self.winner]

    def merged(self, later: PlacementSearch) -> PlacementSearch:
        """Both searches as one: the trials of both, the lower relaxed interface wins."""
        best, offset = (later, len(self.trials)) if later.relaxed.energy < self.relaxed.energy else (self, 0)
        return replace(best, trials=[*self.trials, *later.trials], winner=best.winner + offset)


@dataclass(kw_only=True)
class ChargeState:
    """The winning placement at one state of charge and one vacancy order.

    `cut` is the interface with bulk-cut slabs, against which reaction and Li transfer are judged.
    """

    y: float
    order: int
    cut: Atoms
    interface: Result
    substrates: dict[str, Result] = field(default_factory=dict)

    @property
    def y_realised(self) -> float:
        return float(self.cut.info["y_realised"])


@dataclass(kw_only=True)
class AdhesionOutcome:
    """Everything adhesion needs of one candidate; energies are in the results (eV)."""

    search: PlacementSearch
    states: list[ChargeState]
    coatings: dict[str, Result]
    equilibrium: dict[str, Result]
