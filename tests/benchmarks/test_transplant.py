"""Carrying a relaxation over to thicker slabs."""

import numpy as np
import pytest
from ase import Atoms
from transplant import transplant

from screening.config import load_settings
from screening.errors import CandidateFailed
from screening.structures.crystals.crystals import load_crystal
from screening.structures.interfaces.interface import find_parents, shift

INTERFACE = load_settings("quick", None, {}).interface


def interface(planes: int) -> Atoms:
    settings = INTERFACE.model_copy(update={"min_planes": planes})
    parent = find_parents(load_crystal("LiNbO3"), load_crystal("NCM811"), "NCM811", settings, 0)[0]
    return shift(parent.atoms, 0.25, 0.5, 2.1)


def relaxed(cut: Atoms) -> Atoms:
    moved = cut.copy()
    step = np.random.default_rng(1).normal(scale=0.3, size=(len(cut), 3))
    moved.set_positions(cut.positions + step, apply_constraint=True)
    return moved


@pytest.fixture(scope="module")
def thin() -> Atoms:
    return interface(2)


def test_the_same_slabs_get_the_same_relaxation(thin: Atoms) -> None:
    after = relaxed(thin)
    np.testing.assert_allclose(transplant(thin, after, thin).positions, after.positions, atol=1e-9)


def test_contact_and_surface_of_a_thick_pair_look_like_the_thin_one(thin: Atoms) -> None:
    thick, after = interface(4), relaxed(thin)
    moved = transplant(thin, after, thick)
    for region, plane, source in ((0, 0, 0), (1, 0, 0), (1, 3, 1)):
        here = (thick.arrays["region"] == region) & (thick.arrays["plane"] == plane)
        there = (thin.arrays["region"] == region) & (thin.arrays["plane"] == source)
        assert distances(moved[here]) == pytest.approx(distances(after[there]), abs=1e-6)
    inner = (thick.arrays["region"] == 1) & np.isin(thick.arrays["plane"], [1, 2])
    step = moved.positions - thick.positions
    for plane in (1, 2):
        own = step[inner & (thick.arrays["plane"] == plane)]
        np.testing.assert_allclose(own, own[:1].repeat(len(own), axis=0), atol=1e-12)
    frozen = thick.constraints[0].index
    assert np.abs(step[frozen]).max() == 0.0


def distances(atoms: Atoms) -> list[float]:
    """Sorted distances within a plane, periodic along it."""
    whole = atoms.copy()
    whole.pbc = [True, True, False]
    return sorted(whole.get_all_distances(mic=True).ravel().tolist())


def test_other_crystals_are_refused(thin: Atoms) -> None:
    other = interface(4)
    other.positions[:, 0] *= 1.02
    with pytest.raises(CandidateFailed, match="planes of the thin and the thick slab differ"):
        transplant(thin, relaxed(thin), other)
