"""Which calculations validate a screen: the jobs of every chosen candidate, and those that all share."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from ase import Atoms

from screening.chemistry.index_lists import marked_as, taken, unsound, without_lists
from screening.engine.records import Record
from screening.engine.tasks import Result
from screening.errors import UserError
from screening.names import nearest
from screening.validation.jobs import Job, Role
from screening.validation.kpoints import DEFAULT_SPACING, Grid, grid_by_spacing
from screening.validation.settings import ValidationSettings

logger = logging.getLogger(__name__)

GROUPS: dict[str, tuple[Role, ...]] = {
    "bulk": ("bulk",),
    "interface": ("interface", "substrate", "coating"),
    "hops": ("end", "band"),
    "vacancy": ("vacancy",),
    "phases": ("phase",),
}
"""Words of ``--only`` and the roles they stand for."""

RecordKey = tuple[str, str, str]
"""Candidate, property, y label (``"y0.333"``; empty for a property without y)."""


class Store(Protocol):
    """What a plan reads from the record store."""

    def get(self, key: str) -> Result | None: ...


@dataclass(frozen=True, kw_only=True)
class Screen:
    """What a plan reads of a screen.

    Attributes
    ----------
    candidates
        Names of those to validate, the pristine host first.
    records
        The potential's newest records by candidate, property and y label.
    labels
        Each state of charge with its label without the y, ``{1.0: "1", 1/3: "0.333"}``.
    n_fu
        Formula units of the doped bulk cell.
    """

    candidates: Sequence[str]
    records: Mapping[RecordKey, Record]
    store: Store
    labels: Mapping[float, str]
    n_fu: int

    def record(self, candidate: str, prop: str, y: str = "") -> Record | None:
        """The record of a value that exists and whose structures are known."""
        found = self.records.get((candidate, prop, y))
        if found is None or found.value is None or found.failure is not None or not found.structure:
            return None
        return found

    def result(self, key: str, *, part_of: Atoms | None = None) -> Result:
        """A stored result; lists of atom indices that cannot be right are left out, which is logged.

        Parameters
        ----------
        part_of
            The cell from which one atom was taken out. Its lists are the ones that count: early versions did not
            renumber those of the smaller cell.

        Raises
        ------
        UserError
            When a record names a result that the store does not hold.
        """
        found = self.store.get(key)
        if found is None:
            raise UserError(
                f"the store of the run does not hold the result {key} that a record rests on; is it complete?"
            )
        atoms = found.atoms if part_of is None else marked_as(found.atoms, part_of)
        return replace(found, atoms=_trusted(atoms, key), images=[_trusted(a, key) for a in found.images])


@dataclass(kw_only=True)
class Plan:
    """Jobs, and what could not be planned with the reason."""

    jobs: list[Job] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def extend(self, other: Plan) -> None:
        self.jobs += other.jobs
        self.missing += other.missing


def plan_jobs(
    screen: Screen,
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
        Jobs of the competing phases, from `plan_phases.phase_jobs`.
    only
        Roles that are wanted; all by default.
    static
        Single points on the potential's own structures. Nothing starts from another job's result then.
    """
    from screening.validation.plan_bulk import bulk_jobs
    from screening.validation.plan_hops import hop_jobs
    from screening.validation.plan_interface import interface_jobs

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
    if job.details.get("molecule"):
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


def _trusted(atoms: Atoms, key: str) -> Atoms:
    """The atoms without their lists of indices where one of those is wrong: they were renumbered together or not."""
    reasons = unsound(atoms)
    if not reasons:
        return atoms
    logger.warning("result %s: %s; which atoms are dopants is left out of its job", key, ", ".join(reasons))
    return without_lists(atoms)


def by_element(atoms: Atoms, order: Sequence[int] | None = None) -> Atoms:
    """The same atoms with equal elements together, as POSCAR and POTCAR want them; nothing else moves.

    Arrays, fixed atoms and lists of atom indices in ``info`` follow.

    Parameters
    ----------
    order
        Permutation to apply instead of that of these atoms, so that the images of a band stay alike.
    """
    return taken(atoms, element_order(atoms) if order is None else order)


def element_order(atoms: Atoms) -> list[int]:
    """Stable permutation that puts equal elements together, elements in the order of their first atom."""
    symbols = atoms.get_chemical_symbols()
    first = {symbol: n for n, symbol in enumerate(dict.fromkeys(symbols))}
    return sorted(range(len(symbols)), key=lambda i: first[symbols[i]])


def plain_details(**fields: Any) -> dict[str, Any]:
    """Details without NumPy types, for JSON and YAML."""
    return {key: value.item() if isinstance(value, np.generic) else value for key, value in fields.items()}
