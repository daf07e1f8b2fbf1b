"""Stability records of a candidate from its energy and those of its competing phases, whatever computed both.

Hull distance, driving force and windows are the same linear programs for a universal potential and for DFT; only the
energies and what else a record states differ. All energies of one `Subject` are on one scale.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from screening.engine.running.parts import Parts
from screening.engine.running.records import Record
from screening.errors import CandidateFailed
from screening.flags import flag
from screening.properties.stability import hull
from screening.properties.stability.competing import without_compounds
from screening.properties.stability.phases import PhaseEnergy, same_composition
from screening.typed.details import Details

T = TypeVar("T")

PROFILE_RANGE = (2.5, 4.6)
"""Voltages (V vs Li/Li+) over which the driving force is kept for plotting."""

PREDICTED_PHASES = flag("predicted_phases")
"""Flag of a value that rests on phases predicted by ionic substitution."""


@dataclass(frozen=True, kw_only=True)
class BulkParts(Parts[T], Generic[T]):
    """What a value of stability rests on: the relaxed doped cell."""

    bulk: T


@dataclass(frozen=True, kw_only=True)
class DelithiationParts(Parts[T], Generic[T]):
    """What the delithiation voltage rests on: the relaxed doped cell, and the same without its loosest Li."""

    bulk: T
    delithiated: T


@dataclass(frozen=True, kw_only=True)
class HullDetails(Details):
    """Details of ``e_above_hull``.

    Attributes
    ----------
    phase_separation_energy
        Of the candidate above the hull of all other phases, eV/atom; negative where nothing beats it.
    decomposition
        Phases it would separate into, formula units per host formula unit.
    formation_energy
        From the elements, eV/atom.
    composition
        Atoms in the cell.
    hull
        ``phase``, ``energy_per_atom`` (eV) and ``origin`` of every phase it was set against.
    """

    phase_separation_energy: float | None = None
    decomposition: dict[str, float] = field(default_factory=dict)
    formation_energy: float | None = None
    composition: dict[str, int] | None = None
    hull: tuple[dict[str, Any], ...] | None = None

    @property
    def products(self) -> dict[str, float]:
        return self.decomposition


@dataclass(frozen=True, kw_only=True)
class DrivingForceDetails(Details):
    """Details of ``oxidation_driving_force``.

    Attributes
    ----------
    voltage
        V vs Li/Li+ that it is taken at.
    per
        What one eV/atom counts.
    products
        What the candidate decomposes into there, formula units per host formula unit.
    profile
        The driving force and its products over `PROFILE_RANGE`.
    """

    voltage: float | None = None
    per: str | None = None
    products: dict[str, float] = field(default_factory=dict)
    profile: tuple[dict[str, Any], ...] | None = None


@dataclass(frozen=True, kw_only=True)
class WindowDetails(Details):
    """Details of an end of a window: what it means, the products beyond it, and whether there is no window at all."""

    meaning: str | None = None
    products: dict[str, float] = field(default_factory=dict)
    empty: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A candidate on the hull's scale.

    Attributes
    ----------
    n_fu
        Host formula units in the cell of `composition`.
    pristine
        The candidate is the host, which is itself one of the phases.
    phases
        All competing phases, every one on the scale of `energy_per_atom` (eV/atom).
    make
        ``make(property, value, unit, flags=..., details=...)`` builds a record of this candidate and energy scale; the
        details are a dataclass of this file or plain data.
    """

    name: str
    n_fu: int
    composition: Mapping[str, int]
    energy_per_atom: float
    pristine: bool
    phases: Sequence[PhaseEnergy]
    make: Callable[..., Record]

    @property
    def rivals(self) -> list[PhaseEnergy]:
        """The phases without the candidate's own crystal."""
        return [p for p in self.phases if not (self.pristine and same_composition(p.composition, self.composition))]

    @property
    def predicted(self) -> list[str]:
        """Competing phases of the candidate's own elements that were predicted by ionic substitution."""
        own = set(self.composition) | {"Li"}
        return sorted(p.name for p in self.phases if p.substituted and set(p.composition) <= own)

    def record(self, prop: str, value: float | None, unit: str, **fields: Any) -> Record:
        if self.predicted and prop != "delithiation_voltage":
            fields["flags"] = (*fields.pop("flags", ()), PREDICTED_PHASES)
        return self.make(prop, value, unit, **fields)


