"""Host lattices and the sites that a dopant may take in them."""

from __future__ import annotations

from dataclasses import dataclass, field

from screening.chemistry.dopants import Dopant, cation_radius
from screening.errors import UserError
from screening.names import nearest

MAX_CHARGE_DIFFERENCE = 3
"""e; beyond it every dopant would need four or more Li defects to balance it. A working rule."""

MAX_RADIUS_MISMATCH = 0.30
"""Relative to the host cation.

A working rule, wider than the 15 % of Hume-Rothery and Goldschmidt: Sc3+ and In3+, known dopants of LiNbO3, differ
from Nb5+ by 16 and 25 % in Shannon's radii.
"""


@dataclass(frozen=True, kw_only=True)
class HostFacts:
    """What the chemistry of a host needs, per formula unit.

    Attributes
    ----------
    cations
        Formal charge (e) of each cation site, named by the element on it.
    n_cations
        Atoms of each cation site per formula unit; content x counts formula units of this size.
    n_oxygen
        Oxygen atoms per formula unit.
    n_voids
        Empty octahedra per formula unit, which take Li interstitials.
    former
        The site that is not Li (Nb or Ta).
    can_be_congruent
        The host grows Li-poor with antisites of the former: Nb_Li + 4 V_Li.
    """

    name: str
    cations: dict[str, int] = field(hash=False)
    n_cations: dict[str, int] = field(hash=False)
    n_oxygen: int
    n_voids: int
    former: str
    can_be_congruent: bool


# LiNbO3 type: of the octahedra in the oxygen stack a third each hold Li and Nb and a third are empty. Li3NbO4 is an
# ordered rock salt, in which every octahedron is filled.
HOSTS: dict[str, HostFacts] = {
    "LiNbO3": HostFacts(
        name="LiNbO3",
        cations={"Li": 1, "Nb": 5},
        n_cations={"Li": 1, "Nb": 1},
        n_oxygen=3,
        n_voids=1,
        former="Nb",
        can_be_congruent=True,
    ),
    "LiTaO3": HostFacts(
        name="LiTaO3",
        cations={"Li": 1, "Ta": 5},
        n_cations={"Li": 1, "Ta": 1},
        n_oxygen=3,
        n_voids=1,
        former="Ta",
        can_be_congruent=True,
    ),
    "Li3NbO4": HostFacts(
        name="Li3NbO4",
        cations={"Li": 1, "Nb": 5},
        n_cations={"Li": 3, "Nb": 1},
        n_oxygen=4,
        n_voids=0,
        former="Nb",
        can_be_congruent=False,
    ),
}


@dataclass(frozen=True, kw_only=True)
class SiteFit:
    """How a dopant fits a site; `reason` says why the automatic rule rejects it, and is empty where it does not.

    `charge_difference` is in e, `radius_mismatch` relative to the host cation's radius (signed).
    """

    dopant: Dopant
    site: str
    charge_difference: int
    radius_mismatch: float
    reason: str = ""

    @property
    def label(self) -> str:
        return f"{self.dopant.label}_{self.site}"


def host_facts(name: str) -> HostFacts:
    """Facts of a host.

    Raises
    ------
    UserError
        For an unknown host; names the nearest one.
    """
    if name not in HOSTS:
        raise UserError(f"there is no host {name!r}; {nearest(name, HOSTS)}.")
    return HOSTS[name]


def site_fit(dopant: Dopant, site: str, host: HostFacts) -> SiteFit:
    """Judge one site by the automatic rule: charges within 3 e and Shannon radii within 30 %."""
    charge = host.cations[site]
    radius = cation_radius(site, charge)
    mismatch = cation_radius(dopant.element, dopant.charge) / radius - 1.0
    difference = dopant.charge - charge
    reason = ""
    if abs(difference) > MAX_CHARGE_DIFFERENCE:
        reason = f"charge differs from {site}{charge}+ by {difference:+d} e (at most {MAX_CHARGE_DIFFERENCE})"
    elif abs(mismatch) > MAX_RADIUS_MISMATCH:
        reason = f"radius differs from {site}{charge}+ by {mismatch:+.0%} (at most {MAX_RADIUS_MISMATCH:.0%})"
    return SiteFit(dopant=dopant, site=site, charge_difference=difference, radius_mismatch=mismatch, reason=reason)


def choose_sites(dopant: Dopant, host: HostFacts, site: str = "auto") -> tuple[list[SiteFit], list[SiteFit]]:
    """Sites on which a dopant is screened, and those the automatic rule rejects.

    Parameters
    ----------
    site
        ``"auto"`` keeps every site the rule allows; a site's name forces it, whatever the rule says. ``"Nb"`` also
        means the Ta site of a tantalate.

    Raises
    ------
    UserError
        When the host has no such site.
    """
    if site != "auto":
        return [site_fit(dopant, resolve_site(site, host), host)], []
    fits = [site_fit(dopant, name, host) for name in host.cations]
    return [f for f in fits if not f.reason], [f for f in fits if f.reason]


def resolve_site(site: str, host: HostFacts) -> str:
    """Name of a host's site, where ``"Nb"`` stands for the site of the network former."""
    name = host.former if site == "Nb" else site
    if name not in host.cations:
        raise UserError(f"Unknown site {site!r} for {host.name}: choose auto, {' or '.join(host.cations)}.")
    return name
