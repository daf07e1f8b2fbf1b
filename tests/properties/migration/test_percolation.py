"""Percolation of periodic networks against analytic answers and invariants."""

from __future__ import annotations

import itertools

import networkx as nx
import numpy as np
import pytest

from screening.properties.migration.percolation import Edge, percolation_barrier

X, Y, Z = (1, 0, 0), (0, 1, 0), (0, 0, 1)
ORIGIN = (0, 0, 0)


def edge(start: int, end: int, image: tuple[int, ...], saddle: float) -> Edge:
    a, b, c = image
    return Edge(start=start, end=end, image=(a, b, c), saddle=saddle)


def test_chain_percolates_in_one_direction_only():
    found = percolation_barrier([0.2], [edge(0, 0, X, 0.7)], 1)
    assert found is not None
    assert found.barrier == pytest.approx(0.5)
    assert found.critical == 0
    assert percolation_barrier([0.2], [edge(0, 0, X, 0.7)], 2) is None


def test_simple_cubic_needs_its_second_and_third_axis():
    edges = [edge(0, 0, Z, 0.9), edge(0, 0, X, 0.4), edge(0, 0, Y, 0.6)]
    barriers = [percolation_barrier([0.0], edges, d).barrier for d in (1, 2, 3)]
    assert barriers == pytest.approx([0.4, 0.6, 0.9])


def test_ladder_takes_the_lower_rail_and_counts_from_the_lowest_site():
    """Rail 0 over 0.8, rail 1 over 0.5, rungs over 0.3: motion along rail 1, escape from site 0 at -0.1."""
    edges = [edge(0, 0, X, 0.8), edge(1, 1, X, 0.5), edge(0, 1, ORIGIN, 0.3)]
    found = percolation_barrier([-0.1, 0.1], edges, 1)
    assert found.saddle == pytest.approx(0.5)
    assert found.ground_site == 0
    assert found.barrier == pytest.approx(0.6)
    assert edges[found.critical].start == 1


def test_a_deep_site_behind_a_higher_saddle_does_not_count():
    edges = [edge(0, 0, X, 0.5), edge(0, 1, ORIGIN, 0.9)]
    found = percolation_barrier([0.0, -2.0], edges, 1)
    assert found.barrier == pytest.approx(0.5)
    assert found.sites == (0,)


def test_ties_do_not_depend_on_the_order_of_the_edges():
    edges = [edge(0, 0, X, 0.5), edge(0, 1, ORIGIN, 0.5)]
    both = [percolation_barrier([0.0, -0.3], e, 1).barrier for e in (edges, edges[::-1])]
    assert both == pytest.approx([0.8, 0.8])


def test_chain_that_only_wraps_around_through_several_sites():
    """0 -> 1 -> 2 -> image of 0: no hop onto an own image, the cycle closes over the cell boundary."""
    edges = [edge(0, 1, ORIGIN, 0.3), edge(1, 2, ORIGIN, 0.7), edge(2, 0, X, 0.4)]
    found = percolation_barrier([0.0, 0.1, 0.2], edges, 1)
    assert found.barrier == pytest.approx(0.7)
    assert edges[found.critical].saddle == 0.7


def test_closed_ring_and_disconnected_sites_do_not_percolate():
    ring = [edge(0, 1, ORIGIN, 0.1), edge(1, 2, ORIGIN, 0.1), edge(2, 0, ORIGIN, 0.1)]
    assert percolation_barrier([0.0] * 3, ring, 1) is None
    assert percolation_barrier([0.0, 0.0], [], 1) is None


def test_parallel_cycles_are_one_direction():
    edges = [edge(0, 0, X, 0.1), edge(0, 1, ORIGIN, 0.1), edge(1, 1, (-2, 0, 0), 0.1)]
    assert percolation_barrier([0.0, 0.0], edges, 1) is not None
    assert percolation_barrier([0.0, 0.0], edges, 2) is None


def test_separate_components_do_not_add_up():
    """Two chains along different axes that never meet are each one-dimensional."""
    edges = [edge(0, 0, X, 0.1), edge(1, 1, Y, 0.1)]
    assert percolation_barrier([0.0, 0.0], edges, 2) is None
    joined = [*edges, edge(0, 1, ORIGIN, 0.4)]
    assert percolation_barrier([0.0, 0.0], joined, 2).barrier == pytest.approx(0.4)


