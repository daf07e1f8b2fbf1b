"""Which calculations validate a screen: the jobs of every chosen candidate, and those that all share."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from ase import Atoms
from ase.constraints import FixAtoms

from screening.engine.records import Record
from screening.engine.tasks import Result
from screening.errors import UserError
from screening.names import nearest
from screening.validation.jobs import Job, Role
from screening.validation.kpoints import DEFAULT_SPACING, Grid, grid_by_spacing
from screening.validation.settings import ValidationSettings

GROUPS: dict[str, tuple[Role, ...]] = {
    "bulk": ("bulk",),
    "interface": ("interface", "substrate", "coating"),
    "hops": ("end", "band"),
    "vacancy": ("vacancy",),
    "phases": ("phase",),
}
"""Words of ``--only`` and the roles they stand for."""

_INDEX_INFO = ("dopant_indices", "antisite_indices", "interstitial_indices")

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

    def result(self, key: str) -> Result:
        """A stored result.

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
        return found


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


def by_element(atoms: Atoms, order: Sequence[int] | None = None) -> Atoms:
    """The same atoms with equal elements together, as POSCAR and POTCAR want them; nothing else moves.

    Arrays, fixed atoms and lists of atom indices in ``info`` follow.

    Parameters
    ----------
    order
        Permutation to apply instead of that of these atoms, so that the images of a band stay alike.
    """
    permutation = np.asarray(element_order(atoms) if order is None else order)
    moved = Atoms(atoms.numbers[permutation], atoms.positions[permutation], cell=atoms.cell, pbc=atoms.pbc)
    for name, array in atoms.arrays.items():
        if name not in ("numbers", "positions"):
            moved.set_array(name, array[permutation])
    new_place = np.empty(len(atoms), dtype=int)
    new_place[permutation] = np.arange(len(atoms))
    moved.info = dict(atoms.info)
    for key in _INDEX_INFO:
        if moved.info.get(key) is not None:
            moved.info[key] = [int(new_place[i]) for i in moved.info[key]]
    fixed = [int(new_place[i]) for c in atoms.constraints if isinstance(c, FixAtoms) for i in c.index]
    if fixed:
        moved.set_constraint(FixAtoms(indices=sorted(fixed)))
    return moved


def element_order(atoms: Atoms) -> list[int]:
    """Stable permutation that puts equal elements together, elements in the order of their first atom."""
    symbols = atoms.get_chemical_symbols()
    first = {symbol: n for n, symbol in enumerate(dict.fromkeys(symbols))}
    return sorted(range(len(symbols)), key=lambda i: first[symbols[i]])


def plain_details(**fields: Any) -> dict[str, Any]:
    """Details without NumPy types, for JSON and YAML."""
    return {key: value.item() if isinstance(value, np.generic) else value for key, value in fields.items()}
