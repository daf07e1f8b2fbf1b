"""Electrochemical window of any composition from the competing phases, and its reactions with other phases.

A composition that is a listed crystal is judged by its own energy: the range in which it is on the Li grand-potential
hull. Where that range is empty (a metastable crystal), or no such crystal is usable, the energy is pinned to the hull,
which gives the window of its decomposition products; `kind` says which of the two a window is, `why_pinned` why.
An element is its own reference: nothing else makes it up, and only Li can take it away.
Method: Zhu, He, Mo, ACS Appl. Mater. Interfaces 2015, 7, 23685, doi:10.1021/acsami.5b07517.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from screening.chemistry.charges import smallest_excess
from screening.chemistry.formula import Formula, read_formula
from screening.errors import UserError
from screening.properties.stability import hull
from screening.properties.stability.phases import PhaseEnergy, same_composition
from screening.properties.stability.reactivity import Reactant, Reaction, most_reactive
from screening.properties.stability.voltage_profile import per_formula_unit, voltage_profile

OWN, PINNED = "own", "pinned"

NEARLY_BALANCED = 0.1
"""e per formula; charges that are off by no more look like a slip, and what they leave over decides a pinned window."""


@dataclass(frozen=True, kw_only=True)
class FormulaWindow:
    """Window of one composition.

    Attributes
    ----------
    formula, read
        As it was typed, and as it was read.
    reduction, oxidation
        V vs Li/Li+; 0 and `hull.V_MAX` mean that no limit was found.
    kind
        ``"own"`` or ``"pinned"``.
    why_pinned
        Why no crystal's own energy was used; empty for ``"own"``.
    phase
        The listed crystal whose energy was used; None when the composition is none.
    e_above_hull
        eV/atom of that crystal; None without one, and where no other phases make it up (an element).
    products_reduction, products_oxidation
        Phases just outside the window, formula units per formula unit of the composition.
    li_reduction, li_oxidation
        Li taken up (positive) or given off (negative) there, per formula unit.
    profile
        Equilibria from 0 to `hull.V_MAX`: ``low``, ``high`` (V), ``li_uptake`` (Li per formula unit), ``products``,
        ``driving_force`` and ``driving_force_high`` (eV/atom, at ``low`` and ``high``, from the energy that the window
        was judged by; linear in between).
    remark
        What a reader of the limits has to know beside; empty otherwise.
    predicted
        Phases by ionic substitution among the competing ones.
    quarantined
        Phases of the chemical system that failed the gate and were not used, with their reasons.
    """

    formula: str
    read: Formula
    reduction: float
    oxidation: float
    kind: str
    why_pinned: str
    phase: str | None
    e_above_hull: float | None
    products_reduction: dict[str, float]
    products_oxidation: dict[str, float]
    li_reduction: float
    li_oxidation: float
    decomposition: dict[str, float]
    profile: list[dict[str, Any]] = field(default_factory=list)
    remark: str = ""
    predicted: tuple[str, ...] = ()
    quarantined: dict[str, str] = field(default_factory=dict)

    def driving_force(self, voltage: float) -> float:
        """eV/atom that the composition gives off by decomposing at a voltage (V vs Li/Li+, 0 to `hull.V_MAX`).

        Exact: convex, linear between the breakpoints of the profile, and zero from `reduction` to `oxidation`.
        """
        if self.reduction <= voltage <= self.oxidation:
            return 0.0
        volts = [row["low"] for row in self.profile] + [self.profile[-1]["high"]]
        forces = [row["driving_force"] for row in self.profile] + [self.profile[-1]["driving_force_high"]]
        return float(np.interp(voltage, volts, forces))

    def driving_force_curve(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Voltages (n,) of its kinks, the ends of the window among them, and the driving force there (n,), eV/atom."""
        ends = [self.profile[-1]["high"], self.reduction, self.oxidation]
        volts = np.unique([row["low"] for row in self.profile] + ends)
        return volts, np.array([self.driving_force(v) for v in volts])


def parse_formula(formula: str) -> dict[str, float]:
    """Amounts of each element (`chemistry.formula.read_formula`).

    Raises
    ------
    UserError
        When the text is no formula of real elements with positive amounts.
    """
    return read_formula(formula).composition


