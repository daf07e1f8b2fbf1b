"""The sites that a dopant may take in a host lattice."""

from __future__ import annotations

from dataclasses import dataclass

from screening.chemistry.dopants import Dopant, cation_radius
from screening.chemistry.hosts import HostFacts
from screening.errors import UserError

MAX_CHARGE_DIFFERENCE = 3
"""e; beyond it every dopant would need four or more Li defects to balance it. A working rule."""

MAX_RADIUS_MISMATCH = 0.30
"""Relative to the host cation.

A working rule, wider than the 15 % of Hume-Rothery and Goldschmidt: Sc3+ and In3+, known dopants of LiNbO3, differ
from Nb5+ by 16 and 25 % in Shannon's radii.
"""


FRAMEWORK = "Nb"
"""How a user writes the site of the framework cation, whatever the host holds there."""


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
    """Name of a host's site, where ``"Nb"`` stands for the site of the framework cation."""
    name = host.framework_cation if site == FRAMEWORK else site
    if name not in host.cations:
        raise UserError(f"Unknown site {site!r} for {host.name}: choose auto, {' or '.join(host.cations)}.")
    return name