def check_phases(elements: set[str], phases: Sequence[PhaseEnergy]) -> None:
    """Refuse a hull without a reference for every element.

    Raises
    ------
    CandidateFailed
        Naming the elements of which the elemental phase, or every compound, is missing.
    """
    references = {next(iter(p.composition)) for p in phases if len(p.composition) == 1}
    if missing := sorted((elements | {"Li"}) - references):
        raise CandidateFailed(f"no usable elemental reference for {', '.join(missing)}; add it to datasets/phases")
    if unlisted := without_compounds(elements, phases):
        raise CandidateFailed(f"no compound of {', '.join(unlisted)} competes; add its oxides to datasets/phases")


def hull_record(subject: Subject) -> Record:
    """Signed for a doped candidate (negative: nothing listed beats it, flag ``below_hull``); 0 for a stable host."""
    rivals = subject.rivals
    state = hull.decompose(subject.composition, rivals)
    separation = subject.energy_per_atom - state.energy
    below = separation < -hull.TOLERANCE
    return subject.record(
        "e_above_hull",
        max(separation, 0.0) if subject.pristine else separation,
        "eV/atom",
        flags=(flag("below_hull"),) if below and not subject.pristine else (),
        details=HullDetails(
            phase_separation_energy=separation,
            decomposition=per_formula(state.products, subject),
            formation_energy=hull.formation_energy(subject.composition, subject.energy_per_atom, rivals),
            composition=dict(subject.composition),
            hull=tuple({"phase": p.name, "energy_per_atom": p.energy_per_atom, "origin": p.origin} for p in rivals),
        ),
    )


def driving_force_record(subject: Subject, voltage: float) -> Record:
    force, products = hull.driving_force(subject.composition, subject.energy_per_atom, voltage, subject.phases)
    low, high = PROFILE_RANGE
    profile = hull.driving_force_profile(
        subject.composition, subject.energy_per_atom, subject.phases, low=low, high=high
    )
    return subject.record(
        "oxidation_driving_force",
        force,
        "eV/atom",
        details=DrivingForceDetails(
            voltage=voltage,
            per="atom of the candidate, Li included",
            products=per_formula(products, subject),
            profile=tuple({**row, "products": sorted(row["products"])} for row in profile),  # type: ignore[call-overload]
        ),
    )


def window_records(subject: Subject) -> list[Record]:
    """Both ends of the own-energy window and of the pinned one."""
    own = hull.stable_range(subject.composition, subject.energy_per_atom, subject.rivals)
    pinned = hull.pinned_window(subject.composition, subject.phases)
    if pinned is None:
        # the pinned energy is on the closed hull; only a composition stable at no voltage in 0..V_MAX ends here
        pinned_meaning = "no voltage in range"
    else:
        pinned_meaning = "candidate pinned to the hull: the window of its decomposition products"
    records = []
    for prefix, window, meaning in (
        ("window", own, "range in which the candidate's own energy is on the Li grand-potential hull"),
        ("window_pinned", pinned, pinned_meaning),
    ):
        for end in ("reduction", "oxidation"):
            value = None if window is None else getattr(window, end)
            limit = 0.0 if end == "reduction" else hull.V_MAX
            products = {} if window is None else getattr(window, f"products_{end}")
            records.append(
                subject.record(
                    f"{prefix}_{end}",
                    value,
                    "V",
                    flags=(flag("no_limit_found"),) if value == limit else (),
                    details=WindowDetails(
                        meaning=meaning, products=per_formula(products, subject), empty=window is None
                    ),
                )
            )
    return records


def per_formula(products: dict[str, float], subject: Subject) -> dict[str, float]:
    """Products in formula units per formula unit of the candidate's host (per cell divided by `n_fu`)."""
    scale = sum(subject.composition.values()) / subject.n_fu
    return {name: round(amount * scale, 6) for name, amount in sorted(products.items())}


def delithiation_voltage(energy: float, delithiated: float, phases: Sequence[PhaseEnergy], n_li: int = 1) -> float:
    """V vs Li/Li+ of taking `n_li` Li out: (E(delithiated) + n mu_Li(metal) - E) / n, energies in eV per cell."""
    return (delithiated + n_li * hull.li_reference(phases) - energy) / n_li


def delithiated_above_hull(subject: Subject, composition: Mapping[str, int], energy_per_atom: float) -> float:
    """Distance of the delithiated cell from the hull that holds the candidate itself, eV/atom.

    A potential that knows no charges may put the hole too low; then this is negative, and the voltage lies below the
    equilibrium oxidation limit, which no real crystal can do.

    Parameters
    ----------
    composition, energy_per_atom
        Of the delithiated cell, on the scale of the phases.
    """
    own = hull.HullEntry(name="candidate", composition=subject.composition, energy_per_atom=subject.energy_per_atom)
    return hull.e_above_hull(composition, energy_per_atom, [*subject.phases, own])
