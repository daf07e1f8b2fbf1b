"""Predicted phases: known crystals come back, and nothing comes back that could not exist."""

import pytest
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Composition, Lattice, Structure
from pymatgen.io.ase import AseAtomsAdaptor

from screening.errors import UserError
from screening.structures.crystals.closeness import shortest_distance_in_radii
from screening.structures.crystals.phases import PREDICTED_SOURCE, PhaseFacts, phase_structures, space_group_number
from screening.structures.crystals.substitution import elemental_phases, predict, substituted_phases, substitutions
from screening.structures.crystals.substitution_templates import (
    Template,
    known_ions,
    likely_charges,
    stand_in,
    templates,
)


@pytest.fixture(scope="module")
def praseodymium() -> list[PhaseFacts]:
    return substituted_phases("Pr", {"Li", "Nb", "O", "Pr"})


def without(element: str, *, formulas: set[str] | None = None) -> list[Template]:
    """Templates that do not hold an element, of some formulas only when they are given."""
    return [t for t in templates() if element not in t.charges and (formulas is None or t.formula in formulas)]


def crystal(facts: PhaseFacts) -> Structure:
    return AseAtomsAdaptor.get_structure(phase_structures(facts)[0])


@pytest.mark.parametrize(
    ("element", "formula", "from_formulas", "space_group", "volume"),
    [
        ("Cr", "Cr2O3", {"Al2O3"}, 167, 9.62),  # a = 4.958, c = 13.594 A
        ("Sr", "SrO", {"NaCl", "CaO", "MgO"}, 225, 17.12),  # a = 5.154 A
        ("Hf", "HfO2", {"ZrO2"}, 14, 11.53),  # 5.117, 5.175, 5.291 A, beta = 99.2
        ("Pr", "Pr2O3", {"Mn3FeO6", "Y2O3", "Sc2O3"}, 206, 17.33),  # C type, a = 11.15 A
    ],
)
def test_known_isotype_is_recovered_at_about_its_volume(element, formula, from_formulas, space_group, volume):
    """Volumes (A^3 per atom) of the cells in the comments; reference lattice scaling is good to some ten per cent."""
    found = predict(element, {element, "O"}, without(element, formulas=from_formulas))
    (match,) = [f for f in found if f.formula == formula and f.space_group == space_group][:1]
    assert match.volume == pytest.approx(volume, rel=0.15)


