"""Hop networks of LiNbO3 and the end points of their hops."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.geometry import find_mic

from screening.errors import CandidateFailed
from screening.properties.migration.percolation import Edge, percolation_barrier
from screening.structures.crystals.crystals import load_crystal
from screening.structures.hops.hop_classes import _without_carrier, plan_hops, shells, site_classes, symmetry_orbits
from screening.structures.hops.hop_ends import band_ends, collapse_reason, endpoint, same_end
from screening.structures.hops.hops import HopNetwork, carrier_rule, hop_network
from screening.structures.hops.supercells import isotropic_supercell
from screening.structures.hops.voids import octahedral_voids

CUTOFF = 4.2


@pytest.fixture(scope="module")
def pristine() -> Atoms:
    return isotropic_supercell(load_crystal("LiNbO3"), 12)


@pytest.fixture(scope="module")
def magnesium(pristine: Atoms) -> Atoms:
    """One Mg on Li and two vacancies: one is the carrier, the other is in the way."""
    lithium = [i for i, s in enumerate(pristine.symbols) if s == "Li"]
    atoms = pristine.copy()
    atoms.symbols[lithium[0]] = "Mg"
    gone = [lithium[3], lithium[7]]
    atoms.info["vacant_li_sites"] = pristine.get_scaled_positions()[gone].tolist()
    atoms.info["dopant_indices"] = [lithium[0]]
    del atoms[gone]
    return atoms


@pytest.fixture(scope="module")
def excess(pristine: Atoms) -> Atoms:
    """One Zr on Nb and one Li in an empty octahedron."""
    voids = octahedral_voids(pristine)
    atoms = pristine + Atoms("Li", positions=[voids[0] @ pristine.cell.array])
    niobium = [i for i, s in enumerate(atoms.symbols) if s == "Nb"]
    atoms.symbols[niobium[5]] = "Zr"
    atoms.info = {
        "void_sites": voids[1:].tolist(),
        "vacant_li_sites": [],
        "interstitial_indices": [len(atoms) - 1],
        "dopant_indices": [niobium[5]],
    }
    return atoms


@pytest.fixture(params=["pristine", "magnesium", "excess"])
def network(request: pytest.FixtureRequest) -> HopNetwork:
    return hop_network(request.getfixturevalue(request.param), CUTOFF)


def percolates(network: HopNetwork, dimension: int) -> bool:
    edges = [Edge(start=h.start, end=h.end, image=h.image, saddle=1.0) for h in network.hops]
    return percolation_barrier([0.0] * len(network.sites), edges, dimension) is not None


def test_lithium_of_the_host_has_six_neighbours_in_a_network_of_all_directions(pristine: Atoms):
    network = hop_network(pristine, CUTOFF)
    assert (network.kind, network.source, network.home) == ("vacancy", "made", None)
    degree = Counter(site for hop in network.hops for site in (hop.start, hop.end))
    assert [degree[s] for s in range(12)] == [6] * 12
    # the first Li-Li shell from the lattice alone: a/sqrt(3) in the plane, c/6 along the axis
    expected = np.hypot(5.148 / np.sqrt(3), 13.863 / 6)
    assert [h.distance for h in network.hops] == pytest.approx([expected] * 36)
    assert percolates(network, 3)


def test_a_shorter_cutoff_leaves_nothing(pristine: Atoms):
    assert hop_network(pristine, 3.5).hops == ()


def test_a_lattice_that_relaxed_out_of_reach_is_named_and_no_division_by_zero(pristine: Atoms):
    """A dry run sees the listed lattice, the hops the relaxed one."""
    network = hop_network(pristine, 2.0)
    for network_wide in (False, True):
        with pytest.raises(CandidateFailed, match=r"migration\.max_hop_distance"):
            plan_hops(network, symmetry_orbits(network), network_wide=network_wide, min_hops=2, max_hops=4)


def test_network_without_lithium_is_refused():
    with pytest.raises(CandidateFailed, match="no lithium"):
        hop_network(Atoms("MgO", positions=[[0, 0, 0], [2, 0, 0]], cell=[4, 4, 4], pbc=True), CUTOFF)


def test_hop_vectors_join_their_sites(network: HopNetwork):
    cell = network.cell.cell.array
    for hop in network.hops:
        start, end = network.sites[hop.start], network.sites[hop.end] + np.array(hop.image)
        np.testing.assert_allclose((end - start) @ cell, hop.vector, atol=1e-9)


def test_carrier_follows_the_compensation(pristine: Atoms, magnesium: Atoms, excess: Atoms):
    assert carrier_rule(pristine) == ("vacancy", "made")
    assert carrier_rule(magnesium) == ("vacancy", "compensating")
    assert carrier_rule(excess) == ("interstitial", "compensating")
    both = excess.copy()
    both.info["vacant_li_sites"] = [[0.5, 0.5, 0.5]]
    assert carrier_rule(both)[0] == "interstitial"  # never a vacancy beside an interstitial
    assert {h.kind for h in hop_network(both, CUTOFF).hops} == {"interstitial", "interstitialcy"}


def test_dopants_and_other_vacancies_block_their_sites(magnesium: Atoms):
    network = hop_network(magnesium, CUTOFF)
    assert len(network.sites) == 12 - 1 - 1  # without Mg and without the vacancy that stays
    lithium = {i for i, s in enumerate(magnesium.symbols) if s == "Li"}
    assert set(network.occupants) == lithium | {-1}
    nearest = [h.dopant_distance for h in network.hops]
    assert min(nearest) > 1.8  # half way to a neighbour of Mg at the least
    assert len(set(site_classes(network))) > 1


def test_interstitialcy_passes_through_lattice_lithium(excess: Atoms):
    network = hop_network(excess, CUTOFF)
    concerted = [h for h in network.hops if h.kind == "interstitialcy"]
    for hop in concerted:
        first, second = np.array(hop.via_vector), np.array(hop.vector) - np.array(hop.via_vector)
        start = network.sites[hop.start] @ excess.cell.array
        gap, _ = find_mic(start + first - excess.positions[hop.via], excess.cell, True)
        np.testing.assert_allclose(gap, 0.0, atol=1e-9)
        assert max(np.linalg.norm(first), np.linalg.norm(second)) < 3.4
        assert excess.symbols[hop.via] == "Li"
        assert hop.via != network.occupants[network.home]
    assert percolates(network, 3)
    direct = [h for h in network.hops if h.kind == "interstitial"]
    assert len(direct) == 36  # the empty octahedra form the same net as Li


def test_end_points_keep_the_composition_and_lose_at_most_the_made_lithium(network: HopNetwork):
    expected = Counter(network.cell.symbols)
    if network.home is None:
        expected["Li"] -= 1
    for site in range(len(network.sites)):
        assert Counter(endpoint(network, site).symbols) == expected


def test_a_made_vacancy_leaves_dopants_and_antisites_marked(pristine: Atoms):
    atoms = pristine.copy()
    niobium = [i for i, s in enumerate(atoms.symbols) if s == "Nb"]
    atoms.symbols[niobium[5]] = "Ta"
    atoms.info = {"dopant_indices": [niobium[5]], "antisite_indices": [niobium[2]]}
    made = hop_network(atoms, CUTOFF)
    assert made.home is None
    for site, removed in enumerate(made.occupants):
        end = endpoint(made, site)
        assert [end.symbols[i] for i in end.info["dopant_indices"]] == ["Ta"]
        assert end.info["antisite_indices"] == [niobium[2] - (niobium[2] > removed)]
        assert end.info["vacant_li_sites"] == [made.sites[site].tolist()]


def test_the_crystal_without_its_carrier_keeps_its_marks(magnesium: Atoms, excess: Atoms):
    for atoms, dopant, change in ((magnesium, "Mg", 1), (excess, "Zr", -1)):
        bare = _without_carrier(hop_network(atoms, CUTOFF))
        assert len(bare) == len(atoms) + change
        assert [bare.symbols[i] for i in bare.info["dopant_indices"]] == [dopant]
    assert bare.info["interstitial_indices"] == []


def test_bands_keep_the_order_and_move_only_the_hopping_atoms(network: HopNetwork):
    for hop in network.hops:
        initial, final = band_ends(network, hop, endpoint(network, hop.start), endpoint(network, hop.end))
        assert list(initial.symbols) == list(final.symbols)
        np.testing.assert_array_equal(initial.arrays["numbers"], final.arrays["numbers"])
        moved = np.linalg.norm(final.positions - initial.positions, axis=1)
        movers = np.flatnonzero(moved > 1e-6)
        assert len(movers) == (2 if hop.kind == "interstitialcy" else 1)
        assert {initial.symbols[i] for i in movers} == {"Li"}
        if hop.kind == "interstitialcy":
            assert moved.sum() >= hop.distance - 1e-6
        else:
            assert moved[movers[0]] == pytest.approx(hop.distance)  # along the hop, not around the cell
        assert same_end(network, hop, initial, final) is None


def test_vacancies_of_a_band_are_where_the_hop_says(magnesium: Atoms):
    """The hopping Li starts on the empty site's partner and ends on the empty site, for hops anywhere in the cell."""
    network = hop_network(magnesium, CUTOFF)
    cell = magnesium.cell.array

    def empty(atoms: Atoms, site: int) -> bool:
        gap, _ = find_mic(atoms.positions - network.sites[site] @ cell, atoms.cell, True)
        return bool(np.linalg.norm(gap, axis=1).min() > 1.0)

    for hop in network.hops:
        initial, final = band_ends(network, hop, endpoint(network, hop.start), endpoint(network, hop.end))
        assert [empty(initial, hop.start), empty(initial, hop.end)] == [True, False]
        assert [empty(final, hop.start), empty(final, hop.end)] == [False, True]


