"""Windows of compositions: analytic hulls, the two kinds of window, bad formulas."""

import io
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from matplotlib.patches import StepPatch
from phase_toys import phase
from pymatgen.analysis.phase_diagram import GrandPotentialPhaseDiagram, PDEntry
from pymatgen.core import Composition, Element
from rich.console import Console

from screening.assets import asset
from screening.chemistry.formula import read_formula
from screening.engine.running.records import PotentialId
from screening.errors import UserError
from screening.properties.stability import hull
from screening.properties.stability.phase_files import read_energies
from screening.properties.stability.phases import PhaseEnergy
from screening.properties.stability.window import formula_window, parse_formula, reactions_with, window_document
from screening.report.window import plot_name, print_reactions, window_figure

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


@pytest.fixture(scope="module")
def chgnet() -> list[PhaseEnergy]:
    path = asset("datasets", "energies") / "chgnet.json"
    potential_id = PotentialId("chgnet", json.loads(path.read_text())["checkpoint_sha256"])
    return list(read_energies(path, potential_id, origin="shipped").values())


def system(formula: str, phases: list[PhaseEnergy]) -> list[PhaseEnergy]:
    elements = set(parse_formula(formula)) | {"Li"}
    return [p for p in phases if p.usable and set(p.composition) <= elements]


@pytest.mark.parametrize("formula", ["LiNbO3", "Li3PS4", "Li2S", "S", "O2", "[Li5/6Mg1/12]NbO3", "LiOH", "Li6PS5Cl"])
def test_driving_force_is_the_decomposition_energy_at_every_voltage(formula, chgnet):
    """Against one linear program per voltage, which knows nothing of breakpoints; also what the plot draws."""
    phases = system(formula, chgnet)
    window = formula_window(formula, phases)
    composition = parse_formula(formula)
    own = [p.energy_per_atom for p in phases if p.name == window.phase]
    energy = own[0] if window.kind == "own" else hull.decompose(composition, phases).energy
    line = window_figure(window, energies="chgnet").axes[0].lines[0]
    volts, force = (np.asarray(axis) for axis in line.get_data())
    for voltage in [*np.linspace(0, hull.V_MAX, 97), window.reduction, window.oxidation, 4.3]:
        exact, _ = hull.driving_force(composition, energy, float(voltage), phases)
        assert window.driving_force(float(voltage)) == pytest.approx(exact, abs=1e-6)
        assert np.interp(voltage, volts, force) == pytest.approx(exact, abs=1e-6)


def test_driving_force_is_what_pymatgen_finds(chgnet):
    phases = system("LiNbO3", chgnet)
    window = formula_window("LiNbO3", phases)
    entries = [PDEntry(Composition(dict(p.composition)), p.energy_per_atom * p.n_atoms) for p in phases]
    own = next(e for e in entries if e.composition.reduced_formula == "LiNbO3")
    for voltage in (0.3, 1.2, 2.5, 3.9, 4.3, 5.0):
        mu = hull.li_reference(phases) - voltage
        diagram = GrandPotentialPhaseDiagram(entries, {Element("Li"): mu})
        lowest = diagram.get_hull_energy_per_atom(Composition("NbO3")) * 4
        assert window.driving_force(voltage) == pytest.approx((own.energy - mu - lowest) / 5, abs=1e-6)


def test_plot_is_zero_inside_the_window_and_right_outside(chgnet):
    window = formula_window("LiNbO3", system("LiNbO3", chgnet))
    figure = window_figure(window, energies="chgnet")
    volts, force = (np.asarray(axis) for axis in figure.axes[0].lines[0].get_data())
    assert {window.reduction, window.oxidation} <= set(volts)
    assert np.all(force >= 0)
    assert np.all(force[(volts >= window.reduction) & (volts <= window.oxidation)] == 0)
    assert np.all(np.diff(np.diff(force) / np.diff(volts)) > -1e-6)  # convex
    assert np.interp(4.3, volts, force) == pytest.approx(0.089, abs=5e-4)
    drawn = figure.axes[1].patches[0]
    assert isinstance(drawn, StepPatch)
    steps: Any = drawn.get_data()  # a named tuple
    inside = np.searchsorted(steps.edges, 2.5) - 1
    assert steps.values[inside] == 0  # a stable crystal takes up no Li


