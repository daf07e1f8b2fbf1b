"""Adhesion records from the outcomes of all candidates, with pooled substrate references and bootstrap intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from screening.chemistry.content import is_off
from screening.config import AdhesionSettings
from screening.engine.running.records import PotentialId, Record, record_from
from screening.engine.tasks import Result
from screening.flags import flag
from screening.properties.adhesion.details import AdhesionDetails, AdhesionParts, SegregationParts, VacancyOrder
from screening.properties.adhesion.parent import EV_PER_A2, ParentInterface
from screening.properties.adhesion.types import AdhesionOutcome, ChargeState
from screening.properties.bulk import Crystal, DopedBulk
from screening.structures.interfaces.contact import contact_metrics, li_transferred, reacted


@dataclass(frozen=True, kw_only=True)
class BulkEnergies:
    """Bulk references for surface energies: eV per host formula unit, eV per dopant (complex), eV per cathode f.u."""

    host_fu: float
    per_dopant: float | None
    cathode_fu: float | None


def bulk_energies(host: Crystal, cathode: Crystal, doped: DopedBulk | None, cathode_matches: bool) -> BulkEnergies:
    """Energy of one dopant with its compensation in bulk, and of a cathode formula unit if compositions agree."""
    per_dopant = None
    if doped is not None and not doped.candidate.is_pristine:
        count = sum(s.count for s in doped.candidate.dopants)
        per_dopant = (doped.result.energy - doped.candidate.n_fu * host.energy_fu) / count
    return BulkEnergies(
        host_fu=host.energy_fu, per_dopant=per_dopant, cathode_fu=cathode.energy_fu if cathode_matches else None
    )


def pooled_substrates(outcomes: Sequence[AdhesionOutcome]) -> dict[tuple[float, int], Result]:
    """Lowest substrate slab of every (y, vacancy order) over all candidates: one reference for everybody."""
    best: dict[tuple[float, int], Result] = {}
    for outcome in outcomes:
        for state in outcome.states:
            for result in state.substrates.values():
                place = (state.y, state.order)
                if place not in best or result.energy < best[place].energy:
                    best[place] = result
    return best


def adhesion_records(
    outcome: AdhesionOutcome,
    pool: dict[tuple[float, int], Result],
    parent: ParentInterface,
    settings: AdhesionSettings,
    *,
    bulk: BulkEnergies,
    potential_id: PotentialId,
    x_requested: float,
    seed: int,
) -> list[Record]:
    """adhesion_energy (eV per cell), work_of_adhesion and work_of_adhesion_eq (J/m2) per y, segregation_energy (eV).

    The value at one y is the mean over vacancy orders. The energy of adhesion is negative where the slabs hold
    together, the work of adhesion is positive there.
    """
    if not outcome.coatings:
        raise ValueError("an adhesion outcome without any relaxed coating slab")
    coating = min(outcome.coatings.values(), key=lambda r: r.energy)
    equilibrium = min([coating, *outcome.equilibrium.values()], key=lambda r: r.energy)
    common = _common_details(outcome, parent, coating, pool, bulk)
    flags = _common_flags(outcome, parent, x_requested)
    record = partial(record_from, outcome.search.candidate.name, potential_id=potential_id)
    per_area = EV_PER_A2 / parent.area
    records: list[Record] = []
    for y in settings.soc:
        states = [s for s in outcome.states if s.y == y and s.interface.failure is None and (y, s.order) in pool]
        if not states:
            reason = _why_missing(outcome, y)
            lacking: dict[str, Any] = {"results": None, "converged": False, "failure": reason, "details": {"y": y}}
            records.append(record("work_of_adhesion", None, "J/m2", flags=flags, **lacking))
            continue
        energies = np.array([s.interface.energy - pool[(y, s.order)].energy - coating.energy for s in states])
        value = float(energies.mean())
        value_eq = value + coating.energy - equilibrium.energy
        low, high = _bootstrap(energies, outcome, settings, seed)
        work = (-high * per_area, -low * per_area)
        used = AdhesionParts(
            interfaces=tuple(s.interface for s in states),
            substrates=tuple(pool[(y, s.order)] for s in states),
            coating=coating,
        )
        shared: dict[str, Any] = {
            "flags": (*flags, *_state_flags(states, parent)),
            "details": replace(common, y=y, orders=tuple(_vacancy_order(s, pool, parent) for s in states)),
        }
        own, lowest = {"results": used, **shared}, {"results": replace(used, coating=equilibrium), **shared}
        records += [
            record("adhesion_energy", value, "eV", interval=(low, high), **own),
            record("work_of_adhesion", -value * per_area, "J/m2", interval=work, **own),
            record("work_of_adhesion_eq", -value_eq * per_area, "J/m2", **lowest),
        ]
    segregation = _segregation(outcome)
    if segregation is not None:
        value, trials = segregation
        how = {"definition": "lowest inner minus lowest contact placement after the short relaxation"}
        records.append(record("segregation_energy", value, "eV", results=trials, flags=flags, details=how))
    return records


def _why_missing(outcome: AdhesionOutcome, y: float) -> str:
    failures = [s.interface.failure for s in outcome.states if s.y == y and s.interface.failure]
    return failures[0] if failures else "no substrate slab could be relaxed"


def _bootstrap(
    energies: np.ndarray, outcome: AdhesionOutcome, settings: AdhesionSettings, seed: int
) -> tuple[float, float]:
    """95 % interval of the selection rule over placements and vacancy orders (eV per cell).

    A placement that was only relaxed shortly differs from the winner by the difference of their interface minus
    coating energies at that level. One that was given up half-way has no energy at that level and is never picked.
    """
    rng = np.random.default_rng(seed)
    trials = [t for t in outcome.search.trials if t.coating.failure is None and not t.given_up]
    chosen = outcome.search.chosen
    usable = chosen.coating.failure is None
    offsets = np.array(
        [t.interface.energy - t.coating.energy - chosen.interface.energy + chosen.coating.energy for t in trials]
        if usable
        else [0.0]
    )
    search = np.array([t.interface.energy for t in trials] if usable else [0.0])
    samples = np.empty(settings.n_bootstrap)
    for i in range(settings.n_bootstrap):
        drawn = rng.integers(len(search), size=len(search))
        picked = drawn[np.argmin(search[drawn])]
        samples[i] = rng.choice(energies, size=len(energies)).mean() + offsets[picked]
    value = float(energies.mean())
    low, high = np.quantile(samples, [0.025, 0.975])
    return min(float(low), value), max(float(high), value)


def _segregation(outcome: AdhesionOutcome) -> tuple[float, SegregationParts[Result]] | None:
    """Energy of the best inner placement above the best contact one; positive: dopants prefer the contact."""
    if outcome.search.candidate.is_pristine:
        return None
    best: dict[str, Result] = {}
    for trial in outcome.search.trials:
        held = best.get(trial.where)
        if held is None or trial.interface.energy < held.energy:
            best[trial.where] = trial.interface
    if not {"contact", "inner"} <= set(best):
        return None
    inner, contact = best["inner"], best["contact"]
    return inner.energy - contact.energy, SegregationParts(inner=inner, contact=contact)


def _common_details(
    outcome: AdhesionOutcome,
    parent: ParentInterface,
    coating: Result,
    pool: dict[tuple[float, int], Result],
    bulk: BulkEnergies,
) -> AdhesionDetails:
    full = pool.get((1.0, 0))
    return AdhesionDetails(
        **parent.geometry.facts(),
        x_interface=outcome.search.realised.x,
        placement=outcome.search.chosen.label,
        where=outcome.search.chosen.where,
        back_substituted=outcome.search.back_substituted,
        placements_eV={t.label: t.interface.energy for t in outcome.search.trials},
        coating_starts_eV={name: r.energy for name, r in outcome.coatings.items()},
        coating_equilibrium_eV={name: r.energy for name, r in outcome.equilibrium.items()},
        surface_energy_coating_J_m2=_surface_energy(
            coating.energy, _coating_bulk_energy(outcome, parent, bulk), parent.area
        ),
        surface_energy_substrate_J_m2=_surface_energy(
            None if full is None else full.energy,
            None if bulk.cathode_fu is None else bulk.cathode_fu * parent.geometry.cathode_fu,
            parent.area,
        ),
    )


def _coating_bulk_energy(outcome: AdhesionOutcome, parent: ParentInterface, bulk: BulkEnergies) -> float | None:
    base = parent.geometry.coating_fu * bulk.host_fu
    if outcome.search.candidate.is_pristine:
        return base
    if bulk.per_dopant is None:
        return None
    return base + bulk.per_dopant * sum(s.count for s in outcome.search.realised.dopants)


def _surface_energy(slab: float | None, reference: float | None, area: float) -> float | None:
    """Mean of a slab's two surfaces, J/m2; includes the strain energy of the coating."""
    return None if slab is None or reference is None else (slab - reference) / (2 * area) * EV_PER_A2


