"""Which calculations validate a screen: the jobs of every chosen candidate, and those that all share."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from screening.errors import UserError
from screening.names import nearest
from screening.validation.jobs import Job, Role
from screening.validation.kpoints import DEFAULT_SPACING, Grid, grid_by_spacing
from screening.validation.plan.screened import Plan, ScreenedRun
from screening.validation.protocols import ValidationSettings

GROUPS: dict[str, tuple[Role, ...]] = {
    "bulk": ("bulk",),
    "interface": ("interface", "substrate", "coating"),
    "hops": ("end", "band"),
    "vacancy": ("vacancy",),
    "phases": ("phase",),
}
"""Words of ``--only`` and the roles they stand for."""


def plan_jobs(
    screen: ScreenedRun,
    settings: ValidationSettings,
    phases: Sequence[Job] = (),
    *,
    only: Collection[Role] | None = None,
    static: bool = False,
) -> Plan:
    """All jobs of a validation.

    Parameters
    ----------
    phases
        Jobs of the competing phases, from `validation.plan.phases.phase_jobs`.
    only
        Roles that are wanted; all by default.
    static
        Single points on the potential's own structures. Nothing starts from another job's result then.
    """
    from screening.validation.plan.bulk import bulk_jobs
    from screening.validation.plan.hops import hop_jobs
    from screening.validation.plan.interface import interface_jobs

    plan = Plan()
    for name in screen.candidates:
        plan.extend(bulk_jobs(screen, name))
        plan.extend(interface_jobs(screen, name))
        plan.extend(hop_jobs(screen, name))
    plan.jobs += phases
    jobs = [job for job in plan.jobs if only is None or job.role in only]
    planned = {job.name for job in jobs}
    finished = []
    for job in jobs:
        after = () if static else tuple(name for name in job.after if name in planned)
        if static:
            # the start of a phase is its measured crystal, not what the potential's energy belongs to
            energy = None if job.role == "phase" else job.mlip_energy
            job = replace(job, relax="none", mlip_energy=energy)
        job = replace(job, after=after)
        finished.append(replace(job, kpoints=grid_of(job, settings)))
    return Plan(jobs=finished, missing=plan.missing)


def grid_of(job: Job, settings: ValidationSettings) -> Grid:
    """k-points by the settings' own rule (a method ``grid``), otherwise by the density of the paper's bulk grid."""
    own = getattr(settings, "grid", None)
    if job.molecule:
        return (1, 1, 1)
    if own is None:
        return grid_by_spacing(job.atoms.cell.array, DEFAULT_SPACING, slab=job.slab)
    grid: Grid = own(job.atoms, slab=job.slab, static=job.relax == "none")
    return grid


def roles_of(text: str) -> set[Role]:
    """Roles that a comma-separated list of groups stands for.

    Raises
    ------
    UserError
        For a word that is no group.
    """
    words = [word.strip() for word in text.split(",") if word.strip()]
    for word in words:
        if word not in GROUPS:
            raise UserError(f"--only {word} is not a kind of job; {nearest(word, GROUPS)}.")
    if not words:
        raise UserError(f"--only names no kind of job; give some of {', '.join(GROUPS)}.")
    return {role for word in words for role in GROUPS[word]}
