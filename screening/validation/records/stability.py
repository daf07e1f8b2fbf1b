"""Hull distance, driving force, windows, voltage and band gap from DFT energies of the bulk and the phases.

Every energy of a hull comes from the same settings; where a phase of the candidate's elements is missing there is no
record, because a hull with fewer phases, or with a potential's energies among them, would be no DFT hull.

Energies are raw. PBE overbinds O2 (Wang, Maxisch, Ceder, Phys. Rev. B 73, 195107 (2006),
doi:10.1103/PhysRevB.73.195107: 1.36 eV per O2 together with the error of the oxide ion), so that oxides give it off
too easily: a value with O2 among its products is flagged ``o2_uncorrected`` (an oxidation limit too low, a driving
force too large). Without O2 among the products a higher O2 energy would not change the value.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from screening.config import StabilitySettings
from screening.engine.running.records import Record
from screening.errors import CandidateFailed, UserError
from screening.flags import flag
from screening.properties.stability.phases import PhaseEnergy, same_composition
from screening.properties.stability.records import (
    DrivingForceDetails,
    HullDetails,
    Subject,
    WindowDetails,
    check_phases,
    delithiation_voltage,
    driving_force_record,
    hull_record,
    window_records,
)
from screening.training_data.calculation import Calculation
from screening.validation.job_details import BulkJobDetails, PhaseJobDetails
from screening.validation.jobs import said
from screening.validation.records.finished_jobs import FinishedJobs, FoundValue, NotThere, common_method, dft_record

O2_UNCORRECTED = flag("o2_uncorrected")
MIXED_U = flag("u_and_no_u")
"""Flag: an element with U competes as a metal, for which a constant U is wrong, and its energies are not corrected."""


@dataclass(frozen=True, kw_only=True)
class _Hull:
    phases: list[PhaseEnergy]
    used: dict[str, Calculation]


def is_pristine(candidate: str) -> bool:
    """Whether a candidate's name (`Candidate.name`) is that of the stoichiometric host itself."""
    return re.search(r"-\d+of\d+$", candidate) is None and not candidate.endswith("-congruent")


def stability_records(jobs: FinishedJobs, candidate: str) -> list[Record]:
    """Distance to the hull, driving force and both windows, own and pinned, of a candidate's own relaxed cell.

    Raises
    ------
    NotThere
        When the bulk, or any phase of its elements, is missing or unconverged, or an element has no reference.
    """
    bulk_job = jobs.only(candidate, "bulk")
    bulk = jobs.one(bulk_job)
    composition = dict(Counter(bulk.atoms.get_chemical_symbols()))
    hull = _competing(jobs, candidate, set(composition))
    used = {bulk_job["name"]: bulk, **hull.used}
    method, _ = common_method(used)
    metals = {next(iter(p.composition)) for p in hull.phases if len(p.composition) == 1}
    subject = Subject(
        name=candidate,
        n_fu=said(bulk_job, BulkJobDetails).n_fu,
        composition=composition,
        energy_per_atom=bulk.energy / len(bulk.atoms),
        pristine=is_pristine(candidate),
        phases=hull.phases,
        make=_Maker(
            jobs=jobs,
            candidate=candidate,
            used=used,
            common_flags=(MIXED_U,) if metals & method.hubbard.keys() else (),
        ),
    )
    like = jobs.potential(candidate, "oxidation_driving_force")
    voltage = like.said(DrivingForceDetails).voltage if like else None
    if voltage is None:
        voltage = StabilitySettings().voltage
    try:
        check_phases(set(composition), hull.phases)
        return [hull_record(subject), driving_force_record(subject, voltage), *window_records(subject)]
    except (CandidateFailed, UserError) as error:
        raise NotThere(str(error)) from error


def band_gap_record(jobs: FinishedJobs, candidate: str) -> Record:
    """``band_gap`` of the bulk, eV, of the functional in use (PBE's are too small by a third or more).

    Raises
    ------
    NotThere
        When the bulk is missing or its files do not state a gap.
    """
    job = jobs.only(candidate, "bulk")
    bulk = jobs.one(job)
    if bulk.band_gap is None:
        raise NotThere(f"the files of {job['name']} state no band gap")
    gap = FoundValue(candidate=candidate, property="band_gap", value=bulk.band_gap, unit="eV")
    return dft_record(jobs, gap, used={job["name"]: bulk})


