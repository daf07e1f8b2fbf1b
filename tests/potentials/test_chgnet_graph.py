import numpy as np
import pytest
from ase.build import bulk
from chgnet.graph import CrystalGraphConverter
from pymatgen.io.ase import AseAtomsAdaptor

from screening.potentials.networks.chgnet_graph import build_graph
from screening.potentials.registry import load_potential
from screening.potentials.selfcheck import lithium_niobate


def rattled(seed: int = 0):
    atoms = lithium_niobate()
    atoms.rattle(0.1, seed=seed)
    return atoms


def slab():
    atoms = lithium_niobate().repeat((1, 1, 2))
    atoms.center(vacuum=5.0, axis=2)
    atoms.pbc = (True, True, False)
    return atoms


@pytest.mark.parametrize("atoms", [rattled(), bulk("Cu"), bulk("Cu", cubic=True), slab()])
def test_same_bonds_and_angles_as_the_package(atoms):
    ours = build_graph([atoms], bond_cutoff=6.0, angle_cutoff=3.0)
    theirs = CrystalGraphConverter(on_isolated_atoms="ignore")(AseAtomsAdaptor.get_structure(atoms))
    cart = atoms.get_scaled_positions(wrap=False) @ atoms.cell[:]
    pairs = theirs.atom_graph.numpy()
    vectors = cart[pairs[:, 0]] - cart[pairs[:, 1]] - theirs.neighbor_image.numpy() @ atoms.cell[:]

    def rows(*columns):
        return np.array(sorted(map(tuple, np.round(np.column_stack(columns), 3) + 0.0)))

    directed = rows(
        np.concatenate([ours.i, ours.j]), np.concatenate([ours.j, ours.i]), np.vstack([ours.vectors, -ours.vectors])
    )
    assert len(directed) == len(pairs)
    assert np.allclose(directed, rows(pairs[:, 0], pairs[:, 1], vectors), atol=2e-3)

    short = np.vstack([ours.vectors[: ours.n_short], -ours.vectors[: ours.n_short]])
    centers = np.concatenate([ours.i[: ours.n_short], ours.j[: ours.n_short]])
    lengths = np.linalg.norm(short, axis=1)
    mine = np.sort(np.einsum("ij,ij->i", short[ours.angle_first], short[ours.angle_second]))
    angles = theirs.bond_graph.numpy().reshape(-1, 5)
    assert np.array_equal(centers[ours.angle_first], centers[ours.angle_second])
    assert lengths.max(initial=0) < 3.0
    expected = np.sort(np.einsum("ij,ij->i", vectors[angles[:, 2]], vectors[angles[:, 4]]))
    assert len(mine) == len(angles)
    assert np.allclose(mine, expected, atol=1e-3)


def test_batch_is_the_sum_of_its_parts():
    parts = [rattled(1), bulk("Cu", cubic=True), rattled(2)]
    whole = build_graph(parts, bond_cutoff=6.0, angle_cutoff=3.0)
    alone = [build_graph([atoms], bond_cutoff=6.0, angle_cutoff=3.0) for atoms in parts]
    assert len(whole.i) == sum(len(graph.i) for graph in alone)
    assert len(whole.angle_first) == sum(len(graph.angle_first) for graph in alone)
    assert np.array_equal(whole.owners[whole.i], whole.owners[whole.j])
    assert whole.n_short == sum(graph.n_short for graph in alone)


def test_energy_is_smooth_where_a_bond_crosses_a_cutoff():
    potential = load_potential("chgnet", "cpu", self_check=False)
    atoms = rattled()
    scales = np.linspace(0.99, 1.03, 41)
    stretched = []
    for scale in scales:
        stretched.append(atoms.copy())
        stretched[-1].set_cell(atoms.cell[:] * scale, scale_atoms=True)
    energies = np.array([result.energy for result in potential.evaluate(stretched)])
    third = np.diff(energies, n=3)
    assert np.abs(third).max() < 5e-4


def test_lone_atom_has_no_force():
    potential = load_potential("chgnet", "cpu", self_check=False)
    atoms = bulk("Cu", "sc", a=20.0)
    result = potential.evaluate([atoms], stress=True)[0]
    assert np.isfinite(result.energy)
    assert np.array_equal(result.forces, np.zeros((1, 3)))
    assert np.array_equal(result.stress, np.zeros((3, 3)))