def test_nonsense_is_refused():
    with pytest.raises(ValueError, match="below"):
        percolation_barrier([0.0, 0.5], [edge(0, 1, ORIGIN, 0.4)], 1)
    with pytest.raises(ValueError, match="dimension"):
        percolation_barrier([0.0], [], 4)


def random_network(seed: int, n_sites: int = 5, n_edges: int = 14) -> tuple[list[float], list[Edge]]:
    rng = np.random.default_rng(seed)
    energies = rng.uniform(0.0, 0.3, n_sites).tolist()
    edges = []
    for _ in range(n_edges):
        image = tuple(int(v) for v in rng.integers(-1, 2, 3))
        edges.append(edge(int(rng.integers(n_sites)), int(rng.integers(n_sites)), image, float(rng.uniform(0.4, 1.5))))
    return energies, edges


def supercell(energies: list[float], edges: list[Edge], repeat: tuple[int, int, int]) -> tuple[list[float], list[Edge]]:
    """The same infinite network, described in a cell of `repeat` times the size."""
    cells = list(itertools.product(*[range(n) for n in repeat]))
    number = {c: k for k, c in enumerate(cells)}
    n = len(energies)
    big = []
    for e in edges:
        for c in cells:
            target = np.add(c, e.image)
            inside = tuple(int(v) for v in target % repeat)
            image = tuple(int(v) for v in target // repeat)
            big.append(edge(number[c] * n + e.start, number[inside] * n + e.end, image, e.saddle))
    return energies * len(cells), big


def barriers(energies: list[float], edges: list[Edge]) -> list[float | None]:
    found = [percolation_barrier(energies, edges, d) for d in (1, 2, 3)]
    return [None if f is None else round(f.barrier, 9) for f in found]


@pytest.mark.parametrize("seed", range(12))
def test_invariant_to_origin_cell_direction_and_supercell(seed: int):
    energies, edges = random_network(seed)
    expected = barriers(energies, edges)
    rng = np.random.default_rng(seed + 100)
    origin = rng.integers(-2, 3, (len(energies), 3))  # every site moved into another image
    moved = [
        edge(e.start, e.end, tuple(int(v) for v in np.array(e.image) + origin[e.start] - origin[e.end]), e.saddle)
        for e in edges
    ]
    assert barriers(energies, moved) == expected
    shear = np.array([[1, 1, 0], [0, 1, -2], [0, 0, 1]])  # another choice of the same lattice
    sheared = [edge(e.start, e.end, tuple(int(v) for v in np.array(e.image) @ shear), e.saddle) for e in edges]
    assert barriers(energies, sheared) == expected
    turned = [edge(e.end, e.start, tuple(-v for v in e.image), e.saddle) for e in edges]
    assert barriers(energies, turned) == expected
    assert barriers(*supercell(energies, edges, (2, 1, 3))) == expected


@pytest.mark.parametrize("seed", range(12))
def test_saddle_equals_a_shortest_bottleneck_path_to_an_image(seed: int):
    """1D percolation by brute force: unroll the network and find the lowest bottleneck between a site and its image."""
    energies, edges = random_network(seed, n_sites=3, n_edges=6)
    found = percolation_barrier(energies, edges, 1)
    reach = 4  # cells to each side; cycles of three sites and six edges stay within
    graph = nx.Graph()
    for c in itertools.product(range(-reach, reach + 1), repeat=3):
        for e in edges:
            a, b = (e.start, c), (e.end, tuple(np.add(c, e.image).tolist()))
            if a != b and graph.get_edge_data(a, b, {"saddle": np.inf})["saddle"] > e.saddle:
                graph.add_edge(a, b, saddle=e.saddle)
    lowest = np.inf
    tree = nx.minimum_spanning_tree(graph, weight="saddle")  # its paths are minimax paths
    for site in range(len(energies)):
        home = (site, ORIGIN)
        if home not in tree:
            continue
        bottleneck = {home: -np.inf}
        for parent, child in nx.bfs_edges(tree, home):
            bottleneck[child] = max(bottleneck[parent], tree[parent][child]["saddle"])
        lowest = min([lowest, *[v for (s, c), v in bottleneck.items() if s == site and c != ORIGIN]])
    assert (found is None) == np.isinf(lowest)
    if found is not None:
        assert found.saddle == pytest.approx(lowest)
