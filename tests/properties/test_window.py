"""Windows of compositions: analytic hulls, the two kinds of window, bad formulas."""

import pytest
from phase_toys import phase

from screening.errors import UserError
from screening.properties import hull
from screening.properties.window import formula_window, parse_formula, window_document

LI, S = phase("Li", {"Li": 1}, -2.0), phase("S", {"S": 1}, -4.0)
LI2S = phase("Li2S", {"Li": 2, "S": 1}, (-4 - 4 - 4) / 3)
"""Forms with -4 eV: 2 V per Li."""


def test_binary_window_is_its_formation_energy_per_li():
    window = formula_window("Li2S", [LI, S, LI2S])
    assert (window.reduction, window.oxidation) == (0.0, pytest.approx(2.0, abs=1e-5))
    assert window.kind == "own"
    assert window.products_oxidation == {"S": 1.0}
    assert window.li_oxidation == -2
    assert window.e_above_hull == 0.0
    document = window_document(window, "toy")
    assert document["no_limit_reduction"] is True
    assert document["no_limit_oxidation"] is False


def test_metastable_crystal_gets_the_pinned_window_of_its_products():
    """Li2S2 30 meV/atom above Li2S + S: its own window is empty, pinned it has the voltage where both are."""
    ground = (3 * LI2S.energy_per_atom + S.energy_per_atom) / 4
    peroxide = phase("Li2S2", {"Li": 2, "S": 2}, ground + 0.03)
    window = formula_window("Li2S2", [LI, S, LI2S, peroxide])
    assert window.kind == "pinned"
    assert window.e_above_hull == pytest.approx(0.03, abs=1e-9)
    assert window.reduction == pytest.approx(2.0, abs=1e-5)
    assert window.oxidation == pytest.approx(2.0, abs=1e-5)
    assert window.decomposition == pytest.approx({"Li2S": 1, "S": 1})


def test_composition_without_a_crystal_is_pinned_and_has_no_distance_of_its_own():
    window = formula_window("Li2S1.5", [LI, S, LI2S])
    assert (window.kind, window.phase, window.e_above_hull) == ("pinned", None, None)


def test_profile_covers_all_voltages_and_its_driving_force_is_continuous():
    window = formula_window("Li2S", [LI, S, LI2S])
    assert window.profile[0]["low"] == 0.0
    assert window.profile[-1]["high"] == hull.V_MAX
    assert all(a["high"] == b["low"] for a, b in zip(window.profile, window.profile[1:], strict=False))
    # S against Li2S with its own energy: (V - 2) * 2 Li / 3 atoms
    last = window.profile[-1]
    assert last["driving_force"] == pytest.approx((last["low"] - 2.0) * 2 / 3, abs=1e-6)


@pytest.mark.parametrize("text", ["", "Li2Xx", "hello", "Li-2S", "X2O", "Li0"])
def test_text_that_is_no_formula_is_refused(text):
    with pytest.raises(UserError, match="chemical formula"):
        parse_formula(text)


def test_lithium_alone_is_refused():
    with pytest.raises(UserError, match="reference"):
        formula_window("Li", [LI, S, LI2S])
