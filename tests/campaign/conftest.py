"""Records as the properties would make them, with chosen values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from screening.chemistry.candidate import Candidate, Defects, Substitution
from screening.engine.running.records import Record

SOC = (1.0, 1 / 3)
UNITS = {
    "work_of_adhesion": "J/m2",
    "work_of_adhesion_eq": "J/m2",
    "oxidation_driving_force": "eV/atom",
    "e_above_hull": "eV/atom",
    "migration_barrier": "eV",
}


def record(candidate: str, prop: str, value: float | None, y: float | None = None, **fields: Any) -> Record:
    fields = {"converged": True, "unit": UNITS.get(prop, "V"), **fields}
    details = {**fields.pop("details", {}), **({} if y is None else {"y": y})}
    return Record(
        candidate=candidate,
        property=prop,
        value=value,
        fidelity=fields.pop("fidelity", "mlip:chgnet"),
        potential="chgnet",
        checkpoint_sha256="0" * 64,
        details=details,
        recipe_hash=f"{prop}-{y}",
        **fields,
    )


def full_set(
    candidate: Candidate, adhesion: Sequence[float], barrier: float, oxidation: float, hull: float
) -> list[Record]:
    """One converged record of every objective; `adhesion` gives one value per entry of `SOC`."""
    name = candidate.name
    return [
        *[record(name, "work_of_adhesion", w, y) for w, y in zip(adhesion, SOC, strict=True)],
        record(name, "migration_barrier", barrier),
        record(name, "oxidation_driving_force", oxidation),
        record(name, "e_above_hull", hull),
    ]


def doped(element: str, count: int = 1, site: str = "Li") -> Candidate:
    defects = Defects(
        substitutions=(Substitution(element=element, charge=2, site=site, count=count),), li_vacancies=count
    )
    return Candidate(host="LiNbO3", n_fu=12, defects=defects, compensation="li_vacancy", x_requested=count / 12)


@pytest.fixture
def make_record() -> Callable[..., Record]:
    return record


@pytest.fixture
def make_full_set() -> Callable[..., list[Record]]:
    return full_set


@pytest.fixture
def make_doped() -> Callable[..., Candidate]:
    return doped


@pytest.fixture
def pristine() -> Candidate:
    return Candidate(host="LiNbO3", n_fu=12)


@pytest.fixture
def soc() -> list[float]:
    return list(SOC)
