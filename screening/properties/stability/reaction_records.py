"""What a coating reacts with on either side: the cathode, charged and discharged, and the electrolyte.

The coating brings its own energy; cathode and electrolyte are pinned to the hull, so that what they would do without
the coating is not blamed on it (their own metastability is the same for every candidate). Open to Li, what each side
does on its own at that voltage (a discharged cathode gives up its Li) would drown the contact, so there the value is
the mutual reaction energy: what contact adds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from screening.chemistry.crystal_facts import crystal_facts
from screening.flags import flag
from screening.properties.stability.phases import PhaseEnergy
from screening.properties.stability.reactivity import Reactant, Reaction, most_reactive
from screening.structures.interfaces.cathode import cathode_composition

CATHODE = ("cathode_lithiated", "cathode_delithiated")
ELECTROLYTE = "electrolyte"

FEW_PHASES = flag("few_reaction_phases")
"""Flag of a reaction energy whose products could not include a sulfide or chloride of one of the candidate's metals."""


@dataclass(frozen=True, kw_only=True)
class ReactionRow:
    """One reaction energy (eV per atom of the mixture) and how it came about."""

    property: str
    value: float
    flags: tuple[str, ...]
    details: dict[str, Any]


def partners(cathode: str, electrolyte: str, soc: Iterable[float]) -> dict[str, dict[str, float]]:
    """Compositions of what touches the coating: the cathode at y = 1 and at the lowest y, and the electrolyte.

    Parameters
    ----------
    cathode, electrolyte
        Names in datasets/crystals.
    soc
        Li per cathode formula unit; the lowest below 1 counts, 1/3 when there is none.
    """
    from pymatgen.core import Composition

    metals = cathode_composition(cathode)
    y = min((value for value in soc if value < 1), default=1 / 3)
    formula = crystal_facts(electrolyte)["formula"]
    return {
        CATHODE[0]: {"Li": 1.0, **metals, "O": 2.0},
        CATHODE[1]: {"Li": y, **metals, "O": 2.0} if y > 0 else {**metals, "O": 2.0},
        ELECTROLYTE: {str(e): float(n) for e, n in Composition(formula).get_el_amt_dict().items()},
    }


def reactions(
    own: Reactant,
    partners: Mapping[str, Mapping[str, float]],
    phases: Sequence[PhaseEnergy],
    *,
    voltage: float,
) -> list[ReactionRow]:
    """Reaction energies with every partner, closed and open to Li at `voltage` (V vs Li/Li+).

    Returns
    -------
    list of ReactionRow
        ``reaction_energy_<partner>`` (total) and ``reaction_energy_<partner>_open`` (mutual); with a cathode among the
        partners also ``reaction_energy_cathode`` and ``reaction_energy_cathode_open``, the more negative of its two
        states.
    """
    rows: dict[str, ReactionRow] = {}
    for name, composition in partners.items():
        other = Reactant(name=name, composition=composition, energy_per_atom=None)
        missing = _missing_pairs(own.composition, composition, phases)
        for suffix, volts in (("", None), ("_open", voltage)):
            reaction = most_reactive(own, other, phases, voltage=volts)
            prop = f"reaction_energy_{name}{suffix}"
            rows[prop] = ReactionRow(
                property=prop,
                value=reaction.energy if volts is None else reaction.mutual_energy,
                flags=(FEW_PHASES,) if missing else (),
                details=_details(reaction, composition) | {"pairs_without_phases": missing},
            )
    for suffix in ("", "_open"):
        states = [rows[f"reaction_energy_{name}{suffix}"] for name in CATHODE if name in partners]
        if states:
            worst = min(states, key=lambda row: row.value)
            prop = f"reaction_energy_cathode{suffix}"
            details = {"state": worst.property, **worst.details}
            rows[prop] = ReactionRow(property=prop, value=worst.value, flags=worst.flags, details=details)
    return list(rows.values())


def _details(reaction: Reaction, partner: Mapping[str, float]) -> dict[str, Any]:
    def rounded(products: Mapping[str, float]) -> dict[str, float]:
        return {name: round(amount, 6) for name, amount in sorted(products.items())}

    closed = reaction.voltage is None
    return {
        "per": "atom of the mixture, Li included",
        "kind": "total" if closed else "mutual: beyond what each side does on its own",
        "partner": dict(partner),
        "partner_energy": "pinned to the hull",
        "atom_fraction_of_candidate": reaction.mixing if closed else reaction.mutual_mixing,
        "products": rounded(reaction.products if closed else reaction.mutual_products),
        "products_per": "atom of the mixture",
        "total_energy": reaction.energy,
        "mutual_energy": reaction.mutual_energy,
        "self_decomposition": reaction.self_decomposition[0],
        "voltage": reaction.voltage,
    }


def _missing_pairs(own: Mapping[str, float], other: Mapping[str, float], phases: Sequence[PhaseEnergy]) -> list[str]:
    """Metal-anion pairs across the contact of which no listed phase holds both (S and Cl only)."""
    anions = sorted({"S", "Cl"} & set(other) - set(own))
    metals = sorted(set(own) - {"Li", "O"} - set(other))
    known = [set(p.composition) for p in phases]
    return [f"{metal}-{anion}" for metal in metals for anion in anions if not any({metal, anion} <= k for k in known)]
