"""Electrochemical window of any composition from the competing phases, and its reactions with other phases.

A composition that is a listed crystal is judged by its own energy: the range in which it is on the Li grand-potential
hull. Where that range is empty (a metastable crystal), or no such crystal is listed, the energy is pinned to the hull,
which gives the window of its decomposition products; `kind` says which of the two a window is.
Method: Zhu, He, Mo, ACS Appl. Mater. Interfaces 2015, 7, 23685, doi:10.1021/acsami.5b07517.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from screening.errors import UserError
from screening.properties import hull
from screening.properties.phases import PhaseEnergy, same_composition
from screening.properties.reactivity import Reactant, Reaction, most_reactive

OWN, PINNED = "own", "pinned"


@dataclass(frozen=True, kw_only=True)
class FormulaWindow:
    """Window of one composition.

    Attributes
    ----------
    reduction, oxidation
        V vs Li/Li+; 0 and `hull.V_MAX` mean that no limit was found.
    kind
        ``"own"`` or ``"pinned"``.
    phase
        The listed crystal whose energy was used; None when the composition is none.
    e_above_hull
        eV/atom of that crystal; None without one.
    products_reduction, products_oxidation
        Phases just outside the window, formula units per formula unit of the composition.
    li_reduction, li_oxidation
        Li taken up (positive) or given off (negative) there, per formula unit.
    profile
        Equilibria from 0 to `hull.V_MAX`: ``low``, ``high`` (V), ``li_uptake`` (Li per formula unit), ``products`` and
        ``driving_force`` (eV/atom, at ``low``, from the energy that the window was judged by).
    predicted
        Phases by ionic substitution among the competing ones.
    """

    formula: str
    reduction: float
    oxidation: float
    kind: str
    phase: str | None
    e_above_hull: float | None
    products_reduction: dict[str, float]
    products_oxidation: dict[str, float]
    li_reduction: float
    li_oxidation: float
    decomposition: dict[str, float]
    profile: list[dict[str, Any]] = field(default_factory=list)
    predicted: tuple[str, ...] = ()


def parse_formula(formula: str) -> dict[str, float]:
    """Amounts of each element; fractions are allowed (Li6PS5Cl0.5Br0.5).

    Raises
    ------
    UserError
        When the text is no formula of real elements with positive amounts.
    """
    from pymatgen.core import Composition, Element

    try:
        amounts = {str(symbol): float(n) for symbol, n in Composition(formula).get_el_amt_dict().items()}
    except (ValueError, KeyError, TypeError):
        amounts = {}
    if not amounts or not all(Element.is_valid_symbol(s) and n > 0 for s, n in amounts.items()):
        raise UserError(f"{formula!r} is not a chemical formula; write one such as LiNbO3 or Li6PS5Cl0.5Br0.5.")
    return amounts


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


def formula_window(formula: str, phases: Sequence[PhaseEnergy]) -> FormulaWindow:
    """Window of a composition against the competing phases.

    Parameters
    ----------
    phases
        Usable phases of the composition's elements and Li (`competing.phases_flow`).

    Raises
    ------
    UserError
        When the formula cannot be read, is Li alone, or the phases cannot make it up.
    """
    composition = parse_formula(formula)
    if set(composition) == {"Li"}:
        raise UserError("Li metal is the reference of the voltage and has no window; give a compound.")
    n_atoms = sum(composition.values())
    crystals = [p for p in phases if same_composition(p.composition, composition)]
    crystal = min(crystals, key=lambda p: p.energy_per_atom, default=None)
    rivals = [p for p in phases if p not in crystals]
    closed = hull.decompose(composition, phases)
    window, kind, energy, entries = None, OWN, closed.energy, list(phases)
    others = hull.decompose(composition, rivals)
    if crystal is not None:
        window = hull.stable_range(composition, crystal.energy_per_atom, rivals)
        energy, entries = crystal.energy_per_atom, rivals
    if window is None:
        kind, energy, entries = PINNED, closed.energy, list(phases)
        window = hull.pinned_window(composition, phases)
    if window is None:
        raise UserError(
            f"{formula} is on the hull at no voltage from 0 to {hull.V_MAX:g} V; check the competing phases."
        )
    n_li = hull.normalised(composition).get("Li", 0.0)
    segments = hull.li_profile(composition, entries)
    below = [s for s in segments if s.low < window.reduction - 1e-9]
    above = [s for s in segments if s.high > window.oxidation + 1e-9]

    def per_formula(products: Mapping[str, float]) -> dict[str, float]:
        return {name: round(amount * n_atoms, 6) for name, amount in sorted(products.items()) if name != "Li"}

    def uptake(segment: hull.Segment) -> float:
        return round((segment.decomposition.n_li - n_li) * n_atoms, 6)

    mu_metal = hull.li_reference(phases)
    profile = [
        {
            "low": s.low,
            "high": s.high,
            "li_uptake": uptake(s),
            "products": per_formula(s.decomposition.products),
            "driving_force": energy - s.decomposition.energy - (mu_metal - s.low) * (n_li - s.decomposition.n_li),
        }
        for s in segments
    ]
    return FormulaWindow(
        formula=formula,
        reduction=window.reduction,
        oxidation=window.oxidation,
        kind=kind,
        phase=crystal.name if crystal else None,
        e_above_hull=None if crystal is None else max(crystal.energy_per_atom - others.energy, 0.0),
        products_reduction=per_formula(window.products_reduction),
        products_oxidation=per_formula(window.products_oxidation),
        li_reduction=uptake(below[-1]) if below else 0.0,
        li_oxidation=uptake(above[0]) if above else 0.0,
        decomposition=per_formula(closed.products if kind == PINNED else others.products),
        profile=profile,
        predicted=tuple(sorted(p.name for p in phases if p.substituted)),
    )


def window_document(
    window: FormulaWindow, potential: str, reactions: Sequence[tuple[str, Reaction]] = ()
) -> dict[str, Any]:
    """What ``screen window --json`` writes; an end without a limit is its bound, with ``no_limit_*`` true."""
    return {
        "formula": window.formula,
        "potential": potential,
        "reduction_V": window.reduction,
        "oxidation_V": window.oxidation,
        "e_above_hull_eV_atom": window.e_above_hull,
        "products_reduction": window.products_reduction,
        "products_oxidation": window.products_oxidation,
        "window": window.kind,
        "phase": window.phase,
        "decomposition": window.decomposition,
        "li_uptake_reduction": window.li_reduction,
        "li_uptake_oxidation": window.li_oxidation,
        "no_limit_reduction": window.reduction <= 0.0,
        "no_limit_oxidation": window.oxidation >= hull.V_MAX,
        "predicted_phases": list(window.predicted),
        "profile": window.profile,
        "reactions": [
            {
                "with": name,
                "voltage_V": r.voltage,
                "energy_eV_atom": r.energy,
                "mutual_energy_eV_atom": r.mutual_energy,
                "mixing": r.mixing,
                "products": r.products,
            }
            for name, r in reactions
        ],
    }