def test_substituted_rock_salt_is_rock_salt():
    halite = [t for t in templates() if t.name == "NaCl-AB_cF8_225_a_b"]
    found = predict("Sr", {"Sr", "O"}, halite)
    expected = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.15), ["Sr", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    assert [f.name for f in found] == ["SrO~NaCl-AB_cF8_225_a_b"]
    assert StructureMatcher().fit(crystal(found[0]), expected)


def test_several_ions_are_replaced_at_once():
    """LiNbO3 from FeTiO3: no ion but oxygen stays."""
    ilmenite = [t for t in templates() if t.name == "TiFeO3-AB3C_hR10_148_c_f_c"]
    found = predict("Nb", {"Li", "Nb", "O"}, ilmenite, threshold=1e-6)
    likeliest = next(f for f in found if f.formula == "LiNbO3")
    assert likeliest.space_group == 148
    assert "Ti4+->Nb5+" in likeliest.source
    assert "Fe2+->Li+" in likeliest.source


def test_predictions_hold_the_element_and_only_the_system(praseodymium):
    assert len({f.name for f in praseodymium}) == len(praseodymium) > 3
    for facts in praseodymium:
        assert "Pr" in facts.composition
        assert len(facts.composition) > 1
        assert set(facts.composition) <= {"Li", "Nb", "O", "Pr"}


def test_predictions_are_marked_and_sane(praseodymium):
    for facts in praseodymium:
        assert facts.substituted
        assert facts.source.startswith(PREDICTED_SOURCE)
        assert facts.name.startswith(f"{facts.formula}~")
        for atoms in phase_structures(facts):
            assert shortest_distance_in_radii(atoms) > 0.6
            assert len(atoms) <= 40
            if facts.entry["space_group"] != "P1":
                assert space_group_number(atoms, symprec=0.01) == facts.space_group


def test_at_most_three_different_structures_per_composition(praseodymium):
    formulas = [f.formula for f in praseodymium]
    matcher = StructureMatcher()
    for formula in set(formulas):
        crystals = [crystal(f) for f in praseodymium if f.formula == formula]
        assert len(crystals) <= 3
        for index, one in enumerate(crystals):
            assert not any(matcher.fit(one, other) for other in crystals[:index])


def test_predictions_are_the_same_every_time(praseodymium):
    again = substituted_phases("Pr", {"O", "Pr", "Nb", "Li"})
    assert [(f.name, f.source, f.entry) for f in again] == [(f.name, f.source, f.entry) for f in praseodymium]


@pytest.mark.parametrize("element", ["Cr", "Sr", "Pm", "Mn", "F"])
def test_every_substitution_is_neutral_and_probable_enough(element):
    ions = [ion for symbol in sorted({"Li", "Nb", "O", element}) for ion in known_ions(symbol)]
    count = 0
    for template in templates():
        amounts = Composition(template.formula).get_el_amt_dict()
        for one in substitutions(template, ions, threshold=1e-3):
            count += 1
            assert sum(q * amounts[old] for old, (_, q) in one.ions.items()) == 0
            assert len(set(one.ions.values())) == len(one.ions)
            assert one.probability >= 1e-3
    assert count > 10


def test_higher_threshold_keeps_a_subset():
    ions = [ion for symbol in ("Cr", "Li", "Nb", "O") for ion in known_ions(symbol)]

    def found(threshold: float) -> set[str]:
        return {s.source for t in templates() for s in substitutions(t, ions, threshold=threshold)}

    assert found(1e-2) < found(1e-3)


def test_ion_without_probabilities_is_taken_as_a_neighbour():
    """The table has no Pm3+; its radius (1.11 A) lies between those of Nd3+ and Sm3+."""
    assert stand_in(("Nd", 3)) == ("Nd", 3)
    assert stand_in(("Pm", 3)) in {("Nd", 3), ("Sm", 3)}
    found = predict("Pm", {"Pm", "O"}, without("Pm", formulas={"Al2O3", "La2O3"}))
    assert found
    assert all("Pm3+ taken as" in f.source for f in found)


@pytest.mark.parametrize(
    ("formula", "charges"),
    [
        ("LiNbO3", {"Li": 1, "Nb": 5, "O": -2}),
        ("FeS2", {"Fe": 2, "S": -1}),
        ("Al2O3", {"Al": 3, "O": -2}),
        ("Cr23C6", None),
        ("CuAu", None),
    ],
)
def test_charges_of_templates(formula, charges):
    assert likely_charges(formula) == charges


@pytest.mark.parametrize("element", ["He", "Xx"])
def test_what_has_no_compounds_is_refused_in_one_sentence(element):
    for call in (lambda: substituted_phases(element, {"Li", "O", element}), lambda: elemental_phases(element)):
        with pytest.raises(UserError, match=f"datasets/phases/{element.lower()}.yaml"):
            call()


def test_system_without_partners_is_refused():
    with pytest.raises(UserError, match="no compound of Pr with nothing"):
        substituted_phases("Pr", {"Pr"})


def test_elemental_candidates():
    tungsten = elemental_phases("W")
    assert [f.space_group for f in tungsten] == [229]  # AFLOW: bcc
    packed = elemental_phases("Rb")  # no prototype
    assert [f.space_group for f in packed] == [225, 194, 229]
    assert all(f.substituted and f.composition == {"Rb": 1} for f in packed)
    assert packed[0].volume == pytest.approx(packed[1].volume, rel=1e-4)  # both close packed
