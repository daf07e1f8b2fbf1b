"""Jobs of the doped bulk cell: its relaxation, and the same without its most loosely bound Li."""

from __future__ import annotations

from screening.properties.stability.records import BulkParts, DelithiationParts
from screening.structures.elements import by_element
from screening.validation.job_details import BulkJobDetails
from screening.validation.jobs import Job
from screening.validation.plan.screened import Plan, ScreenedRun


def bulk_jobs(screen: ScreenedRun, candidate: str) -> Plan:
    """``<candidate>/bulk`` and ``<candidate>/delithiated``."""
    record = screen.record(candidate, "e_above_hull")
    if record is None:
        return Plan(missing=[f"{candidate}: no relaxed bulk cell in the run"])
    bulk = screen.result(record.parts(BulkParts[str]).bulk)
    plan = Plan()
    plan.jobs.append(
        Job(
            name=f"{candidate}/bulk",
            candidate=candidate,
            role="bulk",
            atoms=by_element(bulk.atoms),
            relax="cell",
            details=BulkJobDetails(n_fu=screen.n_fu),
            mlip_energy=bulk.energy,
        )
    )
    taken_out = screen.record(candidate, "delithiation_voltage")
    if taken_out is None:
        plan.missing.append(f"{candidate}: no delithiated cell in the run")
        return plan
    vacancy = screen.result(taken_out.parts(DelithiationParts[str]).delithiated, part_of=bulk.atoms)
    plan.jobs.append(
        Job(
            name=f"{candidate}/delithiated",
            candidate=candidate,
            role="vacancy",
            atoms=by_element(vacancy.atoms),
            relax="atoms",
            after=(f"{candidate}/bulk",),
            mlip_energy=vacancy.energy,
        )
    )
    return plan