def test_rows_meet_at_the_ends_of_the_window(chgnet):
    window = formula_window("LiNbO3", system("LiNbO3", chgnet))
    (inside,) = [row for row in window.profile if row["products"] == {"LiNbO3": 1.0}]
    assert (inside["low"], inside["high"]) == (window.reduction, window.oxidation)
    for one, following in zip(window.profile, window.profile[1:], strict=False):
        assert one["driving_force_high"] == pytest.approx(following["driving_force"], abs=1e-6)
    document = window_document(window, "chgnet")
    assert document["profile"] == window.profile


@pytest.mark.parametrize(
    ("rounded", "exact"),
    [
        ("[Li0.833Mg0.083]NbO3", "[Li5/6Mg1/12]NbO3"),
        ("Li0.8333Mg0.0833NbO3", "[Li5/6Mg1/12]NbO3"),
        ("[Li0.667Mg0.167]NbO3", "[Li2/3Mg1/6]NbO3"),
        ("[Li0.667Zr0.083]NbO3", "[Li2/3Zr1/12]NbO3"),
        ("[Li0.333Zr0.167]NbO3", "[Li1/3Zr1/6]NbO3"),
        ("Li1.25[Nb0.917Mg0.083]O3", "Li5/4[Nb11/12Mg1/12]O3"),
        ("Li1.083[Nb0.917Zr0.083]O3", "Li13/12[Nb11/12Zr1/12]O3"),
        ("Li0.79Mg0.104NbO3", "Li[0.792]Mg[0.104]NbO3"),
    ],
)
def test_rounding_does_not_decide_a_window(rounded, exact, chgnet):
    phases = system(exact, chgnet)
    one, other = formula_window(rounded, phases), formula_window(exact, phases)
    assert (one.reduction, one.oxidation) == pytest.approx((other.reduction, other.oxidation), abs=1e-4)
    assert one.oxidation - one.reduction > 1.0
    assert one.read.note


def test_window_of_a_doped_niobate_that_a_ranking_prints(chgnet):
    window = formula_window("[Li0.833Mg0.083]NbO3", system("LiMgNbO3", chgnet))
    assert (window.reduction, window.oxidation) == pytest.approx((1.84, 3.86), abs=0.005)
    document = window_document(window, "chgnet")
    assert (document["formula"], document["read_as"]) == ("[Li0.833Mg0.083]NbO3", "[Li5/6Mg1/12]NbO3")
    assert "fractions" in document["note"]
    assert document["decomposition"] == pytest.approx({"LiNbO3": 5 / 6, "MgNb2O6": 1 / 12}, abs=1e-5)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("LiNbO3", "window-LiNbO3.png"),
        ("[Li0.833Mg0.083]NbO3", "window-[Li5of6Mg1of12]NbO3.png"),
        ("CaSO4.1/2H2O", "window-CaSO4-1of2H2O.png"),
        ("MgCl2*6H2O", "window-MgCl2-6H2O.png"),
    ],
)
def test_the_name_of_a_plot_is_one_file_name(text, name):
    assert plot_name(read_formula(text)) == name


def test_a_long_formula_has_a_file_name_too():
    assert len(plot_name(read_formula("Li1/2Na1/2O" * 15))) < 150


def test_an_element_is_its_own_reference():
    """S turns into Li2S below V = -(E(Li2S) - 2 E(Li) - E(S)) / 2, and into nothing above."""
    volts = -(3 * LI2S.energy_per_atom - 2 * LI.energy_per_atom - S.energy_per_atom) / 2
    window = formula_window("S", [LI, S, LI2S])
    assert (window.reduction, window.oxidation) == (pytest.approx(volts, abs=1e-5), hull.V_MAX)
    assert (window.kind, window.phase, window.e_above_hull) == ("own", "S", None)
    assert (window.products_reduction, window.li_reduction) == ({"Li2S": 1.0}, 2.0)
    assert (window.products_oxidation, window.decomposition) == ({}, {})
    assert window.driving_force(0.0) == pytest.approx(2 * volts)
    document = window_document(window, "toy")
    assert (document["no_limit_reduction"], document["no_limit_oxidation"]) == (False, True)


def test_a_metal_that_li_leaves_alone_has_no_limits(chgnet):
    window = formula_window("Nb", system("Nb", chgnet))
    assert (window.reduction, window.oxidation, window.kind) == (0.0, hull.V_MAX, "own")
    assert np.all(window.driving_force_curve()[1] == 0)
    assert window.remark.startswith("no compound of Nb with Li is among")
    assert formula_window("S", system("S", chgnet)).remark.startswith("it holds no Li to give off")


