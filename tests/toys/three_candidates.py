"""The pristine host and two doped candidates with a value of every ranked property: Mg adheres better, Zr conducts."""

from collections.abc import Iterator

from screening.chemistry.candidate import Candidate, Defects, Substitution
from screening.engine.running.records import Record
from screening.engine.running.store import RecordStore

MG, ZR = "Mg_Li-vLi-1of12", "Zr_Li-vLi-1of12"
PROPERTIES = {
    "work_of_adhesion": "J/m2",
    "migration_barrier": "eV",
    "oxidation_driving_force": "eV/atom",
    "e_above_hull": "eV/atom",
}
VALUES = {"LiNbO3": (1.0, 0.9, 0.05, 0.01), MG: (1.4, 0.85, 0.05, 0.03), ZR: (1.1, 0.5, 0.05, 0.02)}
"""By candidate, in the order of `PROPERTIES`."""


def candidates() -> Iterator[Candidate]:
    yield Candidate(host="LiNbO3", n_fu=12)
    for element, charge in (("Mg", 2), ("Zr", 4)):
        sub = Substitution(element=element, charge=charge, site="Li", count=1)
        defects = Defects(substitutions=(sub,), li_vacancies=charge - 1)
        yield Candidate(host="LiNbO3", n_fu=12, defects=defects, compensation="li_vacancy", x_requested=1 / 12)


def made(name: str, prop: str, value: float, fidelity: str = "mlip:chgnet") -> Record:
    return Record(
        candidate=name, property=prop, value=value, unit=PROPERTIES[prop], fidelity=fidelity, converged=True,
        potential="chgnet", checkpoint_sha256="", recipe_hash=prop,
        details={"y": 1.0} if prop == "work_of_adhesion" else {},
    )  # fmt: skip


def fill(store: RecordStore) -> None:
    """Put a record of every value into the store."""
    for name, values in VALUES.items():
        for prop, value in zip(PROPERTIES, values, strict=True):
            store.put_record(made(name, prop, value))
