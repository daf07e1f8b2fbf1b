"""Stability of a candidate at the real composition of its doped cell: hull distance, driving force, windows.

All energies are on one scale: the potential's, with MP2020 corrections where `potential_corrections` asks for them.
A doped candidate competes with every phase, its host among them. A pristine host is one of the phases, so it competes
with all of another composition: if nothing beats it, its distance to the hull is zero by definition, and how far below
the others it lies is kept as ``phase_separation_energy``. Its own window, too, is where it beats all others; driving
force and the pinned window are taken against the full hull for every candidate.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from screening.chemistry.candidate import Candidate
from screening.config import StabilitySettings
from screening.engine.records import Fidelity, Record, record_from
from screening.engine.tasks import RelaxTask, Result, Task, require
from screening.errors import CandidateFailed
from screening.properties import hull
from screening.properties.competing import without_compounds
from screening.properties.corrections import correction
from screening.properties.phases import PhaseEnergy, same_composition
from screening.properties.reaction_records import reactions
from screening.properties.reactivity import Reactant

if TYPE_CHECKING:
    from screening.properties.bulk import DopedBulk

PROFILE_RANGE = (2.5, 4.6)
"""Voltages (V vs Li/Li+) over which the driving force is kept for plotting."""

PREDICTED = "predicted_phases"
"""Flag of a value that rests on phases predicted by ionic substitution."""

SAME_SITE = 0.05
"""Li sites whose electrostatic energies are closer than this (eV) are one delithiation site."""


@dataclass(frozen=True, kw_only=True)
class _Subject:
    """A candidate on the hull's scale; `rivals` are the `phases` without the candidate's own crystal."""

    candidate: Candidate
    n_fu: int
    composition: dict[str, int]
    energy_per_atom: float
    phases: Sequence[PhaseEnergy]
    rivals: Sequence[PhaseEnergy]
    corrections: str
    fidelity: Fidelity
    result: Result

    @property
    def predicted(self) -> list[str]:
        """Competing phases of the candidate's own elements that were predicted by ionic substitution."""
        own = set(self.composition) | {"Li"}
        return sorted(p.name for p in self.phases if p.substituted and set(p.composition) <= own)

    def record(self, prop: str, value: float | None, unit: str, **fields: Any) -> Record:
        results = fields.pop("results", [self.result])
        if self.predicted and prop != "delithiation_voltage":
            fields["flags"] = (*fields.pop("flags", ()), PREDICTED)
        return record_from(self.candidate.name, prop, value, unit, fidelity=self.fidelity, results=results, **fields)


def stability_flow(
    candidate: Candidate,
    bulk: DopedBulk,
    phases: Sequence[PhaseEnergy],
    settings: StabilitySettings,
    *,
    fidelity: Fidelity,
    seed: int,
    potential_corrections: str,
    partners: Mapping[str, Mapping[str, float]] | None = None,
) -> Generator[list[Task], list[Result], list[Record]]:
    """All stability records of a candidate.

    Parameters
    ----------
    bulk
        Relaxed doped cell; its composition is the one that is judged.
    phases
        What `phases_flow` returned for the candidate's elements.
    seed
        Goes into the recipe, since the doped cell depends on it.
    potential_corrections
        `Potential.corrections`, the same that `phases_flow` was given.
    partners
        Compositions of what touches the coating, by the names of `reaction_records.partners`.

    Returns
    -------
    list of Record
        ``e_above_hull``, ``oxidation_driving_force`` (eV/atom), ``window_reduction``, ``window_oxidation``,
        ``window_pinned_reduction``, ``window_pinned_oxidation``, ``delithiation_voltage`` (V vs Li/Li+), and those
        of `reaction_records`.

    Raises
    ------
    CandidateFailed
        When one of the candidate's elements has no phases, or the cell holds no Li.
    """
    atoms = bulk.result.atoms
    composition = dict(Counter(atoms.get_chemical_symbols()))
    energy = bulk.result.energy + correction(atoms, potential_corrections)
    references = {next(iter(p.composition)) for p in phases if len(p.composition) == 1}
    if missing := sorted((set(composition) | {"Li"}) - references):
        raise CandidateFailed(f"no usable elemental reference for {', '.join(missing)}; add it to datasets/phases")
    if unlisted := without_compounds(set(composition), phases):
        raise CandidateFailed(f"no compound of {', '.join(unlisted)} competes; add its oxides to datasets/phases")
    pristine = candidate.is_pristine and not candidate.congruent
    subject = _Subject(
        candidate=candidate,
        n_fu=bulk.candidate.n_fu,
        composition=composition,
        energy_per_atom=energy / len(atoms),
        phases=phases,
        corrections=potential_corrections,
        rivals=[p for p in phases if not (pristine and same_composition(p.composition, composition))],
        fidelity=fidelity,
        result=bulk.result,
    )
    records = [
        _hull_record(subject, pristine=pristine),
        _driving_force_record(subject, settings),
        *_window_records(subject),
        *_reaction_records(subject, settings, partners or {}),
    ]
    delithiation = yield from _delithiation(subject, settings, seed=seed)
    return [*records, delithiation]


def _hull_record(subject: _Subject, *, pristine: bool) -> Record:
    """Signed for a doped candidate (negative: nothing listed beats it, flag ``below_hull``); 0 for a stable host."""
    state = hull.decompose(subject.composition, subject.rivals)
    separation = subject.energy_per_atom - state.energy
    below = separation < -hull.TOLERANCE
    return subject.record(
        "e_above_hull",
        max(separation, 0.0) if pristine else separation,
        "eV/atom",
        flags=("below_hull",) if below and not pristine else (),
        details={
            "phase_separation_energy": separation,
            "decomposition": per_formula(state.products, subject),
            "formation_energy": hull.formation_energy(subject.composition, subject.energy_per_atom, subject.rivals),
            "composition": subject.composition,
            "hull": [
                {"phase": p.name, "energy_per_atom": p.energy_per_atom, "origin": p.origin} for p in subject.rivals
            ],
        },
    )


