"""Host crystals of the coating: what chemistry needs of them, read from the crystals of role ``host``.

A host is one file in datasets/crystals. Beside what every crystal states, it names its `framework_cation`, its
`empty_octahedra` per formula unit (none unless stated), and whether it can be `congruent` (not unless stated).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache

from screening.chemistry.crystal_facts import available_crystals, crystal_facts
from screening.errors import UserError
from screening.names import nearest


@dataclass(frozen=True, kw_only=True)
class HostFacts:
    """What the chemistry of a host needs, per formula unit.

    Attributes
    ----------
    formula
        As its file writes it, for example ``"LiNbO3"``.
    amounts
        Atoms of each element in that formula, in its order.
    cations
        Formal charge (e) of each cation site, named by the element on it; Li first.
    framework_cation
        The site that, with oxygen, makes up the framework: Nb or Ta.
    n_voids
        Empty octahedra, which take Li interstitials.
    can_be_congruent
        The host grows Li-poor with antisites of the framework cation: Nb_Li + 4 V_Li.
    """

    name: str
    formula: str
    amounts: dict[str, int] = field(hash=False)
    cations: dict[str, int] = field(hash=False)
    framework_cation: str
    n_voids: int
    can_be_congruent: bool

    @property
    def elements(self) -> set[str]:
        return set(self.amounts)

    @property
    def n_cations(self) -> dict[str, int]:
        """Atoms of each cation site per formula unit; content x counts formula units of this size."""
        return {site: self.amounts[site] for site in self.cations}

    @property
    def n_oxygen(self) -> int:
        return self.amounts["O"]


def host_names() -> list[str]:
    """All hosts, those with the smallest formula first."""
    return sorted(
        available_crystals("host"), key=lambda name: (sum(_amounts(crystal_facts(name)["formula"]).values()), name)
    )


@cache
def host_facts(name: str) -> HostFacts:
    """Facts of a host.

    Raises
    ------
    UserError
        For an unknown host, naming the nearest one, and for a file that lacks what a host needs.
    """
    names = host_names()
    if name not in names:
        raise UserError(f"there is no host {name!r}; {nearest(name, names)}.")
    facts = crystal_facts(name)
    amounts = _amounts(facts["formula"])
    charges = {site["element"]: int(site["charge"]) for site in facts["sites"] if site["charge"] > 0}
    cations = {symbol: charges[symbol] for symbol in sorted(charges, key=lambda symbol: symbol != "Li")}
    framework = str(facts.get("framework_cation"))
    if framework not in cations or framework == "Li" or "Li" not in cations or "O" not in amounts:
        raise UserError(
            f"datasets/crystals/{name}.yaml is no lithium oxide with a framework cation; set `framework_cation` to the "
            "element of one of its sites of positive charge beside Li."
        )
    if set(amounts) != {site["element"] for site in facts["sites"]}:
        raise UserError(f"datasets/crystals/{name}.yaml: the formula and the sites hold other elements; correct one.")
    return HostFacts(
        name=name,
        formula=facts["formula"],
        amounts=amounts,
        cations=cations,
        framework_cation=framework,
        n_voids=int(facts.get("empty_octahedra", 0)),
        can_be_congruent=bool(facts.get("congruent", False)),
    )


def _amounts(formula: str) -> dict[str, int]:
    """Atoms of each element in a plain formula of whole numbers."""
    return {symbol: int(number or 1) for symbol, number in re.findall(r"([A-Z][a-z]?)(\d*)", formula)}