def test_bands_survive_wrapped_end_points(magnesium: Atoms):
    """End points come back from a relaxation with atoms in other periodic images; the band must not notice."""
    network = hop_network(magnesium, CUTOFF)
    rng = np.random.default_rng(0)
    for hop in network.hops[:10]:
        first, last = endpoint(network, hop.start), endpoint(network, hop.end)
        last.positions += rng.integers(-1, 2, (len(last), 3)) @ last.cell.array
        initial, final = band_ends(network, hop, first, last)
        moved = np.linalg.norm(final.positions - initial.positions, axis=1)
        assert moved.max() == pytest.approx(hop.distance)
        assert (moved > 1e-6).sum() == 1


def test_collapsed_end_points_are_noticed(magnesium: Atoms):
    network = hop_network(magnesium, CUTOFF)
    hop = next(h for h in network.hops if h.start == network.home)
    start, end = endpoint(network, hop.start), endpoint(network, hop.end)
    assert collapse_reason(network, hop.end, end) is None
    shaken = end.copy()
    shaken.rattle(0.1, seed=1)
    assert collapse_reason(network, hop.end, shaken) is None
    assert "moved" in collapse_reason(network, hop.end, start)  # fell back into the other end point
    assert "together" in same_end(network, hop, start, start)
    assert same_end(network, hop, *band_ends(network, hop, start, end)) is None


