"""Jobs of adhesion: the interface and the references that gave the potential's value, at every state of charge."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from screening.engine.running.records import Record
from screening.properties.adhesion.details import AdhesionDetails, AdhesionParts, VacancyOrder
from screening.structures.elements import by_element
from screening.validation.job_details import SlabJobDetails
from screening.validation.jobs import Job
from screening.validation.plan.screened import Plan, ScreenedRun


def interface_jobs(screen: ScreenedRun, candidate: str) -> Plan:
    """``<candidate>/interface-y<label>`` and ``substrate-y<label>`` at every y, and ``<candidate>/coating`` once.

    The potential's value at one y is a mean over vacancy orders. One order is computed per y, that of the lowest
    substrate slab: the substrates are pooled over candidates, so that all of them take the same one.
    """
    plan = Plan()
    coating: Job | None = None
    for y, label in screen.labels.items():
        record = screen.record(candidate, "work_of_adhesion", f"y{label}")
        if record is None:
            plan.missing.append(f"{candidate}: no adhesion at y = {label} in the run")
            continue
        state, interface, substrate, slab = _chosen(record)
        area = record.said(AdhesionDetails).area
        if area is None:
            raise record.unfit("does not say the area of its cell")
        common: dict[str, Any] = {"candidate": candidate, "relax": "atoms", "slab": True}
        at = SlabJobDetails(y=float(y), order=state.order, area=area)
        for role, key in (("interface", interface), ("substrate", substrate)):
            result = screen.result(key)
            plan.jobs.append(
                Job(
                    name=f"{candidate}/{role}-y{label}",
                    role="interface" if role == "interface" else "substrate",
                    atoms=by_element(result.atoms),
                    details=replace(at, y_realised=state.y_realised) if role == "interface" else at,
                    mlip_energy=result.energy,
                    **common,
                )
            )
        if coating is None:
            result = screen.result(slab)
            coating = Job(
                name=f"{candidate}/coating",
                role="coating",
                atoms=by_element(result.atoms),
                details=SlabJobDetails(area=area),
                mlip_energy=result.energy,
                **common,
            )
    plan.jobs += [coating] if coating is not None else []
    return plan


def _chosen(record: Record) -> tuple[VacancyOrder, str, str, str]:
    """State of charge with the lowest substrate, and the keys of its interface, its substrate and of the coating."""
    states = record.said(AdhesionDetails).orders
    parts = record.parts(AdhesionParts[str])
    if not len(states) == len(parts.interfaces) == len(parts.substrates):
        raise record.unfit(
            f"has {len(states)} vacancy orders, {len(parts.interfaces)} interfaces and {len(parts.substrates)} "
            "substrates"
        )
    known = [
        (state.substrate_reference_eV, state.order, index)
        for index, state in enumerate(states)
        if state.substrate_reference_eV is not None
    ]
    if len(known) < max(len(states), 1):
        raise record.unfit("does not say the energies of its substrates")
    best = min(known)[-1]
    return states[best], parts.interfaces[best], parts.substrates[best], parts.coating
