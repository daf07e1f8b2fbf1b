"""Whether two structures are the same, against pymatgen's matcher, and that the index leaves out no pair."""

import itertools

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, graphene, make_supercell
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.io.ase import AseAtomsAdaptor

from screening.training_data.same_structure import compare
from screening.training_data.shapes import MAX_ANGLE, MAX_DISPLACEMENT, MAX_STRAIN, SAME_INPUT, Shape
from screening.training_data.structure_index import StructureIndex

CELLS = ([[1, 0, 0], [0, 1, 0], [0, 0, 1]], [[1, 1, 0], [0, 1, 0], [0, -1, 1]], [[0, 1, 0], [0, 0, 1], [1, 0, 0]])


def pymatgen_distance(one: Atoms, other: Atoms) -> float | None:
    """Largest displacement of the best match by pymatgen, A; None where it finds none."""
    first, second = (
        AseAtomsAdaptor.get_structure(Atoms(a.numbers, a.positions, cell=a.cell, pbc=True)) for a in (one, other)
    )
    unit = (first.volume / len(first)) ** (1 / 3)
    matcher = StructureMatcher(
        ltol=MAX_STRAIN, stol=MAX_DISPLACEMENT / unit, angle_tol=MAX_ANGLE, primitive_cell=False, scale=False,
        attempt_supercell=False,
    )  # fmt: skip
    found = matcher.get_rms_dist(first, second)
    return None if found is None else float(found[1]) * unit


def disguised(atoms: Atoms, rng: np.random.Generator) -> Atoms:
    """The same crystal with other cell vectors, order of atoms, origin and orientation, possibly mirrored."""
    other = make_supercell(atoms, np.array(CELLS[rng.integers(len(CELLS))]))
    other = other[rng.permutation(len(other))]
    other.positions += rng.normal(size=3)
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    other.set_cell(other.cell.array @ turn)
    other.positions = other.positions @ turn
    if rng.random() < 0.5:
        other.wrap()
    return other


def parent(rng: np.random.Generator) -> Atoms:
    """A cubic, hexagonal or triclinic crystal of 8 to 16 atoms with two or three elements."""
    kind = rng.integers(3)
    if kind == 0:
        atoms = bulk("MgO", "rocksalt", a=4.2, cubic=True)
    elif kind == 1:
        atoms = bulk("Mg", "hcp", a=3.2, c=5.2).repeat((2, 2, 2))
    else:
        cell = 2.3 * (2 * np.eye(3) + 0.3 * rng.normal(size=(3, 3)))
        atoms = Atoms("Cu8", scaled_positions=list(itertools.product((0, 0.5), repeat=3)), cell=cell, pbc=True)
    atoms.numbers[rng.permutation(len(atoms))[:2]] = 3
    return atoms


@pytest.mark.parametrize("seed", range(6))
def test_agrees_with_pymatgen_for_all_pairs(seed):
    """Rattles of one parent, some of them repeated in disguise with the noise of a rerun."""
    rng = np.random.default_rng(seed)
    base = parent(rng)
    frames = []
    for scale in (0.0, 0.004, 0.02, 0.1):
        frame = base.copy()
        frame.positions += scale * rng.normal(size=frame.positions.shape)
        frames.append(frame)
        again = disguised(frame, rng)
        again.positions += rng.choice([0.0, 0.001, 0.003]) * rng.normal(size=again.positions.shape)
        again.set_cell(again.cell.array * (1.0 + rng.choice([0.0, 0.0005, 0.003])), scale_atoms=True)
        frames.append(again)
    index = StructureIndex(MAX_DISPLACEMENT)
    shapes = [Shape(frame) for frame in frames]
    for number, shape in enumerate(shapes):
        alike = index.alike("method", shape)
        for name in map(str, range(number)):
            expected, found = pymatgen_distance(frames[int(name)], frames[number]), compare(shapes[int(name)], shape)
            if expected is not None and expected > 0.98 * MAX_DISPLACEMENT:
                continue  # which of two means of the cell the distance is measured in decides
            assert (found is not None) == (expected is not None), (name, number, expected, found)
            if found is not None:
                assert found.displacement == pytest.approx(expected, rel=0.01, abs=1e-6)
                assert name in alike
        index.add("method", str(number), shape, 0.0)


def test_displaced_atoms_of_a_finite_difference_are_other_inputs_than_their_parent():
    """phonopy displaces by 0.01 A: the same structure by its place, but not the same calculation."""
    base = bulk("MgO", "rocksalt", a=4.2, cubic=True)
    for shift, same in ((0.0004, True), (0.0099, False)):
        moved = base.copy()
        moved.positions[0, 0] += shift
        match = compare(Shape(base), Shape(moved))
        assert match is not None
        assert match.displacement == pytest.approx(shift * 7 / 8)
        assert match.same_input == same == (match.displacement <= SAME_INPUT)
    strained = base.copy()
    strained.set_cell(base.cell * 1.0005, scale_atoms=True)
    match = compare(Shape(base), Shape(strained))
    assert match is not None
    assert match.strain == pytest.approx(0.0005)
    assert not match.same_input


def test_atoms_at_the_same_places_with_elements_exchanged_differ():
    one = bulk("MgO", "rocksalt", a=4.2, cubic=True).repeat((2, 1, 1))
    other = one.copy()
    magnesium, oxygen = (int(np.flatnonzero(one.numbers == z)[0]) for z in (12, 8))
    other.numbers[[magnesium, oxygen]] = other.numbers[[oxygen, magnesium]]
    assert not compare(Shape(one), Shape(other))
    assert pymatgen_distance(one, other) is None


def test_sheets_and_single_atoms_are_compared():
    sheet = graphene(vacuum=8.0)
    assert sheet.pbc.tolist() == [True, True, False]
    moved = sheet.copy()
    moved.positions[:, 2] += 0.4
    assert compare(Shape(sheet), Shape(moved))
    moved.positions[0, 2] += 0.1
    assert not compare(Shape(sheet), Shape(moved))
    assert compare(Shape(Atoms("H")), Shape(Atoms("H", [[1, 1, 1]])))
    assert compare(Shape(bulk("Cu")), Shape(bulk("Cu")))
    assert not compare(Shape(bulk("Cu")), Shape(bulk("Cu", a=3.7)))


@pytest.mark.parametrize(("amplitude", "share"), [(0.02, 0.1), (0.03, 0.0), (0.1, 0.0)])
def test_rattles_of_one_cell_are_told_apart_without_matching(amplitude, share):
    """What keeps thousands of frames fast: nearly no pair is left to be compared atom by atom."""
    base = bulk("MgO", "rocksalt", a=4.2, cubic=True).repeat((2, 2, 2))
    index, left = StructureIndex(MAX_DISPLACEMENT), 0
    for seed in range(60):
        frame = base.copy()
        frame.rattle(amplitude, seed=seed)
        left += len(index.alike("method", Shape(frame)))
        index.add("method", str(seed), Shape(frame), 0.0)
    assert left <= share * 60 * 59 / 2


def test_other_energies_only_when_asked():
    shape, index = Shape(bulk("Cu")), StructureIndex(MAX_DISPLACEMENT)
    index.add("method", "first", shape, -1.0)
    index.add("method", "second", shape, -1.5)
    index.add("another", "third", shape, -1.5)
    assert index.alike("method", shape) == ["first", "second"]
    assert index.alike("method", shape, other_energy=(-1.0, 0.001)) == ["second"]
    assert index.alike("unknown", shape) == []
