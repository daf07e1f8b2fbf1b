"""How a candidate and a quantity are written: formulas, dopant labels and column names with their unit."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fractions import Fraction

from screening.chemistry.candidate import Candidate, Substitution
from screening.chemistry.formula import amount_text, read_formula

UNITS: dict[str, str] = {
    "work_of_adhesion": "J/m2",
    "work_of_adhesion_eq": "J/m2",
    "migration_barrier": "eV",
    "migration_barrier_1d": "eV",
    "lowest_hop_barrier": "eV",
    "oxidation_driving_force": "eV/atom",
    "e_above_hull": "eV/atom",
    "window_reduction": "V",
    "window_oxidation": "V",
    "delithiation_voltage": "V",
    "reaction_energy_cathode": "eV/atom",
    "reaction_energy_electrolyte": "eV/atom",
}
"""Units of the ranked and tabulated properties (design section 1)."""


def y_label(y: float) -> str:
    """State of charge in a column name: 1 -> ``y1``, 1/3 -> ``y0.333``, 2/3 -> ``y0.667``, 0 -> ``y0``."""
    return f"y{_number(y)}"


def column(prop: str, unit: str | None = None, suffix: str = "") -> str:
    """Column of a property with its unit, for example ``work_of_adhesion_min_J_m2``.

    Parameters
    ----------
    prop
        Property name.
    unit
        Unit as in a record (``"eV/atom"``); that of `UNITS` when None.
    suffix
        ``"min"`` or a `y_label`, put between property and unit.
    """
    unit = UNITS[prop] if unit is None else unit
    unit_part = re.sub(r"[^0-9A-Za-z]+", "_", unit).strip("_")
    return "_".join(part for part in (prop, suffix, unit_part) if part)


def formula(candidate: Candidate) -> str:
    """Formula per formula unit, sites with more than one species in brackets: ``[Li5/6Mg1/12]NbO3``.

    Li interstitials are counted with the Li site (``Li5/4``), vacancies by the missing amount. Amounts are exact, as
    fractions, so that what is printed can be typed back (`chemistry.formula.read_formula`).
    """
    host = read_formula(candidate.host).amounts
    defects = candidate.defects
    parts = []
    for symbol, per_unit in host.items():
        on_site = [s for s in defects.substitutions if s.site == symbol]
        own = per_unit * candidate.n_fu - sum(s.count for s in on_site)
        if symbol == "Li":
            own += defects.li_interstitials - defects.li_vacancies
        if symbol == "O":
            own -= defects.o_vacancies
        species = [(symbol, own), *((s.element, Fraction(s.count)) for s in on_site)]
        written = [amount_text(name, amount / candidate.n_fu) for name, amount in species if amount > 0]
        text = "".join(written)
        parts.append(f"[{text}]" if len(written) > 1 else text)
    return "".join(parts)


def dopant_label(candidate: Candidate) -> str:
    """Dopants as the user types them: ``Mg``, ``Mg:Ta``, ``Mg:Ta=2:1``; empty for the pristine host."""
    totals = {e: sum(s.count for s in group) for e, group in _by_element(candidate).items()}
    text = ":".join(totals)
    if len(set(totals.values())) > 1:
        text += "=" + ":".join(str(n) for n in totals.values())
    return text


def site_label(candidate: Candidate) -> str:
    """Site of each dopant: ``Li``; ``Li:Nb`` when dopants differ; ``Li+Nb`` when one sits on two."""
    sites = ["+".join(_unique(s.site for s in group)) for group in _by_element(candidate).values()]
    return sites[0] if len(set(sites)) == 1 else ":".join(sites)


def _by_element(candidate: Candidate) -> dict[str, list[Substitution]]:
    groups: dict[str, list[Substitution]] = {}
    for substitution in candidate.dopants:
        groups.setdefault(substitution.element, []).append(substitution)
    return groups


def _unique(items: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(items))


def _number(value: float) -> str:
    return format(abs(round(value, 3)), "g")
