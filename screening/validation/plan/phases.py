"""Jobs of the competing phases: a hull of DFT energies must hold nothing but DFT energies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from screening.structures.crystals.phases import PhaseFacts, phase_structures
from screening.structures.elements import by_element
from screening.validation.job_details import PhaseJobDetails
from screening.validation.jobs import Job


def phase_jobs(phases: Sequence[PhaseFacts], orderings: Mapping[str, int], energies: Mapping[str, float]) -> list[Job]:
    """``phases/<name>`` for every phase, from its crystal facts.

    Quarantined phases are among them: what a potential cannot describe may be what decides a hull in DFT.

    Parameters
    ----------
    orderings
        Which of the structures on offer the potential found lowest, by phase; the first one otherwise.
    energies
        The potential's own energy of the relaxed phase, eV/atom without corrections, by phase.
    """
    jobs = []
    for facts in phases:
        offered = phase_structures(facts)
        chosen = orderings.get(facts.name, 0)
        atoms = by_element(offered[chosen if chosen < len(offered) else 0])
        molecule = facts.reference is not None
        per_atom = energies.get(facts.name)
        jobs.append(
            Job(
                name=f"phases/{facts.name}",
                candidate=None,
                role="phase",
                atoms=atoms,
                # PBE has no dispersion: what only that holds together keeps its measured cell
                relax="atoms" if molecule or facts.cell_held else "cell",
                details=PhaseJobDetails(phase=facts.name, formula=facts.formula, molecule=True if molecule else None),
                mlip_energy=None if per_atom is None else per_atom * len(atoms),
            )
        )
    return jobs