def voltage_record(jobs: FinishedJobs, candidate: str) -> Record:
    """``delithiation_voltage``: taking the first Li out of the bulk, against Li metal in the same settings.

    Raises
    ------
    NotThere
        When a job is missing, or Li metal is.
    """
    bulk_job, vacancy_job = jobs.only(candidate, "bulk"), jobs.only(candidate, "vacancy")
    bulk, vacancy = jobs.one(bulk_job), jobs.one(vacancy_job)
    whole, rest = (Counter(c.atoms.get_chemical_symbols()) for c in (bulk, vacancy))
    taken = whole - rest
    if set(taken) != {"Li"} or rest - whole or vacancy.charge:
        raise NotThere(f"{vacancy_job['name']} is not the neutral bulk cell without some of its Li")
    metal = {job["name"]: jobs.one(job) for job in jobs.of(None, "phase") if set(_elements(job)) == {"Li"}}
    if not metal:
        raise NotThere("Li metal was not computed in these settings")
    phases = [_phase(name, calculation) for name, calculation in metal.items()]
    like = jobs.potential(candidate, "delithiation_voltage")
    value = delithiation_voltage(bulk.energy, vacancy.energy, phases, taken["Li"])
    used = {bulk_job["name"]: bulk, vacancy_job["name"]: vacancy, **metal}
    voltage = FoundValue(candidate=candidate, property="delithiation_voltage", value=value, unit="V")
    return dft_record(jobs, voltage, used=used, like=like, details={"n_li": taken["Li"]})


def _competing(jobs: FinishedJobs, candidate: str, elements: set[str]) -> _Hull:
    """Every written phase of these elements, and the pristine host's own cell."""
    wanted = [job for job in jobs.of(None, "phase") if set(_elements(job)) <= elements | {"Li"}]
    if not wanted:
        raise NotThere("no competing phase was written")
    used = {}
    lacking = []
    for job in wanted:
        try:
            used[job["name"]] = jobs.one(job)
        except NotThere as reason:
            lacking.append(str(reason))
    if lacking:
        more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        raise NotThere(f"a DFT hull needs every phase: {lacking[0]}{more}")
    phases = [_phase(_phase_name(job), used[job["name"]]) for job in wanted]
    for host in filter(is_pristine, jobs.candidates):
        # the host is a phase like any other, whether or not it was written as one
        job = jobs.only(host, "bulk")
        if not set(_elements(job)) <= elements:
            continue
        try:
            calculation = jobs.one(job)
        except NotThere as reason:
            if not any(same_composition(p.composition, _elements(job)) for p in phases):
                raise NotThere(f"a DFT hull needs every phase: {reason}") from reason
        else:
            used[job["name"]] = calculation
            phases.append(_phase(host, calculation))
    return _Hull(phases=phases, used=used)


def _phase(name: str, calculation: Calculation) -> PhaseEnergy:
    from pymatgen.core import Composition

    symbols = calculation.atoms.get_chemical_symbols()
    reduced = Composition(dict(Counter(symbols))).reduced_composition
    composition = {str(e): round(n) for e, n in reduced.items()}
    if len(composition) == 1:
        composition = {next(iter(composition)): 1}
    return PhaseEnergy(
        name=name,
        formula=reduced.reduced_formula,
        composition=composition,
        energy_per_atom=calculation.energy / len(symbols),
        origin=calculation.source,
    )


def _phase_name(job: Mapping[str, Any]) -> str:
    return said(job, PhaseJobDetails).phase or str(job["name"])


def _elements(job: Mapping[str, Any]) -> dict[str, float]:
    from pymatgen.core import Composition

    return dict(Composition(said(job, PhaseJobDetails).formula or str(job["formula"])).get_el_amt_dict())


@dataclass(frozen=True, kw_only=True)
class _Maker:
    """Makes records of a candidate from the calculations in `used`, see `Subject.make`."""

    jobs: FinishedJobs
    candidate: str
    used: Mapping[str, Calculation]
    common_flags: tuple[str, ...]

    def __call__(
        self,
        prop: str,
        value: float | None,
        unit: str,
        *,
        flags: tuple[str, ...] = (),
        details: HullDetails | DrivingForceDetails | WindowDetails,
    ) -> Record:
        oxygen = {_phase_name(j) for j in self.jobs.of(None, "phase") if set(_elements(j)) == {"O"}}
        # an empty window has no products to look at, and O2 may be what empties it
        uncorrected = bool(oxygen & set(details.products)) or value is None
        return dft_record(
            self.jobs,
            FoundValue(candidate=self.candidate, property=prop, value=value, unit=unit),
            used=self.used,
            like=self.jobs.potential(self.candidate, prop),
            flags=(*flags, *self.common_flags, *([O2_UNCORRECTED] if uncorrected else [])),
            details=details,
        )