def _driving_force_record(subject: _Subject, settings: StabilitySettings) -> Record:
    force, products = hull.driving_force(subject.composition, subject.energy_per_atom, settings.voltage, subject.phases)
    low, high = PROFILE_RANGE
    profile = hull.driving_force_profile(
        subject.composition, subject.energy_per_atom, subject.phases, low=low, high=high
    )
    return subject.record(
        "oxidation_driving_force",
        force,
        "eV/atom",
        details={
            "voltage": settings.voltage,
            "per": "atom of the candidate, Li included",
            "products": per_formula(products, subject),
            "profile": [{**row, "products": sorted(row["products"])} for row in profile],  # type: ignore[call-overload]
        },
    )


def _window_records(subject: _Subject) -> list[Record]:
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
                    flags=("no_limit_found",) if value == limit else (),
                    details={"meaning": meaning, "products": per_formula(products, subject), "empty": window is None},
                )
            )
    return records


def _reaction_records(
    subject: _Subject, settings: StabilitySettings, partners: Mapping[str, Mapping[str, float]]
) -> list[Record]:
    own = Reactant(
        name=subject.candidate.name, composition=subject.composition, energy_per_atom=subject.energy_per_atom
    )
    rows = reactions(own, partners, subject.phases, voltage=settings.voltage)
    return [subject.record(r.property, r.value, "eV/atom", flags=r.flags, details=r.details) for r in rows]


def per_formula(products: dict[str, float], subject: _Subject) -> dict[str, float]:
    """Products in formula units per formula unit of the candidate's host (per cell divided by `n_fu`)."""
    scale = sum(subject.composition.values()) / subject.n_fu
    return {name: round(amount * scale, 6) for name, amount in sorted(products.items())}


def _delithiation(
    subject: _Subject, settings: StabilitySettings, *, seed: int
) -> Generator[list[Task], list[Result], Record]:
    """V = E(one Li removed, cell kept) + E(Li metal) - E over the most loosely bound Li sites; the lowest counts.

    Raw potential energies: both cells hold the same O and metal atoms, so any correction cancels, and Li has none.
    """
    bulk = subject.result
    sites = loosest_li(bulk.atoms, settings.delithiation_sites)
    tasks: list[Task] = []
    for index in sites:
        atoms = bulk.atoms.copy()
        del atoms[index]
        tasks.append(
            RelaxTask(
                recipe={
                    "candidate": subject.candidate.name,
                    "step": "stability/delithiate",
                    "site": len(tasks),
                    "seed": seed,
                    "parents": [bulk.key],
                },
                atoms=atoms,
                cell="fixed",
                fmax=settings.fmax,
                max_steps=settings.max_steps,
            )
        )
    results = yield tasks
    usable = [r for r in results if r.failure is None]
    if not usable:
        require(results[0], "delithiation")
    # an unconverged energy may not win against a converged one
    best = min(usable, key=lambda r: (not r.converged, r.energy))
    mu_metal = hull.li_reference(subject.phases)
    above = _delithiated_above_hull(subject, best)
    voltages = [r.energy + mu_metal - bulk.energy for r in usable]
    return subject.record(
        "delithiation_voltage",
        best.energy + mu_metal - bulk.energy,
        "V",
        results=[bulk, best],
        flags=("delithiated_below_hull",) if above < -hull.TOLERANCE else (),
        details={
            "sites_tried": len(sites),
            "voltages": voltages,
            "lattice": "kept",
            "delithiated_e_above_hull": above,
        },
    )


def _delithiated_above_hull(subject: _Subject, result: Result) -> float:
    """Distance of the delithiated cell from the hull that holds the candidate itself, eV/atom.

    A potential that knows no charges may put the hole too low; then this is negative, and the voltage lies below the
    equilibrium oxidation limit, which no real crystal can do.
    """
    own = hull.HullEntry(name="candidate", composition=subject.composition, energy_per_atom=subject.energy_per_atom)
    energy = result.energy + correction(result.atoms, subject.corrections)
    composition = Counter(result.atoms.get_chemical_symbols())
    return hull.e_above_hull(composition, energy / len(result.atoms), [*subject.phases, own])


def loosest_li(atoms: Atoms, k: int) -> list[int]:
    """Up to `k` Li atoms with the highest Ewald site energy, no two with the same one.

    Raises
    ------
    CandidateFailed
        When the cell holds no Li.
    """
    li = np.flatnonzero(atoms.numbers == 3)
    if len(li) == 0:
        raise CandidateFailed("the doped cell holds no Li to take out")
    energies = site_energies(atoms)[li]
    chosen: list[int] = []
    for position in np.argsort(-energies, kind="stable"):
        if all(abs(energies[position] - energies[other]) > SAME_SITE for other in chosen):
            chosen.append(int(position))
        if len(chosen) == k:
            break
    return [int(li[position]) for position in chosen]


def site_energies(atoms: Atoms) -> NDArray[np.float64]:
    """Electrostatic energy (eV) of each ion at its place, from the formal charges in ``oxidation_state``.

    Arrays: result (N,).
    """
    from pymatgen.analysis.ewald import EwaldSummation
    from pymatgen.io.ase import AseAtomsAdaptor

    structure = AseAtomsAdaptor.get_structure(Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True))
    structure.add_oxidation_state_by_site([float(q) for q in atoms.arrays["oxidation_state"]])
    ewald = EwaldSummation(structure)
    return np.array([ewald.get_site_energy(i) for i in range(len(atoms))])
