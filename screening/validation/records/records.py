"""From the finished calculations of a validation to records, and to the reasons where there is none."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from screening.engine.running.records import Record
from screening.errors import UserError
from screening.training_data.calculation import Calculation
from screening.validation.jobs import Manifest
from screening.validation.records import stability as dft_stability
from screening.validation.records.adhesion import dft_adhesion_records, states_of_charge
from screening.validation.records.barrier import barrier_record, lowest_hop_record
from screening.validation.records.finished_jobs import FinishedJobs, NotThere

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Missing:
    """A value that could not be made: of which candidate, which property (at which `y`), and why."""

    candidate: str
    property: str
    reason: str
    y: float | None = None

    def __str__(self) -> str:
        at = "" if self.y is None else f" at y = {self.y:.3g}"
        return f"{self.candidate}: {self.property}{at}: {self.reason}"


class DftRecords(list[Record]):
    """The records; `missing` states a reason for every value that the jobs of the manifest do not give (yet)."""

    def __init__(self, records: Iterable[Record], missing: Iterable[Missing]) -> None:
        super().__init__(records)
        self.missing = tuple(missing)


def records_from(
    manifest: Manifest,
    finished: Mapping[str, Sequence[Calculation]],
    records: Sequence[Record],
    settings_name: str,
) -> DftRecords:
    """Records of every property whose jobs are all there and converged.

    Parameters
    ----------
    manifest
        What was written: roles and details of the jobs.
    finished
        Job name to its calculations, in order for a band.
    records
        The run's own: they say which hop is critical and which site is the ground site, which flags of the structures
        hold for DFT too, and what each value is set against.
    settings_name
        Name of the validation settings, part of the fidelity.

    Returns
    -------
    DftRecords
        A list of ``work_of_adhesion``, ``adhesion_energy`` (per y), ``migration_barrier``, ``lowest_hop_barrier``,
        ``e_above_hull``, ``oxidation_driving_force``, ``window_*``, ``delithiation_voltage`` and ``band_gap``.
        A failed or unconverged job makes no record but an entry in `missing`.
    """
    jobs = FinishedJobs(manifest=manifest, calculations=finished, records=records, settings=settings_name)
    found: list[Record] = []
    missing: list[Missing] = []

    def attempt(candidate: str, prop: str, make: Callable[[], list[Record]], y: float | None = None) -> None:
        try:
            found.extend(make())
        except (NotThere, UserError) as reason:
            missing.append(Missing(candidate=candidate, property=prop, reason=str(reason), y=y))

    for name in jobs.candidates:
        for y in states_of_charge(jobs, name):
            attempt(name, "work_of_adhesion", lambda name=name, y=y: dft_adhesion_records(jobs, name, y), y)  # type: ignore[misc]
        for prop, make in _SINGLE.items():
            attempt(name, prop, lambda name=name, make=make: make(jobs, name))  # type: ignore[misc]
    for entry in missing:
        logger.info("no DFT value: %s", entry)
    return DftRecords(found, missing)


def _one(make: Callable[[FinishedJobs, str], Record]) -> Callable[[FinishedJobs, str], list[Record]]:
    return lambda jobs, name: [make(jobs, name)]


_SINGLE: dict[str, Callable[[FinishedJobs, str], list[Record]]] = {
    "migration_barrier": _one(barrier_record),
    "lowest_hop_barrier": _one(lowest_hop_record),
    "e_above_hull": dft_stability.stability_records,
    "delithiation_voltage": _one(dft_stability.voltage_record),
    "band_gap": _one(dft_stability.band_gap_record),
}