def test_only_a_compound_without_li_has_no_oxidation_limit_by_its_nature(chgnet):
    oxide, lithiated = (formula_window(text, system("Li Nb O", chgnet)) for text in ("Nb2O5", "LiNbO3"))
    assert oxide.oxidation == hull.V_MAX
    assert oxide.remark.endswith("so that it has no oxidation limit")
    assert lithiated.oxidation < hull.V_MAX
    assert lithiated.remark == ""


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Li0.99NbO3", "charges of Li0.99NbO3 are off by -0.01 e"),
        ("LiNbO2.99", "off by +0.02 e"),
        ("Li0.9Mg0.05NbO3", ""),  # balanced
        ("LiNbO2.5", ""),  # nobody takes that for a slip
        ("LiNb0.99Fe0.01O3", ""),  # Fe takes what charge is left
        ("LiNbO3", ""),
    ],
)
def test_charges_that_all_but_balance_are_said_since_what_is_left_over_decides(text, says, chgnet):
    remark = formula_window(text, system("Li Nb O Mg Fe", chgnet)).remark
    assert says in remark
    assert bool(says) == bool(remark)


def test_a_quarantined_crystal_that_nothing_replaces_is_refused_with_the_reason():
    refused = [phase("S", {"S": 1}, -4.0, gate="volume differs by +20.0 %")]
    with pytest.raises(UserError, match=r"S has no energy: the crystal S is listed but quarantined \(volume differs"):
        formula_window("S", [LI, phase("Nb", {"Nb": 1}, -10.0)], refused=refused)


def test_oxygen_ends_where_li2o2_forms(chgnet):
    energies = {p.name: p.energy_per_atom for p in chgnet if p.usable}
    window = formula_window("O2", system("O2", chgnet))
    volts = -(4 * energies["Li2O2"] - 2 * energies["Li"] - 2 * energies["O2"]) / 2
    assert (window.reduction, window.oxidation) == (pytest.approx(volts, abs=1e-4), hull.V_MAX)
    assert window.products_reduction == {"Li2O2": 1.0}


def test_a_quarantined_crystal_is_named_with_its_reason(chgnet):
    refused = [p for p in chgnet if not p.usable]
    window = formula_window("LiOH", system("LiOH", chgnet), refused=refused)
    assert (window.kind, window.phase) == ("pinned", None)
    assert window.why_pinned.startswith("the crystal LiOH is listed but quarantined (volume differs by")
    document = window_document(window, "chgnet")
    assert document["why_pinned"] == window.why_pinned
    assert list(document["quarantined_phases"]) == ["LiOH"]


def test_why_a_window_is_pinned_is_always_said():
    assert "no crystal of this composition" in formula_window("Li2S1.5", [LI, S, LI2S]).why_pinned
    ground = (3 * LI2S.energy_per_atom + S.energy_per_atom) / 4
    metastable = phase("Li2S2", {"Li": 2, "S": 2}, ground + 0.03)
    assert "Li2S2 is stable at no voltage" in formula_window("Li2S2", [LI, S, LI2S, metastable]).why_pinned
    assert formula_window("Li2S", [LI, S, LI2S]).why_pinned == ""


@pytest.mark.parametrize("text", ["", "Li2Xx", "hello", "Li-2S", "X2O", "Li0"])
def test_text_that_is_no_formula_is_refused(text):
    with pytest.raises(UserError, match="chemical formula"):
        parse_formula(text)


def test_lithium_alone_is_refused():
    with pytest.raises(UserError, match="reference"):
        formula_window("Li", [LI, S, LI2S])


def test_a_reaction_without_the_first_reactant_takes_no_share_of_it():
    """The linear program's zero may be -0.0, which was printed as -0 %."""
    partner = reactions_with("Li2S", ["S"], [LI, S, LI2S], voltage=4.3)
    rows = [(name, replace(reaction, mixing=-0.0)) for name, reaction in partner]
    file = io.StringIO()
    print_reactions(Console(file=file, width=120), "Li2S", rows, pinned={})
    assert "-0 %" not in file.getvalue()
    assert " 0 %" in file.getvalue()
