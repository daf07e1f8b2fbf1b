"""What a composition is in equilibrium with at every voltage, with the driving force towards it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from screening.properties.stability import hull
from screening.properties.stability.phases import PhaseEnergy


def per_formula_unit(products: Mapping[str, float], n_atoms: float) -> dict[str, float]:
    """Formula units of each phase per formula unit of a composition, from those per atom; without the Li reservoir."""
    return {name: round(amount * n_atoms, 6) for name, amount in sorted(products.items()) if name != "Li"}


def voltage_profile(
    composition: Mapping[str, float], energy: float, phases: Sequence[PhaseEnergy], ends: tuple[float, float]
) -> list[dict[str, Any]]:
    """Rows of `window.FormulaWindow.profile`, the composition's own crystal among the equilibria.

    Parameters
    ----------
    energy
        eV/atom that the window was judged by, nowhere below the hull of all phases.
    ends
        Of the window, V: breakpoints too, but for the tolerance with which it was found, and written the same.
    """
    n_li = hull.normalised(composition).get("Li", 0.0)
    n_atoms = sum(composition.values())
    mu_metal = hull.li_reference(phases)

    def force(state: hull.Decomposition, voltage: float) -> float:
        value = energy - state.energy - (mu_metal - voltage) * (n_li - state.n_li)
        return value if value > hull.TOLERANCE else 0.0

    def point(voltage: float) -> float:
        return next((end for end in ends if abs(end - voltage) < 1e-5), voltage)

    return [
        {
            "low": point(s.low),
            "high": point(s.high),
            # + 0.0: no minus sign before a zero
            "li_uptake": round((s.decomposition.n_li - n_li) * n_atoms, 6) + 0.0,
            "products": per_formula_unit(s.decomposition.products, n_atoms),
            "driving_force": force(s.decomposition, s.low),
            "driving_force_high": force(s.decomposition, s.high),
        }
        for s in hull.li_profile(composition, phases)
    ]
