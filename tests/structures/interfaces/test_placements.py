from dataclasses import replace
from typing import Literal

import numpy as np
import pytest

from screening.chemistry.candidate import Candidate, Defects, Substitution
from screening.errors import CandidateFailed
from screening.structures.interfaces.interface import Parent, split
from screening.structures.interfaces.placements import place

PRISTINE = Candidate(host="LiNbO3", n_fu=12)


def _mg(count: int) -> Candidate:
    defects = Defects(substitutions=(Substitution(element="Mg", charge=2, site="Li", count=count),), li_vacancies=count)
    return Candidate(host="LiNbO3", n_fu=12, defects=defects, compensation="li_vacancy", x_requested=count / 12)


def _zr_on_nb(count: int) -> Candidate:
    defects = Defects(
        substitutions=(Substitution(element="Zr", charge=4, site="Nb", count=count),), li_interstitials=count
    )
    return Candidate(host="LiNbO3", n_fu=12, defects=defects, compensation="li_interstitial", x_requested=count / 12)


@pytest.mark.parametrize("candidate", [PRISTINE, _mg(1), _mg(3), _zr_on_nb(1)], ids=lambda c: c.name)
@pytest.mark.parametrize("where", ["contact", "inner"])
def test_equal_effort_neutral_and_no_dopant_at_the_vacuum(
    standard_parent: Parent, candidate: Candidate, where: Literal["contact", "inner"]
) -> None:
    placements = place(standard_parent.atoms, candidate, where=where, k=3, n_draws=8, seed=1)
    assert len({p.label for p in placements}) == 3
    for p in placements:
        atoms = p.atoms
        assert atoms.arrays["oxidation_state"].sum() == 0
        planes = atoms.arrays["plane"][atoms.info.get("dopant_indices", [])]
        assert (planes == 0).all() if where == "contact" else ((planes > 0) & (planes < 3)).all()
        assert (atoms.arrays["region"][atoms.info.get("dopant_indices", [])] == 1).all()
        np.testing.assert_array_equal(
            split(atoms)[0].numbers, split(standard_parent.atoms)[0].numbers
        )  # the cathode is untouched
        assert (atoms.constraints[0].index == standard_parent.atoms.constraints[0].index).all()


def test_counts_are_those_of_the_coatings_own_size(standard_parent: Parent) -> None:
    """1/12 of 32 formula units is 3 Mg and 3 vacancies."""
    (placement,) = place(standard_parent.atoms, _mg(1), where="contact", k=1, n_draws=4, seed=0)
    coating = split(placement.atoms)[1].symbols.formula.count()
    assert (coating["Mg"], coating["Li"], coating["Nb"]) == (3, 26, 32)
    assert len(placement.atoms.info["vacant_li_sites"]) == 3


def test_vacancies_keep_away_from_the_vacuum(standard_parent: Parent) -> None:
    for p in place(standard_parent.atoms, _mg(2), where="contact", k=4, n_draws=10, seed=2):
        coating = split(p.atoms)[1]
        last = coating.arrays["plane"] == 3
        assert (coating.symbols[last] == "Li").sum() == 8


def test_ewald_order_and_determinism(thin_parent: Parent) -> None:
    first = place(thin_parent.atoms, _mg(1), where="contact", k=3, n_draws=12, seed=7)
    again = place(thin_parent.atoms, _mg(1), where="contact", k=3, n_draws=12, seed=7)
    energies = [p.ewald_energy for p in first]
    assert energies == sorted(energies)
    for a, b in zip(first, again, strict=True):
        np.testing.assert_allclose(a.atoms.positions, b.atoms.positions)


def test_pristine_starts_differ_and_keep_frozen_atoms(thin_parent: Parent) -> None:
    starts = place(thin_parent.atoms, PRISTINE, where="contact", k=3, n_draws=1, seed=0)
    base = thin_parent.atoms
    np.testing.assert_allclose(starts[0].atoms.positions, base.positions)
    moves = [np.linalg.norm(s.atoms.positions - base.positions, axis=1) for s in starts[1:]]
    assert (np.array(moves)[:, base.constraints[0].index] == 0).all()
    assert moves[0].max() > 1.0  # one Li in another octahedron
    assert (moves[0] > 1.0).sum() == 1
    assert base.symbols[int(moves[0].argmax())] == "Li"
    assert 0.02 < moves[1].max() < 0.4


def test_interstitials_sit_in_empty_octahedra(thin_parent: Parent) -> None:
    (p,) = place(thin_parent.atoms, _zr_on_nb(1), where="contact", k=1, n_draws=6, seed=0)
    (index,) = p.atoms.info["interstitial_indices"]
    assert p.atoms.symbols[index] == "Li"
    assert p.atoms.arrays["region"][index] == 1
    distances = np.delete(p.atoms.get_distances(index, range(len(p.atoms)), mic=True), index)
    assert distances.min() > 1.6
    free = np.array(p.atoms.info["void_sites"]) - p.atoms.get_scaled_positions(wrap=False)[index]
    assert len(free)
    assert np.linalg.norm((free - np.rint(free)) @ p.atoms.cell.array, axis=1).min() > 2.0


def test_two_planes_have_no_inner_one(thin_parent: Parent) -> None:
    assert place(thin_parent.atoms, _mg(1), where="inner", k=2, n_draws=4, seed=0) == []


def test_too_many_dopants_are_refused_rather_than_put_at_the_vacuum(thin_parent: Parent) -> None:
    ta = Substitution(element="Ta", charge=5, site="Nb", count=9)
    heavy = replace(PRISTINE, defects=Defects(substitutions=(ta,)), x_requested=0.75)
    with pytest.raises(CandidateFailed, match="vacuum-facing"):
        place(thin_parent.atoms, heavy, where="contact", k=1, n_draws=2, seed=0)


def test_a_full_contact_plane_spills_inwards(standard_parent: Parent) -> None:
    ta = Substitution(element="Ta", charge=5, site="Nb", count=4)
    third = replace(PRISTINE, defects=Defects(substitutions=(ta,)), x_requested=1 / 3)
    (p,) = place(standard_parent.atoms, third, where="contact", k=1, n_draws=4, seed=0)
    assert p.flags == ("dopants_beyond_plane",)
    assert set(p.atoms.arrays["plane"][p.atoms.info["dopant_indices"]]) == {0, 1}
