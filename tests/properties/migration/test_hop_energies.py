"""Energies of a whole network from a few computed hops."""

from __future__ import annotations

import numpy as np
import pytest

from screening.properties.migration.hop_energies import NetworkEnergies, network_energies
from screening.structures.hops.hop_classes import HopClass, Orbits

NEAR: HopClass = ("vacancy", 0, 2)
FAR: HopClass = ("vacancy", 0, 5)
LONG: HopClass = ("vacancy", 1, 2)


def chain(classes: list[HopClass], saddles: dict[int, float], **fields: object) -> NetworkEnergies:
    """A ring of as many sites as hops; each hop goes to the next site."""
    n = len(classes)
    given: dict[str, object] = {
        "ends": [(k, (k + 1) % n, (int(k == n - 1), 0, 0)) for k in range(n)],
        "classes": classes,
        "site_classes": [2] * n,
        "orbits": Orbits(tuple(range(n)), tuple(range(n))),
        "site_energies": dict.fromkeys(range(n), 0.0),
        "saddles": saddles,
    }
    return network_energies(**(given | fields))  # type: ignore[arg-type]


def test_a_computed_hop_keeps_its_own_saddle():
    sites = {0: 0.0, 1: 0.3, 2: -0.1}
    energies = chain([NEAR, NEAR, FAR], {0: 0.9, 1: 1.1, 2: 0.7}, site_energies=sites)
    assert energies.sites == pytest.approx([0.0, 0.3, -0.1])
    assert [e.saddle for e in energies.edges] == pytest.approx([0.9, 1.1, 0.7])
    assert energies.assigned == {"computed": 3, "symmetry": 0, "class": 0}


def test_resolved_activation_carries_over_to_other_site_energies():
    """Van der Ven et al. 2001: barrier forward and backward = KRA plus and minus half the energy difference."""
    sites = {0: 0.0, 1: 0.0, 2: 0.2}
    energies = chain([NEAR, NEAR, FAR], {0: 0.8}, site_energies=sites)
    other = energies.edges[1]
    assert other.saddle - sites[1] == pytest.approx(0.8 + 0.1)
    assert other.saddle - sites[2] == pytest.approx(0.8 - 0.1)
    # the direction of a computed hop does not matter
    turned = chain(
        [NEAR, NEAR, FAR], {0: 0.8}, site_energies=sites, ends=[(1, 0, (0, 0, 0)), (1, 2, (0, 0, 0)), (2, 0, (1, 0, 0))]
    )
    assert [e.saddle for e in turned.edges] == pytest.approx([e.saddle for e in energies.edges])


def test_the_nearest_dopant_bin_is_used_and_the_bounds_take_all():
    classes = [NEAR, FAR, ("vacancy", 0, 3), ("vacancy", 0, 6)]
    saddles = {0: 0.6, 1: 1.0}
    assert [e.saddle for e in chain(classes, saddles).edges] == pytest.approx([0.6, 1.0, 0.6, 1.0])
    assert [e.saddle for e in chain(classes, saddles, bound="low").edges] == pytest.approx([0.6, 1.0, 0.6, 0.6])
    assert [e.saddle for e in chain(classes, saddles, bound="high").edges] == pytest.approx([0.6, 1.0, 1.0, 1.0])


def test_hops_of_one_orbit_share_their_mean():
    orbits = Orbits((0, 0, 0), (0, 0, 0))
    energies = chain([NEAR] * 3, {0: 0.8, 1: 0.9}, orbits=orbits, site_energies={0: 0.0, 1: 0.02, 2: 0.01})
    assert energies.sites == pytest.approx([0.01] * 3)
    kra = np.mean([0.8 - 0.01, 0.9 - 0.015])
    assert [e.saddle for e in energies.edges] == pytest.approx([kra + 0.01] * 3)
    assert energies.assigned == {"computed": 2, "symmetry": 1, "class": 0}


def test_hops_of_another_length_are_left_out():
    energies = chain([NEAR, LONG, NEAR], {0: 0.8})
    assert energies.hops == [0, 2]
    assert energies.left_out == 1


def test_a_saddle_never_lies_below_its_sites():
    energies = chain([NEAR, NEAR], {0: 0.1}, site_energies={0: 0.0, 1: 0.0}, site_classes=[2, 2])
    assert min(e.saddle for e in energies.edges) == pytest.approx(0.1)
    steep = chain([NEAR, NEAR, NEAR], {0: 0.1}, site_energies={0: 0.0, 1: 0.0, 2: 1.0})
    for edge in steep.edges:
        assert edge.saddle >= max(steep.sites[edge.start], steep.sites[edge.end])


def test_nothing_computed_is_an_error():
    with pytest.raises(ValueError, match="at least one"):
        chain([NEAR], {})
