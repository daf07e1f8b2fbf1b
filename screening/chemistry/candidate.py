"""A candidate: a host, its dopants with site and content, and the defects that keep it neutral."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from screening.chemistry.hosts import host_facts

Compensation = Literal["none", "li_vacancy", "li_interstitial", "o_vacancy", "self"]

COMPENSATION_LABEL: dict[str, str] = {
    "none": "iso",
    "li_vacancy": "vLi",
    "li_interstitial": "iLi",
    "o_vacancy": "vO",
    "self": "self",
}


UNNAMED_HOST = "LiNbO3"
"""The host that names of candidates leave out. Stores and folders hold these names."""

_ROMAN = ("0", "I", "II", "III", "IV", "V", "VI", "VII", "VIII")


@dataclass(frozen=True, kw_only=True)
class Substitution:
    """`count` atoms of `element` with formal charge `charge` (e) on the lattice sites of `site`, which is
    the element that the host has there.

    `default_charge` is False where the user chose another charge than the element's default; it is then part of the
    name, as in ``FeII_Li``, so that Fe2+ and Fe3+ never share one.
    """

    element: str
    charge: int
    site: str
    count: int
    default_charge: bool = True

    @property
    def symbol(self) -> str:
        """``Fe``, or ``FeII`` where the charge is not the default one."""
        return self.element if self.default_charge else f"{self.element}{_ROMAN[self.charge]}"


@dataclass(frozen=True, kw_only=True)
class Defects:
    """Everything that distinguishes one cell from the stoichiometric host; counts are per that cell."""

    substitutions: tuple[Substitution, ...] = ()
    li_vacancies: int = 0
    li_interstitials: int = 0
    o_vacancies: int = 0

    @property
    def is_empty(self) -> bool:
        return not (self.substitutions or self.li_vacancies or self.li_interstitials or self.o_vacancies)


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One entry of the screen.

    Attributes
    ----------
    host
        Name of the host crystal, for example ``"LiNbO3"``.
    n_fu
        Formula units of the cell in which `defects` counts; x = dopants / n_fu.
    defects
        Charge-neutral set of defects in that cell; empty for the pristine host.
    compensation
        How the charge of the dopants is balanced.
    x_requested
        Content the user asked for, M per formula unit.
    congruent
        The host carries Nb_Li + 4 V_Li (congruent lithium niobate); they are part of `defects`.
    """

    host: str
    n_fu: int
    defects: Defects = field(default_factory=Defects)
    compensation: Compensation = "none"
    x_requested: float = 0.0
    congruent: bool = False

    @property
    def dopants(self) -> tuple[Substitution, ...]:
        """Substitutions without the antisites of a congruent host."""
        antisite = host_facts(self.host).framework_cation if self.congruent else None
        return tuple(s for s in self.defects.substitutions if not (s.element == antisite and s.site == "Li"))

    @property
    def elements(self) -> set[str]:
        """Elements of the compound."""
        return host_facts(self.host).elements | {s.element for s in self.defects.substitutions}

    @property
    def is_pristine(self) -> bool:
        return not self.dopants

    @property
    def x(self) -> float:
        """Realised content, dopants per formula unit."""
        return sum(s.count for s in self.dopants) / self.n_fu

    @property
    def name(self) -> str:
        """Unique and safe as a folder name, for example ``Mg_Li-vLi-1of12``."""
        host = f"{self.host}-congruent" if self.congruent else self.host
        prefix = "" if self.host == UNNAMED_HOST and not self.congruent else f"{host}-"
        if self.is_pristine:
            return host
        parts = "+".join(f"{s.symbol}{'' if len(self.dopants) == 1 else s.count}_{s.site}" for s in self.dopants)
        total = sum(s.count for s in self.dopants)
        return f"{prefix}{parts}-{COMPENSATION_LABEL[self.compensation]}-{total}of{self.n_fu}"

    def with_defects(self, defects: Defects, n_fu: int) -> Candidate:
        """The same candidate realised in a cell of another size."""
        return replace(self, defects=defects, n_fu=n_fu)
