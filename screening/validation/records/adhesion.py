"""Adhesion from DFT energies of interface and slabs (the paper's equation 3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from screening.engine.running.records import Record
from screening.errors import UserError
from screening.flags import flag
from screening.properties.adhesion.details import AdhesionDetails
from screening.properties.adhesion.parent import EV_PER_A2
from screening.training_data.calculation import Calculation
from screening.validation.job_details import SlabJobDetails
from screening.validation.jobs import said
from screening.validation.records.finished_jobs import SAME_Y, FinishedJobs, FoundValue, NotThere, dft_record

AREA_TOLERANCE = 1e-3
"""Largest relative difference between the areas of jobs that share one in-plane cell."""


def states_of_charge(jobs: FinishedJobs, candidate: str) -> list[float]:
    """Li per cathode formula unit of the interfaces that were written, descending."""
    return sorted({_y(job) for job in jobs.of(candidate, "interface")}, reverse=True)


def dft_adhesion_records(jobs: FinishedJobs, candidate: str, y: float) -> list[Record]:
    """``work_of_adhesion`` (J/m2) and ``adhesion_energy`` (eV per cell) at one state of charge.

    E(interface) - E(substrate) - E(coating), the mean over the vacancy orders that were written, as for a potential.

    Raises
    ------
    NotThere
        When a job is missing or unconverged, or the three do not belong together.
    """
    coating_job = jobs.only(candidate, "coating")
    coating = jobs.one(coating_job)
    used: dict[str, Calculation] = {coating_job["name"]: coating}
    values, mlip, orders = [], [], []
    for interface_job, substrate_job in _pairs(jobs, candidate, y):
        interface, substrate = jobs.one(interface_job), jobs.one(substrate_job)
        _check(interface_job, substrate_job, coating_job, interface, substrate, coating)
        used |= {interface_job["name"]: interface, substrate_job["name"]: substrate}
        values.append(interface.energy - substrate.energy - coating.energy)
        own = [job["mlip_energy"] for job in (interface_job, substrate_job, coating_job) if job.get("mlip_energy")]
        if len(own) == 3:
            mlip.append(float(own[0] - own[1] - own[2]))
        orders.append(said(interface_job, SlabJobDetails).order or 0)
    area = said(coating_job, SlabJobDetails).area
    energy = sum(values) / len(values)
    mlip_energy = sum(mlip) / len(mlip) if len(mlip) == len(values) else None
    return list(_records(jobs, candidate, y, energy, mlip_energy, area, orders, used))


def _records(
    jobs: FinishedJobs,
    candidate: str,
    y: float,
    energy: float,
    mlip_energy: float | None,
    area: float,
    orders: list[int],
    used: Mapping[str, Calculation],
) -> Iterator[Record]:
    for prop, unit, factor in (("work_of_adhesion", "J/m2", -EV_PER_A2 / area), ("adhesion_energy", "eV", 1.0)):
        like = jobs.potential(candidate, prop, y)
        n_orders = len(like.said(AdhesionDetails).orders) if like else 0
        yield dft_record(
            jobs,
            FoundValue(candidate=candidate, property=prop, value=energy * factor, unit=unit),
            used=used,
            like=like,
            mlip_value=None if mlip_energy is None else mlip_energy * factor,
            flags=(flag("vacancy_orders:{n}of{all}", n=len(orders), all=n_orders),) if n_orders > len(orders) else (),
            details={"y": y, "order": orders, "area": area, "definition": "E(interface) - E(substrate) - E(coating)"},
        )


def _pairs(jobs: FinishedJobs, candidate: str, y: float) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Interface and substrate jobs at `y`, order by order."""

    def at(role: str) -> dict[int, dict[str, Any]]:
        found = [j for j in jobs.of(candidate, role) if abs(_y(j) - y) < SAME_Y]
        return {said(j, SlabJobDetails).order or 0: j for j in found}

    interfaces, substrates = at("interface"), at("substrate")
    if lacking := sorted(interfaces.keys() - substrates.keys()):
        raise NotThere(f"no substrate slab was written for vacancy order {lacking[0]} at y = {y:.3g}")
    return [(job, substrates[order]) for order, job in sorted(interfaces.items())]


def _y(job: Mapping[str, Any]) -> float:
    y = said(job, SlabJobDetails).y
    if y is None:
        raise UserError(
            f"the {job['role']} job {job['name']} of the manifest does not say its state of charge; put a backup of "
            "the manifest in place, or write it again with `screen validate RUN`"
        )
    return y


def _check(
    interface_job: Mapping[str, Any],
    substrate_job: Mapping[str, Any],
    coating_job: Mapping[str, Any],
    interface: Calculation,
    substrate: Calculation,
    coating: Calculation,
) -> None:
    areas = [said(j, SlabJobDetails).area for j in (interface_job, substrate_job, coating_job)]
    if max(areas) - min(areas) > AREA_TOLERANCE * max(areas):
        raise NotThere(f"{interface_job['name']} and its slabs do not share one in-plane cell (areas {areas} A2)")
    whole, one, two = (Counter(c.atoms.get_chemical_symbols()) for c in (interface, substrate, coating))
    if whole != one + two:
        raise NotThere(f"the atoms of the two slabs do not add up to those of {interface_job['name']}")