def why_no_crystal(
    composition: Mapping[str, float], phases: Sequence[PhaseEnergy], refused: Sequence[PhaseEnergy]
) -> str:
    """Why a composition has no energy of its own; empty when a usable crystal has it."""
    if any(same_composition(p.composition, composition) for p in phases):
        return ""
    found = [p for p in refused if same_composition(p.composition, composition)]
    if found:
        return "; ".join(f"the crystal {p.name} is listed but quarantined ({p.gate})" for p in found)
    return "no crystal of this composition is among the competing phases"


def reactant(formula: str, phases: Sequence[PhaseEnergy]) -> Reactant:
    """A composition as a reactant: with the energy of its lowest listed crystal, otherwise pinned to the hull."""
    composition = parse_formula(formula)
    crystals = [p.energy_per_atom for p in phases if same_composition(p.composition, composition)]
    return Reactant(name=formula, composition=composition, energy_per_atom=min(crystals, default=None))


def reactions_with(
    formula: str, partners: Sequence[str], phases: Sequence[PhaseEnergy], *, voltage: float
) -> list[tuple[str, Reaction]]:
    """Reactions with each partner (a formula), closed and then open to Li at `voltage` (V vs Li/Li+)."""
    own = reactant(formula, phases)
    return [
        (name, most_reactive(own, reactant(name, phases), phases, voltage=volts))
        for name in partners
        for volts in (None, voltage)
    ]


def formula_window(
    formula: str, phases: Sequence[PhaseEnergy], *, refused: Sequence[PhaseEnergy] = ()
) -> FormulaWindow:
    """Window of a composition against the competing phases.

    Parameters
    ----------
    phases
        Usable phases of the composition's elements and Li (`competing.phases_flow`).
    refused
        Phases that failed the gate; named where the composition is one of them.

    Raises
    ------
    UserError
        When the formula cannot be read, is Li alone, or the phases cannot make it up.
    """
    read = read_formula(formula)
    composition = read.composition
    if set(composition) == {"Li"}:
        raise UserError("Li metal is the reference of the voltage and has no window; give a compound.")
    crystals = [p for p in phases if same_composition(p.composition, composition)]
    crystal = min(crystals, key=lambda p: p.energy_per_atom, default=None)
    rivals = [p for p in phases if p not in crystals]
    why = why_no_crystal(composition, phases, refused)
    closed, others = _made_of(composition, phases), _made_of(composition, rivals)
    if closed is None:
        raise UserError(
            f"{formula} has no energy: {why}, and no other phases make it up; add them or use --phases FILE."
        )
    window, kind, energy = None, OWN, closed.energy
    if crystal is not None:
        window, energy = _own_window(composition, crystal, rivals), crystal.energy_per_atom
    if window is None:
        kind, energy = PINNED, closed.energy
        why = why or f"the crystal {crystal.name if crystal else ''} is stable at no voltage"
        window = hull.pinned_window(composition, phases)
    if window is None:
        raise UserError(
            f"{formula} is on the hull at no voltage from 0 to {hull.V_MAX:g} V; check the competing phases."
        )
    n_atoms = sum(composition.values())
    profile = voltage_profile(composition, energy, phases, (window.reduction, window.oxidation))
    below = [row for row in profile if row["low"] < window.reduction - 1e-9]
    above = [row for row in profile if row["high"] > window.oxidation + 1e-9]
    made = closed if kind == PINNED else others
    above_hull = None if crystal is None or others is None else max(crystal.energy_per_atom - others.energy, 0.0)
    return FormulaWindow(
        formula=read.typed,
        read=read,
        reduction=window.reduction,
        oxidation=window.oxidation,
        kind=kind,
        why_pinned=why,
        phase=crystal.name if crystal else None,
        e_above_hull=above_hull,
        products_reduction=per_formula_unit(window.products_reduction, n_atoms),
        products_oxidation=per_formula_unit(window.products_oxidation, n_atoms),
        li_reduction=below[-1]["li_uptake"] if below else 0.0,
        li_oxidation=above[0]["li_uptake"] if above else 0.0,
        decomposition=per_formula_unit(made.products, n_atoms) if made else {},
        profile=profile,
        remark=_remark(composition, phases, read, kind),
        predicted=tuple(sorted(p.name for p in phases if p.substituted)),
        quarantined={p.name: p.gate for p in refused if set(p.composition) <= set(composition) | {"Li"}},
    )


