"""The electrochemical window of any composition, and what it reacts with."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from screening.defaults import PHASES, POTENTIAL, VOLTAGE
from screening.door.given import checked
from screening.door.typed import Names, PathLike

if TYPE_CHECKING:
    from screening.chemistry.formula import Formula
    from screening.engine.running.progress import Progress
    from screening.properties.stability.phase_set import PhaseSet
    from screening.properties.stability.reactivity import Reaction
    from screening.properties.stability.window import FormulaWindow


@dataclass(frozen=True, kw_only=True)
class WindowResult:
    """A window, and the reactions with what lies beside.

    Attributes
    ----------
    window
        Limits, phases beyond them, profile: see `FormulaWindow`.
    partners
        What it was asked to react with, as read.
    potential, source
        Whose energies they are.
    voltage
        V vs Li/Li+ of the reactions open to Li.
    """

    window: FormulaWindow
    partners: list[Formula]
    potential: str
    source: str
    voltage: float
    competing: PhaseSet

    def __repr__(self) -> str:
        return f"<window of {self.window.formula}, {self.reduction:.2f} to {self.oxidation:.2f} V vs Li/Li+>"

    @property
    def reduction(self) -> float:
        """Lower limit, V vs Li/Li+; 0 means that none was found."""
        return self.window.reduction

    @property
    def oxidation(self) -> float:
        """Upper limit, V vs Li/Li+."""
        return self.window.oxidation

    @cached_property
    def reactions(self) -> list[tuple[str, Reaction]]:
        """Most negative reaction with each partner, closed and then open to Li."""
        from screening.properties.stability.window import reactions_with

        names = [partner.typed for partner in self.partners]
        return reactions_with(self.window.formula, names, self.competing.phases, voltage=self.voltage)

    @cached_property
    def pinned(self) -> dict[str, str]:
        """Partners without an energy of their own, with the reasons."""
        from screening.properties.stability.window import why_no_crystal

        found = self.competing
        reasons = {p.typed: why_no_crystal(p.composition, found.phases, found.refused) for p in self.partners}
        return {name: reason for name, reason in reasons.items() if reason}

    def to_dict(self) -> dict[str, Any]:
        """What `screen window --json` writes."""
        from screening.properties.stability.window import window_document

        return window_document(
            self.window, self.potential, self.reactions, source=self.source, pinned_partners=self.pinned
        )


@checked()
def window(
    formula: str,
    partners: Names = (),
    *,
    potential: PathLike = POTENTIAL,
    phases: PathLike = PHASES,
    substitute: bool = False,
    voltage: float = VOLTAGE,
    on_progress: Callable[[Progress], None] | None = None,
) -> WindowResult:
    """The range of voltages in which a composition is stable; the same as `screen window`.

    Parameters
    ----------
    formula
        For example ``"LiNbO3"``, ``"Li6PS5Cl0.5Br0.5"`` or ``"[Li5/6Mg1/12]NbO3"``.
    partners
        Formula or formulas to react with.
    potential
        See `load_potential`.
    phases
        ``"listed"``, ``"mp"`` (Materials Project, needs a key) or a pymatgen JSON file of entries.
    substitute
        Predict compounds of elements that have none listed (relaxes them once).
    voltage
        V vs Li/Li+ of the reactions open to Li.
    on_progress
        Called now and then while phases are relaxed.

    Raises
    ------
    UserError
        When a formula cannot be read, or the potential, the source or the phases cannot be used.
    """
    from screening.chemistry.formula import read_formula
    from screening.properties.stability.phase_set import compute_phases
    from screening.properties.stability.window import formula_window

    asked = read_formula(formula)
    others = [read_formula(text) for text in ([partners] if isinstance(partners, str) else partners)]
    elements = set(asked.amounts).union(*(other.amounts for other in others))
    name, source = os.fspath(potential), os.fspath(phases)
    found = compute_phases(elements, name, source=source, substitute=substitute, on_progress=on_progress)
    own = [p for p in found.phases if set(p.composition) <= set(asked.amounts) | {"Li"}]
    return WindowResult(
        window=formula_window(formula, own, refused=found.refused),
        partners=others,
        potential=name,
        source=source,
        voltage=voltage,
        competing=found,
    )
