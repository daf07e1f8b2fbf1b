"""What a plan reads of a run, and what it becomes."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from ase import Atoms

from screening.chemistry.index_lists import marked_as, unsound, without_lists
from screening.engine.running.records import Record, RecordKey
from screening.engine.tasks import Result
from screening.errors import UserError
from screening.validation.jobs import Job

logger = logging.getLogger(__name__)


class Store(Protocol):
    """What a plan reads from the record store."""

    def get(self, key: str) -> Result | None: ...


@dataclass(frozen=True, kw_only=True)
class ScreenedRun:
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


def _trusted(atoms: Atoms, key: str) -> Atoms:
    """The atoms without their lists of indices where one of those is wrong: they were renumbered together or not."""
    reasons = unsound(atoms)
    if not reasons:
        return atoms
    logger.warning("result %s: %s; which atoms are dopants is left out of its job", key, ", ".join(reasons))
    return without_lists(atoms)