def _remark(composition: Mapping[str, float], phases: Sequence[PhaseEnergy], read: Formula, kind: str) -> str:
    """What a reader should know of the limits, or of what decides them."""
    if unknown := _unknown_with_li(composition, phases):
        return unknown
    if kind == PINNED and (left := _left_over(read)):
        return left
    if "Li" in composition:
        return ""
    return "it holds no Li to give off, and nothing else is exchanged, so that it has no oxidation limit"


def _unknown_with_li(composition: Mapping[str, float], phases: Sequence[PhaseEnergy]) -> str:
    """That no compound of an element with Li is known here, which Nb has none of and Ag has several."""
    if len(composition) > 1 or any(len(p.composition) > 1 and set(composition) < set(p.composition) for p in phases):
        return ""
    return (
        f"no compound of {next(iter(composition))} with Li is among the competing phases, so that no limit can be found"
    )


def _left_over(read: Formula) -> str:
    """That charges all but balance: of Li0.99NbO3 a hundredth of a Nb2O5 without its Li is left, and decides."""
    left = float(smallest_excess(read.amounts))
    if not 0 < abs(left) <= NEARLY_BALANCED:
        return ""
    return (
        f"the charges of {read.written} are off by {left:+.2g} e per formula, and the little that this leaves over "
        "beside the main phases decides the window; check the amounts"
    )


def _made_of(composition: Mapping[str, float], phases: Sequence[PhaseEnergy]) -> hull.Decomposition | None:
    """What phases make up a composition; None where they cannot, as for an element without itself."""
    try:
        return hull.decompose(composition, phases)
    except hull.NotMade:
        return None


def _own_window(
    composition: Mapping[str, float], crystal: PhaseEnergy, rivals: Sequence[PhaseEnergy]
) -> hull.Window | None:
    """Where a crystal's own energy is on the hull; everywhere if nothing it could become is known, even with Li."""
    try:
        return hull.stable_range(composition, crystal.energy_per_atom, rivals)
    except hull.NotMade:
        return hull.Window(reduction=0.0, oxidation=hull.V_MAX, products_reduction={}, products_oxidation={})


def window_document(
    window: FormulaWindow,
    potential: str,
    reactions: Sequence[tuple[str, Reaction]] = (),
    *,
    source: str = "listed",
    pinned_partners: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """What ``screen window --json`` writes; an end without a limit is its bound, with ``no_limit_*`` true.

    Parameters
    ----------
    source
        Where the phases are from, as given with ``--phases``.
    pinned_partners
        Reaction partners without an energy of their own, with the reasons.
    """
    return {
        "formula": window.formula,
        "read_as": window.read.written,
        "amounts": window.read.composition,
        "note": window.read.note,
        "potential": potential if source == "listed" else None,
        "phases": source,
        "reduction_V": window.reduction,
        "oxidation_V": window.oxidation,
        "e_above_hull_eV_atom": window.e_above_hull,
        "products_reduction": window.products_reduction,
        "products_oxidation": window.products_oxidation,
        "window": window.kind,
        "why_pinned": window.why_pinned,
        "remark": window.remark,
        "phase": window.phase,
        "decomposition": window.decomposition,
        "li_uptake_reduction": window.li_reduction,
        "li_uptake_oxidation": window.li_oxidation,
        "no_limit_reduction": window.reduction <= 0.0,
        "no_limit_oxidation": window.oxidation >= hull.V_MAX,
        "predicted_phases": list(window.predicted),
        "quarantined_phases": window.quarantined,
        "profile": window.profile,
        "reactions": [
            {
                "with": name,
                "why_pinned": (pinned_partners or {}).get(name, ""),
                "voltage_V": r.voltage,
                "energy_eV_atom": r.energy,
                "mutual_energy_eV_atom": r.mutual_energy,
                "mixing": r.mixing,
                "products": r.products,
            }
            for name, r in reactions
        ],
    }
