"""The same pairs as ASE's neighbour list."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.neighborlist import neighbor_list

from screening.potentials.neighbors import pairs
from screening.potentials.selfcheck import lithium_niobate


def scattered(pbc, seed=0):
    """Atoms in a skewed cell, half of them outside of it."""
    rng = np.random.default_rng(seed)
    cell = [[6.1, 0.0, 0.0], [2.0, 5.0, 0.0], [-1.0, 1.5, 7.0]]
    return Atoms("O12", scaled_positions=rng.uniform(-1.3, 1.8, (12, 3)), cell=cell, pbc=pbc)


def rows(first, second, vectors):
    return np.array(sorted(map(tuple, np.column_stack([first, second, np.round(vectors, 4) + 0.0])))).reshape(-1, 5)


MOLECULE = Atoms("OH2", positions=[[0, 0, 0], [0, 0.76, 0.59], [0, -0.76, 0.59]])
STRUCTURES = {
    "niobate": lithium_niobate(),
    "one atom": bulk("Cu"),
    "bulk": scattered((True, True, True)),
    "slab": scattered((True, True, False)),
    "wire": scattered((False, True, False)),
    "cluster": scattered((False, False, False)),
    "molecule": MOLECULE,
}


@pytest.mark.parametrize("name", STRUCTURES)
@pytest.mark.parametrize("cutoff", [0.5, 3.0, 6.0])
def test_same_pairs_as_ase(name, cutoff):
    atoms = STRUCTURES[name]
    first, second, vectors, lengths = pairs(atoms, cutoff)
    expected = neighbor_list("ijD", atoms, cutoff)
    assert np.allclose(rows(first, second, vectors), rows(*expected), atol=1e-5)
    assert len(first) or cutoff < 6.0
    assert np.allclose(lengths, np.linalg.norm(vectors, axis=1))


def test_two_atoms_at_one_place_are_a_pair():
    atoms = Atoms("OLi", positions=[[1, 1, 1], [1, 1, 1]], cell=[4, 4, 4], pbc=True)
    first, second, _, lengths = pairs(atoms, 0.5)
    assert sorted(zip(first.tolist(), second.tolist(), strict=True)) == [(0, 1), (1, 0)]
    assert np.array_equal(lengths, [0.0, 0.0])