def test_all_hops_of_the_host_are_one_orbit_also_where_the_supercell_is_less_symmetric():
    for n_fu in (6, 12, 24):
        network = hop_network(isotropic_supercell(load_crystal("LiNbO3"), n_fu), CUTOFF)
        orbits = symmetry_orbits(network)
        assert len(set(orbits.hops)) == 1, n_fu
        assert len(set(orbits.sites)) == 1, n_fu


def test_a_dopant_splits_the_orbits_into_those_of_its_site_symmetry(pristine: Atoms):
    """One Nb replaced keeps at most the three-fold axis: orbits of at most three hops in the doped cell."""
    atoms = pristine.copy()
    niobium = next(i for i, s in enumerate(atoms.symbols) if s == "Nb")
    atoms.symbols[niobium] = "Ta"
    atoms.info["dopant_indices"] = [niobium]
    orbits = symmetry_orbits(hop_network(atoms, CUTOFF))
    sizes = Counter(orbits.hops)
    assert max(sizes.values()) <= 3
    assert sum(sizes.values()) == 36


def test_shells_are_cut_at_gaps():
    assert shells([3.76, 5.15, 3.9, 3.6, 5.2]) == [0, 1, 0, 0, 1]
    assert shells([]) == []


def test_representative_hops_are_distinct(network: HopNetwork):
    plan = plan_hops(network, symmetry_orbits(network), network_wide=False, min_hops=2, max_hops=3)
    first, second = (network.hops[slot[0]] for slot in plan)
    assert plan[0][0] != plan[1][0]
    if network.kind == "interstitial":
        assert {first.kind, second.kind} == {"interstitial", "interstitialcy"}
    elif network.home is None:  # one orbit: another direction
        cosine = np.dot(first.vector, second.vector) / first.distance / second.distance
        assert abs(cosine) < 0.9
    else:
        assert first.dopant_distance < second.dopant_distance - 1.0


def test_network_plan_takes_every_class_before_any_twice(magnesium: Atoms, pristine: Atoms):
    network = hop_network(magnesium, CUTOFF)
    plan = plan_hops(network, symmetry_orbits(network), network_wide=True, min_hops=2, max_hops=8)
    chosen = [slot[0] for slot in plan]
    assert len(set(chosen)) == 8
    bins = [int(network.hops[k].dopant_distance) for k in chosen]
    n_bins = len({int(h.dopant_distance) for h in network.hops})
    assert len(set(bins[:n_bins])) == n_bins
    host = hop_network(pristine, CUTOFF)
    assert len(plan_hops(host, symmetry_orbits(host), network_wide=True, min_hops=2, max_hops=12)) == 2


@pytest.mark.parametrize("network_wide", [True, False])
def test_a_cell_without_a_free_site_has_no_hops_to_plan(network: HopNetwork, network_wide: bool):
    crowded = replace(network, hops=())
    orbits = replace(symmetry_orbits(network), hops=())
    with pytest.raises(CandidateFailed, match="no free site but the carrier's own image"):
        plan_hops(crowded, orbits, network_wide=network_wide, min_hops=2, max_hops=3)
