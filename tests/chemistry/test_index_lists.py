"""Whatever is done to atoms, their lists of indices name the same atoms as before."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.constraints import FixAtoms
from hypothesis import given, settings
from hypothesis import strategies as st

from screening.chemistry.index_lists import (
    INDEX_LISTS,
    joined,
    lone_missing,
    marked_as,
    marks,
    taken,
    unsound,
    without,
    without_lists,
)
from screening.structures.elements import by_element
from screening.structures.hops.supercells import isotropic_supercell
from screening.structures.interfaces.two_slabs import combine, split

ELEMENTS = ("Li", "Nb", "O", "Mg", "Ta")


@st.composite
def marked_atoms(draw: st.DrawFn) -> Atoms:
    """Atoms at places of their own in a wide cell, each list with any of them."""
    symbols = draw(st.lists(st.sampled_from(ELEMENTS), min_size=2, max_size=12))
    atoms = Atoms(symbols, positions=[(1.0 * i, 0.3 * i * i, 7.0 - 0.5 * i) for i in range(len(symbols))])
    atoms.set_cell([40.0, 60.0, 40.0])
    atoms.pbc = True
    for key in INDEX_LISTS:
        atoms.info[key] = draw(st.lists(st.integers(0, len(atoms) - 1), unique=True, max_size=4))
    atoms.set_constraint(FixAtoms(indices=draw(st.lists(st.integers(0, len(atoms) - 1), unique=True, min_size=1))))
    atoms.set_array("region", np.array(draw(st.lists(st.integers(0, 1), min_size=len(atoms), max_size=len(atoms)))))
    return atoms


def named(atoms: Atoms, key: str) -> set[tuple[str, tuple[float, ...]]]:
    """Element and place of every atom that a list names."""
    return {(atoms.symbols[i], tuple(atoms.positions[i].round(6))) for i in marks(atoms, key)}


def fixed(atoms: Atoms) -> set[tuple[float, ...]]:
    return {tuple(atoms.positions[i].round(6)) for c in atoms.constraints for i in c.index}


def places(atoms: Atoms) -> set[tuple[float, ...]]:
    return {tuple(position.round(6)) for position in atoms.positions}


@given(marked_atoms(), st.data())
@settings(deadline=None)
def test_deletion(atoms: Atoms, data: st.DataObject) -> None:
    gone = data.draw(st.lists(st.integers(0, len(atoms) - 1), unique=True, max_size=len(atoms) - 1))
    left = without(atoms, gone)
    assert len(left) == len(atoms) - len(gone)
    for key in INDEX_LISTS:
        assert named(left, key) == {item for item in named(atoms, key) if item[1] in places(left)}
    assert fixed(left) == fixed(atoms) & places(left)


@given(marked_atoms(), st.data())
@settings(deadline=None)
def test_permutation(atoms: Atoms, data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(atoms))))
    for moved in (taken(atoms, order), by_element(atoms), by_element(atoms, order)):
        assert sorted(moved.symbols) == sorted(atoms.symbols)
        assert {key: named(moved, key) for key in INDEX_LISTS} == {key: named(atoms, key) for key in INDEX_LISTS}
        assert fixed(moved) == fixed(atoms)


@given(marked_atoms(), marked_atoms())
@settings(deadline=None)
def test_joining(first: Atoms, second: Atoms) -> None:
    second.positions += 20.0
    whole = joined(first, second)
    assert list(whole.symbols) == [*first.symbols, *second.symbols]
    for key in INDEX_LISTS:
        assert named(whole, key) == named(first, key) | named(second, key)
    assert fixed(whole) == fixed(first) | fixed(second)


@given(marked_atoms())
@settings(deadline=None)
def test_an_interface_taken_apart_and_put_together(atoms: Atoms) -> None:
    """The lists of an interface are those of its coating."""
    coating = np.flatnonzero(atoms.arrays["region"] == 1)
    for key in INDEX_LISTS:
        atoms.info[key] = [i for i in atoms.info[key] if i in coating]
    whole = combine(*split(atoms))
    for key in INDEX_LISTS:
        assert named(whole, key) == named(atoms, key)


def test_an_array_of_indices_and_a_missing_list() -> None:
    atoms = Atoms("LiMgO", positions=np.eye(3) * 5)
    atoms.info["dopant_indices"] = np.array([1])
    left = without(atoms, [0])
    assert left.info == {"dopant_indices": [0]}
    assert marks(atoms, "dopant_indices") == [1]
    assert marks(atoms, "antisite_indices") == []


def test_every_copy_of_a_dopant_is_marked_in_a_supercell() -> None:
    atoms = Atoms("MgO", scaled_positions=[[0, 0, 0], [0.5, 0.5, 0.5]], cell=[3.0, 3.0, 3.0], pbc=True)
    atoms.info = {"dopant_indices": [0], "vacant_li_sites": [[0.1, 0.2, 0.3]], "crystal": "MgO"}
    large = isotropic_supercell(atoms, 8)
    assert len(large) == 16
    assert [large.symbols[i] for i in large.info["dopant_indices"]] == ["Mg"] * 8
    assert len(set(large.info["dopant_indices"])) == 8
    # a place in fractions of the small cell is none in those of the large one
    assert "vacant_li_sites" not in large.info
    assert "origin" not in large.arrays
    assert large.info["crystal"] == "MgO"


def test_a_list_that_was_left_behind_is_a_mistake_in_the_program() -> None:
    atoms = Atoms("LiMg", positions=[[0, 0, 0], [3, 0, 0]])
    atoms.info["dopant_indices"] = [1]
    del atoms[0]
    with pytest.raises(IndexError, match="dopant_indices names atom 1 of 1"):
        taken(atoms, [0])


# -- lists of stores that were written before lists moved with atoms


def doped_cell() -> Atoms:
    atoms = Atoms("Li4MgNb2O6", positions=[(2.1 * i, 0.4 * (i % 3), 0.0) for i in range(13)])
    atoms.set_cell([40.0, 20.0, 20.0])
    atoms.pbc = True
    atoms.info = {"dopant_indices": [4], "antisite_indices": [], "interstitial_indices": [3], "void_sites": [[0, 0, 0]]}
    return atoms


@pytest.mark.parametrize(
    ("key", "indices", "reason"),
    [
        ("dopant_indices", [13], "does not have"),
        ("dopant_indices", [-1], "does not have"),
        ("dopant_indices", [5], "does not name all atoms of its elements"),  # one of two Nb
        ("dopant_indices", [3], "does not name all atoms of its elements"),  # one of four Li
        ("dopant_indices", [4, 4], "twice"),
        ("interstitial_indices", [4], "no Li"),
    ],
)
def test_what_cannot_be_right_is_found(key: str, indices: list[int], reason: str) -> None:
    atoms = doped_cell()
    assert unsound(atoms) == []
    atoms.info[key] = indices
    (found,) = unsound(atoms)
    assert found.startswith(key)
    assert reason in found
    bare = without_lists(atoms)
    assert set(bare.info) == {"void_sites"}
    assert unsound(bare) == []


def test_a_dopant_that_the_cathode_holds_too_is_judged_by_the_coating() -> None:
    atoms = doped_cell()
    atoms.numbers[[0, 4]] = 28
    atoms.set_array("region", np.array([0] * 4 + [1] * 9))
    assert unsound(atoms) == []


@given(st.integers(0, 3), st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_the_lists_of_a_smaller_cell_come_from_the_whole_one(removed: int, seed: int) -> None:
    """The stored lists count for nothing, and the other atoms may have relaxed."""
    whole = doped_cell()
    stale = whole.copy()
    del stale[removed]
    stale.positions += np.random.default_rng(seed).normal(scale=0.2, size=stale.positions.shape)
    assert lone_missing(whole, stale) == removed
    mended = marked_as(stale, whole)
    assert mended.info["dopant_indices"] == [3]
    assert [mended.symbols[i] for i in mended.info["dopant_indices"]] == ["Mg"]
    assert mended.info["interstitial_indices"] == ([] if removed == 3 else [2])


def test_cells_that_do_not_differ_by_one_atom_keep_their_own_lists() -> None:
    whole = doped_cell()
    for other in (whole, without(whole, [0, 1]), Atoms("O12", positions=np.eye(12, 3))):
        assert lone_missing(whole, other) is None
        assert marked_as(other, whole) is other
