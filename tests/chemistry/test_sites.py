import pytest

from screening.chemistry.dopants import Dopant, default_charge
from screening.chemistry.hosts import host_facts, host_names
from screening.chemistry.sites import choose_sites, resolve_site, site_fit
from screening.errors import UserError


def allowed(element: str, host: str = "LiNbO3") -> list[str]:
    dopant = Dopant(element=element, charge=default_charge(element))
    return [fit.site for fit in choose_sites(dopant, host_facts(host))[0]]


def test_hosts_are_neutral() -> None:
    for host in map(host_facts, host_names()):
        cations = sum(host.n_cations[site] * charge for site, charge in host.cations.items())
        assert cations == 2 * host.n_oxygen


def test_empty_octahedra_complete_the_oxygen_stack() -> None:
    """A close-packed oxygen stack has one octahedron per O: a third is empty in LiNbO3, none in ordered rock salt."""
    for host in map(host_facts, host_names()):
        assert sum(host.n_cations.values()) + host.n_voids == host.n_oxygen


def test_auto_sites() -> None:
    assert allowed("Mg") == ["Li", "Nb"]
    assert allowed("Zr") == ["Li", "Nb"]
    assert allowed("Ta") == ["Nb"]
    assert allowed("W") == ["Nb"]
    assert allowed("Ba") == []
    assert allowed("Nb", "LiTaO3") == ["Ta"]


def test_rejection_says_why() -> None:
    _, rejected = choose_sites(Dopant(element="Ta", charge=5), host_facts("LiNbO3"))
    assert [(f.label, f.charge_difference) for f in rejected] == [("Ta_Li", 4)]
    assert "+4" in rejected[0].reason
    assert "radius" in site_fit(Dopant(element="Ba", charge=2), "Li", host_facts("LiNbO3")).reason


def test_mismatch_is_relative_to_the_host_cation() -> None:
    fit = site_fit(Dopant(element="Mg", charge=2), "Nb", host_facts("LiNbO3"))
    assert fit.radius_mismatch == pytest.approx(0.72 / 0.64 - 1)


def test_forced_site_overrules_the_rule() -> None:
    fits, rejected = choose_sites(Dopant(element="Ta", charge=5), host_facts("LiNbO3"), "Li")
    assert [f.site for f in fits] == ["Li"]
    assert rejected == []


def test_nb_names_the_site_of_the_framework_cation() -> None:
    assert resolve_site("Nb", host_facts("LiTaO3")) == "Ta"
    with pytest.raises(UserError, match="Li or Nb"):
        resolve_site("Ta", host_facts("LiNbO3"))


def test_unknown_host_names_the_nearest() -> None:
    with pytest.raises(UserError, match="LiNbO3"):
        host_facts("LiNbO2")
