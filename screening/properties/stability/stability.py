"""Stability of a candidate at the real composition of its doped cell: hull distance, driving force, windows.

All energies are on one scale: the potential's, with MP2020 corrections where the potential asks for them.
A doped candidate competes with every phase, its host among them. A pristine host is one of the phases, so it competes
with all of another composition: if nothing beats it, its distance to the hull is zero by definition, and how far below
the others it lies is kept as ``phase_separation_energy``. Its own window, too, is where it beats all others; driving
force and the pinned window are taken against the full hull for every candidate.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from screening.chemistry.candidate import Candidate
from screening.chemistry.index_lists import without
from screening.config import StabilitySettings
from screening.engine.flows import Flow
from screening.engine.running.records import Record, record_from
from screening.engine.tasks import RelaxTask, Result, lowest, require
from screening.errors import CandidateFailed
from screening.flags import flag
from screening.properties.context import ScreeningContext
from screening.properties.stability import hull
from screening.properties.stability.corrections import correction
from screening.properties.stability.phases import PhaseEnergy
from screening.properties.stability.reaction_records import reactions
from screening.properties.stability.reactivity import Reactant
from screening.properties.stability.records import (
    BulkParts,
    DelithiationParts,
    Subject,
    check_phases,
    delithiated_above_hull,
    delithiation_voltage,
    driving_force_record,
    hull_record,
    window_records,
)

if TYPE_CHECKING:
    from screening.properties.bulk import DopedBulk

SAME_SITE = 0.05
"""Li sites whose electrostatic energies are closer than this (eV) are one delithiation site."""


def stability_flow(
    candidate: Candidate,
    bulk: DopedBulk,
    phases: Sequence[PhaseEnergy],
    settings: StabilitySettings,
    context: ScreeningContext,
    *,
    partners: Mapping[str, Mapping[str, float]] | None = None,
) -> Flow[list[Record]]:
    """All stability records of a candidate.

    Parameters
    ----------
    bulk
        Relaxed doped cell; its composition is the one that is judged.
    phases
        What `phases_flow` returned for the candidate's elements.
    context
        Its corrections are those that `phases_flow` was given.
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
    energy = bulk.result.energy + correction(atoms, context.corrections)
    check_phases(set(composition), phases)

    def make(prop: str, value: float | None, unit: str, **fields: Any) -> Record:
        results = fields.pop("results", BulkParts(bulk=bulk.result))
        return record_from(
            candidate.name, prop, value, unit, potential_id=context.potential_id, results=results, **fields
        )

    subject = Subject(
        name=candidate.name,
        n_fu=bulk.candidate.n_fu,
        composition=composition,
        energy_per_atom=energy / len(atoms),
        pristine=candidate.is_pristine and not candidate.congruent,
        phases=phases,
        make=make,
    )
    records = [
        hull_record(subject),
        driving_force_record(subject, settings.voltage),
        *window_records(subject),
        *_reaction_records(subject, settings, partners or {}),
    ]
    delithiation = yield from _delithiation(subject, bulk.result, settings, context)
    return [*records, delithiation]


def _reaction_records(
    subject: Subject, settings: StabilitySettings, partners: Mapping[str, Mapping[str, float]]
) -> list[Record]:
    own = Reactant(name=subject.name, composition=subject.composition, energy_per_atom=subject.energy_per_atom)
    rows = reactions(own, partners, subject.phases, voltage=settings.voltage)
    return [subject.record(r.property, r.value, "eV/atom", flags=r.flags, details=r.details) for r in rows]


def _delithiation(
    subject: Subject, bulk: Result, settings: StabilitySettings, context: ScreeningContext
) -> Flow[Record]:
    """V = E(one Li removed, cell kept) + E(Li metal) - E over the most loosely bound Li sites; the lowest counts.

    Raw potential energies: both cells hold the same O and metal atoms, so any correction cancels, and Li has none.
    """
    recipe = {"candidate": subject.name, "step": "stability/delithiate", "seed": context.seed, "parents": [bulk.key]}
    sites = loosest_li(bulk.atoms, settings.delithiation_sites)
    results = yield [
        RelaxTask(
            recipe={**recipe, "site": n},
            atoms=without(bulk.atoms, [index]),
            cell="fixed",
            fmax=settings.fmax,
            max_steps=settings.max_steps,
        )
        for n, index in enumerate(sites)
    ]
    usable = [r for r in results if r.failure is None]
    if not usable:
        require(results[0], "delithiation")
    best = lowest(usable)
    corrected = best.energy + correction(best.atoms, context.corrections)
    composition = Counter(best.atoms.get_chemical_symbols())
    above = delithiated_above_hull(subject, composition, corrected / len(best.atoms))
    return subject.record(
        "delithiation_voltage",
        delithiation_voltage(bulk.energy, best.energy, subject.phases),
        "V",
        results=DelithiationParts(bulk=bulk, delithiated=best),
        flags=(flag("delithiated_below_hull"),) if above < -hull.TOLERANCE else (),
        details={
            "sites_tried": len(sites),
            "voltages": [delithiation_voltage(bulk.energy, r.energy, subject.phases) for r in usable],
            "lattice": "kept",
            "delithiated_e_above_hull": above,
        },
    )


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
