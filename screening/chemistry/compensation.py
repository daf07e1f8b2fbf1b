"""Charge compensation: which defects keep a dopant neutral, in which cell they fit, and how they scale.

A design is a *neutral unit*: the smallest group of dopants with the whole number of compensating defects it needs.
Every candidate is a whole number of units (plus the antisites of a congruent host), so it is neutral by construction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import gcd

from screening.chemistry.candidate import Candidate, Compensation, Defects, Substitution
from screening.chemistry.dopants import Dopant
from screening.chemistry.hosts import HostFacts, host_facts
from screening.errors import CandidateFailed

CONGRUENT_ANTISITES = 0.01
"""Nb_Li per formula unit of congruent LiNbO3, [Li0.95 Nb0.01 V0.04]NbO3 (Iyi et al., J. Solid State Chem. 101 (1992)
340). A cell holds whole antisites, and at least one, so cells below 100 formula units are richer in them."""

VACANCIES_PER_ANTISITE = 4


def effective_charge(defects: Defects, host: HostFacts) -> int:
    """Charge (e) of a set of defects relative to the perfect host; 0 for every candidate."""
    dopants = sum(s.count * (s.charge - host.cations[s.site]) for s in defects.substitutions)
    return dopants - defects.li_vacancies + defects.li_interstitials + 2 * defects.o_vacancies


def scale(defects: Defects, k: int) -> Defects:
    """All counts times `k`."""
    return Defects(
        substitutions=tuple(replace(s, count=s.count * k) for s in defects.substitutions),
        li_vacancies=defects.li_vacancies * k,
        li_interstitials=defects.li_interstitials * k,
        o_vacancies=defects.o_vacancies * k,
    )


def unit_size(unit: Defects) -> int:
    """Dopants in a set of defects."""
    return sum(s.count for s in unit.substitutions)


def neutral_units(
    placement: Sequence[tuple[Dopant, str, int]], host: HostFacts, schemes: Iterable[str]
) -> list[tuple[Compensation, Defects]]:
    """Neutral units of dopants on given sites, one per scheme that can balance them.

    Parameters
    ----------
    placement
        (dopant, site, count) of each dopant.
    schemes
        Schemes the user allows. Isovalent dopants (``none``) and co-dopants that balance each other (``self``) need
        no Li or O defect and are always allowed.

    Notes
    -----
    A positive excess q is balanced by q Li vacancies; a negative one by -q Li interstitials, or by -q/2 oxygen
    vacancies (two groups of dopants where q is odd).
    """
    base = Defects(substitutions=tuple(_substitution(d, site, count) for d, site, count in placement))
    excess = effective_charge(base, host)
    if excess == 0:
        isovalent = all(s.charge == host.cations[s.site] for s in base.substitutions)
        return [("none" if isovalent else "self", base)]
    if excess > 0:
        units: list[tuple[Compensation, Defects]] = [("li_vacancy", replace(base, li_vacancies=excess))]
    else:
        pairs = scale(base, 1 if excess % 2 == 0 else 2)
        oxygen = replace(pairs, o_vacancies=-effective_charge(pairs, host) // 2)
        units = [("li_interstitial", replace(base, li_interstitials=-excess)), ("o_vacancy", oxygen)]
    return [(scheme, unit) for scheme, unit in units if scheme in schemes]


def self_unit(dopant: Dopant, host: HostFacts) -> Defects | None:
    """Smallest group in which one element on both sites balances itself, for example 3 Mg_Li + Mg_Nb.

    a atoms on Li and b on the framework with a (q - q_Li) + b (q - q_framework) = 0; None when the signs do not allow
    it.
    """
    on_li = dopant.charge - host.cations["Li"]
    on_framework = host.cations[host.framework_cation] - dopant.charge
    if on_li <= 0 or on_framework <= 0:
        return None
    common = gcd(on_li, on_framework)
    return Defects(
        substitutions=(
            _substitution(dopant, "Li", on_framework // common),
            _substitution(dopant, host.framework_cation, on_li // common),
        )
    )


def congruent_defects(host: HostFacts, n_fu: int) -> Defects:
    """Antisites and Li vacancies of the congruent host in a cell of `n_fu` formula units, at least one antisite."""
    n = max(1, round(CONGRUENT_ANTISITES * n_fu))
    cation = host.framework_cation
    antisite = Substitution(element=cation, charge=host.cations[cation], site="Li", count=n)
    return Defects(substitutions=(antisite,), li_vacancies=VACANCIES_PER_ANTISITE * n)


def combined_defects(first: Defects, second: Defects) -> Defects:
    """Both sets of defects in one cell."""
    return Defects(
        substitutions=first.substitutions + second.substitutions,
        li_vacancies=first.li_vacancies + second.li_vacancies,
        li_interstitials=first.li_interstitials + second.li_interstitials,
        o_vacancies=first.o_vacancies + second.o_vacancies,
    )


def infeasible(defects: Defects, host: HostFacts, n_fu: int) -> str:
    """Why a set of defects does not fit a cell of `n_fu` formula units; empty when it does."""
    on_site = {site: sum(s.count for s in defects.substitutions if s.site == site) for site in host.cations}
    for site, count in on_site.items():
        if count > host.n_cations[site] * n_fu:
            return f"needs {count} of the {host.n_cations[site] * n_fu} {site} sites of {n_fu} formula units"
    n_li = host.n_cations["Li"] * n_fu
    if n_li - on_site["Li"] - defects.li_vacancies < 1:
        return (
            f"would leave no Li: {on_site['Li']} other cations and {defects.li_vacancies} vacancies on the {n_li} Li "
            f"sites of {n_fu} formula units"
        )
    n_voids = host.n_voids * n_fu
    if defects.li_interstitials > n_voids:
        return (
            f"needs {defects.li_interstitials} Li interstitials, but {n_fu} {host.name} have {n_voids} empty octahedra"
        )
    if defects.o_vacancies >= host.n_oxygen * n_fu:
        return f"needs {defects.o_vacancies} of the {host.n_oxygen * n_fu} O atoms of {n_fu} formula units"
    return ""


def build(candidate: Candidate, unit: Defects, k: int, n_fu: int) -> Candidate:
    """`candidate` with `k` neutral units in a cell of `n_fu` formula units (not checked for space)."""
    defects = scale(unit, k) if k else Defects()
    if candidate.congruent:
        defects = combined_defects(defects, congruent_defects(host_facts(candidate.host), n_fu))
    return candidate.with_defects(defects, n_fu)


def rescale(candidate: Candidate, n_fu: int) -> Candidate:
    """The same design in a cell of another size: the nearest feasible content with the same ratios, and neutral.

    A doped candidate keeps at least one neutral unit, hence one dopant of each kind. Its content changes; compare `x`
    of the result with `x_requested`.

    Raises
    ------
    CandidateFailed
        When not even one neutral unit fits.
    """
    host = host_facts(candidate.host)
    unit = _own_unit(candidate, host)
    size = unit_size(unit)
    if size == 0:
        choices = [0]
    else:
        target = candidate.x * n_fu / size
        most = max(1, sum(host.n_cations.values()) * n_fu // size)
        choices = sorted(range(1, most + 1), key=lambda k: (abs(k - target), -k))
    reason = ""
    for k in choices:
        scaled = build(candidate, unit, k, n_fu)
        problem = infeasible(scaled.defects, host, n_fu)
        if not problem:
            return scaled
        reason = reason or problem
    raise CandidateFailed(f"{candidate.name} does not fit {n_fu} formula units: {reason}")


def _own_unit(candidate: Candidate, host: HostFacts) -> Defects:
    """Smallest neutral unit of a candidate, without the antisites of a congruent host and their vacancies."""
    own = replace(candidate.defects, substitutions=candidate.dopants)
    if candidate.congruent:
        antisites = unit_size(candidate.defects) - unit_size(own)
        own = replace(own, li_vacancies=own.li_vacancies - VACANCIES_PER_ANTISITE * antisites)
    counts = [*(s.count for s in own.substitutions), own.li_vacancies, own.li_interstitials, own.o_vacancies]
    common = max(1, gcd(*counts))
    return Defects(
        substitutions=tuple(replace(s, count=s.count // common) for s in own.substitutions),
        li_vacancies=own.li_vacancies // common,
        li_interstitials=own.li_interstitials // common,
        o_vacancies=own.o_vacancies // common,
    )


def _substitution(dopant: Dopant, site: str, count: int) -> Substitution:
    return Substitution(
        element=dopant.element, charge=dopant.charge, site=site, count=count, default_charge=dopant.is_default
    )
