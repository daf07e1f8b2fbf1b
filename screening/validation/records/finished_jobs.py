"""The finished calculations of a validation by candidate and role, and how a record is made from some of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from screening.engine.running.records import MlipValue, Record
from screening.flags import flag
from screening.training_data.calculation import Calculation, Method
from screening.typed.details import Details
from screening.validation.jobs import Manifest

OF_ENERGIES = frozenset({flag("below_hull"), flag("no_limit_found"), flag("delithiated_below_hull")})
"""Flags of a potential's record that speak of its energies; all others speak of the structure and stay true for DFT."""

T = TypeVar("T")

SAME_Y = 1e-3
"""States of charge closer than this are the same; files round thirds."""

SINGLE_POINT = flag("single_point")
"""Flag: DFT energies of the potential's structures."""


class NotThere(Exception):
    """A value that cannot be made from what is there; the text is a reason a user can act on."""


@dataclass(frozen=True, kw_only=True)
class FinishedJobs:
    """Calculations of a validation.

    Attributes
    ----------
    calculations
        Job name to its calculations: one, or one per image of a band.
    records
        The run's own records; those of the manifest's potential are the ones that DFT values are set against.
    """

    manifest: Manifest
    calculations: Mapping[str, Sequence[Calculation]]
    records: Sequence[Record]
    settings: str

    @property
    def candidates(self) -> list[str]:
        return list(dict.fromkeys(job["candidate"] for job in self.manifest.jobs if job.get("candidate")))

    def of(self, candidate: str | None, role: str) -> list[dict[str, Any]]:
        """Jobs of a candidate (None: those that all share) in one role, in the manifest's order."""
        return [j for j in self.manifest.jobs if j.get("candidate") == candidate and j["role"] == role]

    def only(self, candidate: str | None, role: str) -> dict[str, Any]:
        """The one job of a candidate in a role."""
        jobs = self.of(candidate, role)
        if len(jobs) != 1:
            raise NotThere(f"the manifest lists {'no' if not jobs else 'more than one'} {role} job of {candidate}")
        return jobs[0]

    def all_of(self, job: Mapping[str, Any]) -> list[Calculation]:
        """Every calculation of a job, all converged.

        Raises
        ------
        NotThere
            When the job is not finished or did not converge.
        """
        found = list(self.calculations.get(job["name"], ()))
        if not found:
            raise NotThere(f"{job['name']} is not finished")
        bad = [i for i, c in enumerate(found) if not c.converged]
        if bad:
            image = f" (image {', '.join(map(str, bad))})" if len(found) > 1 else ""
            raise NotThere(f"{job['name']} is not converged{image}")
        return found

    def one(self, job: Mapping[str, Any]) -> Calculation:
        """The calculation of a job that has one, see `all_of`."""
        found = self.all_of(job)
        if len(found) > 1:
            raise NotThere(f"{job['name']} holds {len(found)} calculations instead of one")
        return found[0]

    def potential(self, candidate: str, prop: str, y: float | None = None) -> Record | None:
        """The newest usable record of the run's potential."""
        found = [
            r
            for r in self.records
            if (r.candidate, r.property, r.fidelity) == (candidate, prop, self.manifest.mlip_fidelity)
            and r.failure is None
            and (y is None or (r.y is not None and abs(r.y - y) < SAME_Y))
        ]
        return max(found, key=lambda r: r.created) if found else None


def common_method(calculations: Mapping[str, Calculation]) -> tuple[Method, str | None]:
    """Method that calculations share, and what simulated them; U values and data sets are those of all elements.

    Raises
    ------
    NotThere
        When their energies are not on one scale.
    """
    (first_name, first), *others = calculations.items()
    method, simulated_by = first.method, first.simulated_by
    for name, other in others:
        for field in ("engine", "functional", "basis", "cutoff"):
            one, two = getattr(method, field), getattr(other.method, field)
            if one != two:
                raise NotThere(f"{first_name} and {name} differ in {field} ({one} and {two})")
        if simulated_by != other.simulated_by:
            raise NotThere(f"{first_name} and {name} were not made by the same program")
        method = replace(
            method,
            hubbard=_joined("U value", first_name, method.hubbard, name, other.method.hubbard),
            potentials=_joined("pseudopotential", first_name, method.potentials, name, other.method.potentials),
            spin=method.spin or other.method.spin,
        )
    return method, simulated_by


def _joined(what: str, first: str, mine: Mapping[str, T], second: str, its: Mapping[str, T]) -> dict[str, T]:
    """Both mappings of elements together; they must agree where they overlap."""
    if clash := sorted(symbol for symbol in mine.keys() & its.keys() if mine[symbol] != its[symbol]):
        raise NotThere(f"{second} has another {what} of {', '.join(clash)} than {first}")
    return {**mine, **its}


@dataclass(frozen=True, kw_only=True)
class FoundValue:
    """A property of a candidate and the value that was found, in `unit`; None where the quantity does not exist."""

    candidate: str
    property: str
    value: float | None
    unit: str


def dft_record(
    jobs: FinishedJobs,
    quantity: FoundValue,
    *,
    used: Mapping[str, Calculation],
    like: Record | None = None,
    mlip_value: float | None = None,
    flags: Sequence[str] = (),
    details: Details | Mapping[str, Any] | None = None,
) -> Record:
    """Record of what calculations say.

    Parameters
    ----------
    used
        Every calculation the value depends on, by job (and image).
    like
        The potential's record of the same quantity. Its flags that speak of the structure hold here too; its interval
        (the spread over placements, orders or hops that DFT was not asked about) is kept, shifted to the DFT value; and
        single points on structures of an unconverged record are not converged either.
    mlip_value
        The potential's value from exactly the same structures, in the unit of the quantity.
    """
    method, simulated_by = common_method(used)
    fidelity = method.fidelity(jobs.settings, simulated_by)
    single = any(c.ionic_converged is None for c in used.values())
    kept = [f for f in (like.flags if like else ()) if f not in OF_ENERGIES]
    facts = details.to_details() if isinstance(details, Details) else dict(details or {})
    if mlip_value is not None:
        facts["mlip"] = MlipValue(fidelity=jobs.manifest.mlip_fidelity, value=mlip_value).to_details()
    energies = {name: c.energy for name, c in sorted(used.items())}
    rounded = {name: round(energy, 6) for name, energy in energies.items()}
    source = json.dumps([quantity.candidate, quantity.property, fidelity, facts.get("y"), rounded])
    return Record(
        candidate=quantity.candidate,
        property=quantity.property,
        value=quantity.value,
        unit=quantity.unit,
        fidelity=fidelity,
        potential=simulated_by or method.label,
        checkpoint_sha256="",
        converged=not (single and like is not None and not like.converged),
        interval=_shifted(like, quantity.value),
        n_steps=sum(len(c.frames) for c in used.values()),
        wall_s=sum(c.details.wall_s for c in used.values()),
        flags=tuple(dict.fromkeys([*kept, *flags, *([SINGLE_POINT] if single else [])])),
        recipe_hash=hashlib.sha256(source.encode()).hexdigest()[:24],
        details={
            **facts,
            "settings": jobs.settings,
            "energies_eV": energies,
            "charges": sorted({c.charge for c in used.values()}),
            "hubbard": dict(sorted(method.hubbard.items())),
            "sources": {name: c.source for name, c in sorted(used.items())},
        },
    )


def _shifted(like: Record | None, value: float | None) -> tuple[float, float] | None:
    if like is None or value is None or like.value is None or like.interval is None:
        return None
    low, high = like.interval
    return (low - like.value + value, high - like.value + value)
