"""Which phases a candidate competes with: the listed ones, the Materials Project's, or a user's own.

Listed phases take their energies from a shipped file, then from the user's cache, and are relaxed otherwise. An element
of which no compound is listed gets compounds predicted by ionic substitution, marked in whatever uses them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from screening.assets import cache_dir
from screening.engine.flows import Flow, compute
from screening.engine.running.records import PotentialId
from screening.engine.tasks import RelaxTask
from screening.errors import UserError
from screening.potentials.families.table import titles_on
from screening.potentials.registry import fitted_elements, load_potential, supported_elements
from screening.properties.stability.corrections import MP_SCALE
from screening.properties.stability.phase_files import cached_energies, remember, shipped_energies
from screening.properties.stability.phases import PhaseEnergy, phase_energy, phase_tasks, reference_energy
from screening.structures.crystals.phases import PhaseFacts, load_phases

logger = logging.getLogger(__name__)

LISTED = "listed"
"""Value of `StabilitySettings.phases` for the phases of datasets/phases."""


class _Composed(Protocol):
    @property
    def composition(self) -> Mapping[str, int]: ...


def without_compounds(elements: Iterable[str], phases: Iterable[_Composed]) -> list[str]:
    """Elements of which no compound with others of `elements` (or Li) is among the phases, sorted."""
    wanted = set(elements)
    held = {
        symbol
        for facts in phases
        if len(facts.composition) > 1 and set(facts.composition) <= wanted | {"Li"}
        for symbol in facts.composition
    }
    return sorted(wanted - held - {"Li"})


def bare_elements(elements: Iterable[str], phases: Sequence[_Composed]) -> list[str]:
    """Elements that lack the compounds a hull needs; of a metal alone its crystal is enough."""
    from pymatgen.core import Element

    asked = set(elements) - {"Li"}
    alone = len(asked) == 1 and all(Element(symbol).is_metal for symbol in asked)
    if alone and any(set(facts.composition) == asked for facts in phases):
        return []
    return without_compounds(asked, phases)


def check_elements(elements: Iterable[str]) -> None:
    """Refuse elements of which no compound is listed.

    Raises
    ------
    UserError
        Names them and says what to do.
    """
    missing = bare_elements(elements, load_phases())
    if missing and len(set(elements) - {"Li"}) == 1:
        raise UserError(
            f"no compound of {missing[0]} with Li (or no crystal of it) is listed in datasets/phases; add its facts "
            "there, or give energies with --phases mp|FILE."
        )
    if missing:
        raise UserError(
            f"no compounds of {', '.join(missing)} with the other elements are listed in datasets/phases; add their "
            "crystal facts there, predict compounds with --substitute, or give energies with --phases mp|FILE."
        )


def check_zero_points(potential_name: str, elements: Iterable[str]) -> None:
    """Refuse a hull over elements whose energies are on different scales.

    Raises
    ------
    UserError
        When the potential was retrained on the zero points of data that lack some of the elements (or Li).
    """
    fitted = fitted_elements(potential_name)
    if fitted is not None and (missing := sorted((set(elements) | {"Li"}) - fitted)):
        raise UserError(
            f"{potential_name} was retrained on the zero points of data that hold no {', '.join(missing)}, so its "
            "energies of these are on another scale and no hull can be built; retrain it with --zero-points base."
        )


def check_supported(potential_name: str, elements: Iterable[str]) -> None:
    """Refuse elements that a potential was not trained on.

    Raises
    ------
    UserError
        Names them. A potential whose elements nobody knows before it is loaded passes.
    """
    known = supported_elements(potential_name)
    if known is not None and (missing := sorted(set(elements) - known)):
        raise UserError(
            f"{potential_name} was not trained on {', '.join(missing)} and gives no energy for it; leave it out or "
            "choose another --potential."
        )


def check_competition(systems: Iterable[set[str]]) -> None:
    """Refuse chemical systems with an element of which no compound is listed or can be predicted.

    Raises
    ------
    UserError
        Names the elements.
    """
    listed = load_phases()
    for system in set(map(frozenset, systems)):
        facts = [f for f in listed if set(f.composition) <= system | {"Li"}]
        facts += predicted_phases(set(system), facts, skip_unpredictable=True)
        elemental = {next(iter(f.composition)) for f in facts if len(f.composition) == 1}
        if missing := sorted({*without_compounds(system, facts), *(system - elemental)}):
            raise UserError(
                f"no competing phases of {', '.join(missing)} are listed or can be predicted, so nothing says whether "
                "a candidate with it is stable; leave it out or give energies with --phases mp|FILE."
            )


def check_source(source: str, elements: set[str], potential_name: str, device: str = "auto") -> None:
    """Refuse a source of phases that cannot serve a chemical system, before anything is computed.

    Raises
    ------
    UserError
        When it is neither ``"listed"`` nor ``"mp"`` nor a readable file of entries, lacks an element, or is on another
        scale than the potential.
    """
    from screening.properties.stability.foreign.materials_project import check_mp

    if source == LISTED:
        return
    corrections = load_potential(potential_name, device, self_check=False).corrections
    if source == "mp":
        _check_scale(corrections)
        check_mp(elements | {"Li"}, cache=cache_dir() / "mp")
    else:
        foreign_phases(source, elements, corrections)


def foreign_phases(
    source: str, elements: set[str], potential_corrections: str, *, alone: bool = False
) -> list[PhaseEnergy]:
    """Entries of the Materials Project (``"mp"``) or of a file, for a chemical system.

    Parameters
    ----------
    alone
        No energy of the potential is compared with them, so that they may be of any one functional.

    Raises
    ------
    UserError
        When the potential's energies are on another scale, or the source cannot be read.
    """
    from screening.properties.stability.foreign.entries_file import entries_from_file
    from screening.properties.stability.foreign.materials_project import entries_from_mp

    if not alone:
        _check_scale(potential_corrections)
    if source == "mp":
        return entries_from_mp(elements | {"Li"}, cache=cache_dir() / "mp")
    found = entries_from_file(Path(source), any_functional=alone)
    entries = [e for e in found if set(e.composition) <= elements | {"Li"}]
    elemental = {next(iter(e.composition)) for e in entries if len(e.composition) == 1}
    if missing := sorted((elements | {"Li"}) - elemental):
        raise UserError(
            f"{source} holds no entry of elemental {', '.join(missing)}; a hull needs every element, add them."
        )
    compounds = [e for e in entries if len(e.composition) > 1]
    if not alone and compounds and not any(e.correction_per_atom for e in compounds):
        logger.warning(
            "%s: no compound in it carries a correction, and the potential's energies are on the MP2020 scale; check "
            "that they are corrected",
            source,
        )
    return entries


def _check_scale(corrections: str) -> None:
    if corrections not in MP_SCALE:
        raise UserError(
            "--phases mp and FILE hold energies on the Materials Project's scale, which this potential does not "
            f"share; use {' or '.join(titles_on(MP_SCALE))}, or leave the option out."
        )


def phases_flow(
    elements: set[str],
    *,
    potential_id: PotentialId,
    potential_corrections: str,
    source: str = LISTED,
    substitute: Sequence[set[str]] = (),
    refused: list[PhaseEnergy] | None = None,
) -> Flow[list[PhaseEnergy]]:
    """Energies of all phases of a chemical system that pass the gate.

    Parameters
    ----------
    elements
        Chemical system; Li is added, because voltages need its metal.
    potential_corrections
        `Potential.corrections` of the potential behind `potential_id`.
    source
        ``"listed"``, ``"mp"`` or the path of a pymatgen JSON file.
    substitute
        Chemical systems in which elements without listed compounds get compounds by ionic substitution. An element
        for which that fails is left out with a warning; `stability_flow` then refuses its candidates only.
    refused
        Gets the phases that fail the gate, with their verdicts.

    Raises
    ------
    UserError
        When a foreign source cannot be used.
    """
    if source != LISTED:
        return foreign_phases(source, elements, potential_corrections)
    facts = [f for f in load_phases() if set(f.composition) <= elements | {"Li"}]
    for system in substitute:
        facts += predicted_phases(system, facts, skip_unpredictable=True)
    known = cached_energies(potential_id) | shipped_energies(potential_id)
    energies: dict[str, PhaseEnergy] = {}
    pending: list[PhaseFacts] = []
    tasks: dict[tuple[str, int], RelaxTask] = {}
    for phase in facts:
        stored = known.get(phase.name)
        if phase.reference is not None and potential_corrections in MP_SCALE:
            energies[phase.name] = reference_energy(phase)
        elif stored is not None and stored.facts_sha256 == phase.facts_sha256:
            energies[phase.name] = stored
        else:
            pending.append(phase)
            tasks |= {(phase.name, n): task for n, task in enumerate(phase_tasks(phase))}
    if pending:
        results = yield from compute(tasks)
        for phase in pending:
            own = [result for (name, _), result in results.items() if name == phase.name]
            energies[phase.name] = phase_energy(phase, own, potential_corrections)
        remember([energies[phase.name] for phase in pending], potential_id, potential_corrections)
    for energy in energies.values():
        if not energy.usable:
            logger.info("phase %s is quarantined and not used: %s", energy.name, energy.gate)
            if refused is not None:
                refused.append(energy)
    return [energies[phase.name] for phase in facts if energies[phase.name].usable]


def predicted_phases(system: set[str], listed: Sequence[PhaseFacts], *, skip_unpredictable: bool) -> list[PhaseFacts]:
    """Compounds by ionic substitution, and crystals, for those elements of a system that have none listed.

    Parameters
    ----------
    skip_unpredictable
        Leave an element for which nothing can be predicted out, with a warning.

    Raises
    ------
    UserError
        For such an element, when it is not to be skipped.
    """
    from screening.structures.crystals.substitution import elemental_phases, substituted_phases

    found: dict[str, PhaseFacts] = {}
    for element in without_compounds(system, listed):
        try:
            if not any(f.composition.keys() == {element} for f in listed):
                found |= {f.name: f for f in elemental_phases(element)}
            found |= {f.name: f for f in substituted_phases(element, system)}
        except UserError as error:
            if not skip_unpredictable:
                raise
            logger.warning("%s", error)
    names = {f.name for f in listed}
    return [f for name, f in found.items() if name not in names]