def _vacancy_order(state: ChargeState, pool: dict[tuple[float, int], Result], parent: ParentInterface) -> VacancyOrder:
    metrics: dict[str, Any] = contact_metrics(state.interface.atoms)
    return VacancyOrder(
        order=state.order,
        y_realised=state.y_realised,
        interface_eV=state.interface.energy,
        substrate_starts_eV={name: r.energy for name, r in state.substrates.items()},
        substrate_reference_eV=pool[(state.y, state.order)].energy,
        li_transferred=li_transferred(state.cut, state.interface.atoms),
        reacted=tuple(_reacted(state, parent)),
        **metrics,
    )


def _reacted(state: ChargeState, parent: ParentInterface) -> list[str]:
    index = state.cut.arrays["parent_index"]
    was_li = np.isin(index, 1 + np.flatnonzero(parent.cut.numbers == 3))
    return reacted(state.cut, state.interface.atoms, on_li_sites=was_li & (state.cut.numbers != 3))


def _state_flags(states: Sequence[ChargeState], parent: ParentInterface) -> list[str]:
    flags = []
    if any(_reacted(s, parent) for s in states):
        flags.append(flag("reacted"))
    if any(li_transferred(s.cut, s.interface.atoms) for s in states):
        flags.append(flag("li_transferred"))
    return flags


def _common_flags(outcome: AdhesionOutcome, parent: ParentInterface, x_requested: float) -> tuple[str, ...]:
    flags = list(parent.geometry.flags)
    if is_off(x_requested, outcome.search.realised.x):
        flags.append(flag("x_interface_off"))
    return tuple(flags)
