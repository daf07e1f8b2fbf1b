"""The linear correction: lines that are known, when there is none, and the way through a card."""

import random
from dataclasses import replace

import numpy as np
import pytest
import yaml
from dft_toys import MLIP, record

from screening.errors import UserError
from screening.potentials.registry import built_in_base
from screening.retraining.softening import fit_softening, load_softening, softening_of
from screening.retraining.softening_line import Pair, fit_line

DFT = "dft:vasp-pbe:kim2026"


def pairs(points):
    return [Pair(candidate=f"c{i}", mlip=x, dft=y) for i, (x, y) in enumerate(points)]


def both(prop, points, unit="eV", y=None):
    details = {} if y is None else {"y": y}
    return [
        record(f"c{i}", prop, value, unit, fidelity=fidelity, details=details)
        for i, point in enumerate(points)
        for fidelity, value in zip((MLIP, DFT), point, strict=True)
    ]


def test_two_pairs_give_the_slope_of_least_squares_through_the_origin():
    line = fit_line("migration_barrier", "eV", pairs([(1.0, 1.5), (2.0, 2.0)]))
    # sum xy / sum x2 = 5.5 / 5
    assert (line.slope, line.offset) == (pytest.approx(1.1), 0.0)
    assert line.raw_error == pytest.approx(0.25)
    assert line.fit_error == pytest.approx((0.4 + 0.2) / 2)
    # left out: slope 1 from the second pair, 1.5 from the first
    assert line.left_out_error == pytest.approx((0.5 + 1.0) / 2)
    assert not line.helps


def test_exact_lines_are_found_and_predict_what_they_do_not_know():
    soft = fit_line("migration_barrier", "eV", pairs([(0.6, 0.9), (0.8, 1.2), (1.0, 1.5)]))
    assert (soft.slope, soft.offset) == (pytest.approx(1.5), 0.0)
    assert soft.left_out_error == pytest.approx(0.0, abs=1e-12)
    assert soft.helps
    shifted = fit_line("migration_barrier", "eV", pairs([(x, 1.2 * x + 0.3) for x in (0.5, 0.7, 0.9, 1.2)]))
    assert (shifted.slope, shifted.offset) == (pytest.approx(1.2), pytest.approx(0.3))


def test_an_offset_needs_four_pairs_and_must_pay_for_itself():
    points = [(x, 1.2 * x + 0.3) for x in (0.5, 0.7, 0.9)]
    assert fit_line("migration_barrier", "eV", pairs(points)).offset == 0.0
    through_origin = [(0.60, 0.91), (0.61, 0.90), (0.62, 0.95), (0.63, 0.93)]
    assert fit_line("migration_barrier", "eV", pairs(through_origin)).offset == 0.0


def test_offset_line_agrees_with_numpy():
    rng = np.random.default_rng(1)
    x = rng.uniform(0.2, 2.0, size=9)
    y = 1.3 * x + 0.4 + rng.normal(0, 0.02, size=9)
    line = fit_line("work_of_adhesion", "J/m2", pairs(zip(x, y, strict=True)))
    assert (line.slope, line.offset) == pytest.approx(tuple(np.polyfit(x, y, 1)), rel=1e-9)


def test_the_order_of_pairs_does_not_matter():
    points = pairs([(0.5, 0.8), (0.7, 1.0), (0.9, 1.45), (1.2, 1.7), (0.3, 0.5)])
    shuffled = points[:]
    random.Random(3).shuffle(shuffled)
    assert fit_line("migration_barrier", "eV", shuffled) == fit_line("migration_barrier", "eV", points)


def test_values_that_do_not_rise_together_and_single_pairs_are_refused():
    with pytest.raises(UserError, match="does not rise"):
        fit_line("migration_barrier", "eV", pairs([(x, 2.0 - x) for x in (-1.0, 1.0, 2.0, 3.0)]))
    with pytest.raises(UserError, match="at least 2 pairs"):
        fit_line("migration_barrier", "eV", pairs([(1.0, 1.5)]))
    with pytest.raises(UserError, match="migration_barrier needs at least 2 pairs, not 1"):
        fit_softening(both("migration_barrier", [(0.6, 0.9)]))


def test_pairs_are_of_one_candidate_and_state_of_charge():
    records = [
        *both("work_of_adhesion", [(1.0, 2.0), (1.5, 3.0)], "J/m2", y=1.0),
        *both("work_of_adhesion", [(0.5, 1.0), (9.0, 18.0)], "J/m2", y=1 / 3)[:3],  # the last one has no DFT value
        *both("migration_barrier", [(0.6, 0.9)]),
    ]
    softening = fit_softening(records)
    assert set(softening.lines) == {"work_of_adhesion"}
    line = softening.lines["work_of_adhesion"]
    assert [(p.candidate, p.y, p.mlip) for p in line.pairs] == [("c0", 0.333, 0.5), ("c0", 1.0, 1.0), ("c1", 1.0, 1.5)]
    assert softening.apply("work_of_adhesion", 2.0) == pytest.approx(4.0)
    # a property without a line stays what it is
    assert softening.apply("migration_barrier", 0.7) == 0.7


def test_unconverged_values_calibrate_nothing_and_same_structures_count_first():
    records = both("migration_barrier", [(0.6, 0.9), (0.8, 1.2), (0.7, 9.0)])
    records[-1] = replace(records[-1], converged=False)
    records[1] = replace(records[1], details={"mlip": {"fidelity": MLIP, "value": 0.45}})
    line = fit_softening(records).lines["migration_barrier"]
    assert [p.mlip for p in line.pairs] == [0.45, 0.8]


def test_a_property_without_a_line_does_not_cost_another_its_own():
    records = [
        *both("migration_barrier", [(0.6, 0.9), (0.8, 1.2)]),
        *both("work_of_adhesion", [(1.0, -1.0), (1.5, -2.0)], "J/m2", y=1.0),
    ]
    assert set(fit_softening(records).lines) == {"migration_barrier"}


def test_u_of_single_structures_does_not_split_a_scale_but_settings_do():
    records = both("migration_barrier", [(0.6, 0.9), (0.8, 1.2)])
    with_u = [replace(records[-1], fidelity="dft:vasp-pbe+u:kim2026")]
    assert len(fit_softening([*records[:-1], *with_u]).lines["migration_barrier"].pairs) == 2
    other = [replace(records[-1], fidelity="dft:vasp-pbe:mp")]
    with pytest.raises(UserError, match="several"):
        fit_softening([*records[:-1], *other])
    with pytest.raises(UserError, match=r"none in these records; .*screen ingest"):
        fit_softening([r for r in records if r.fidelity == MLIP])


def test_a_card_keeps_everything_and_makes_a_potentials_name(tmp_path):
    softening = fit_softening(both("migration_barrier", [(0.6, 0.9), (0.8, 1.3)]))
    folder = tmp_path / "models" / "soft"
    folder.mkdir(parents=True)
    own = softening.to_card()
    text = yaml.safe_dump(own, sort_keys=False)
    # as it is, or as a section of a model's card
    for card in (own, {"kind": "softening", "base": "chgnet", "data": {"version": "abc"}, "softening": own}):
        (folder / "card.yaml").write_text(yaml.safe_dump(card))
        for again in (load_softening(folder), softening_of(str(folder))):
            assert again == replace(softening, name=str(folder))
    assert yaml.safe_load(text)["base"] == "chgnet"
    assert "s41524-024-01500-6" in text
    assert softening_of("chgnet") is None
    (folder / "card.yaml").write_text("kind: finetuned\nbase: chgnet\n")
    assert softening_of(str(folder)) is None
    with pytest.raises(UserError, match="no softening correction"):
        load_softening(folder)
    (folder / "card.yaml").write_text("kind: softening\nbase: chgnet\nfidelity: x\nlines: {migration_barrier: 1}\n")
    with pytest.raises(UserError, match="does not hold"):
        softening_of(str(folder))
    with pytest.raises(UserError, match="holds no"):
        load_softening(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"slope": float("nan")},
        {"slope": -1.0},
        {"slope": "2"},
        {"offset": float("inf")},
        {"raw_error": "x"},
        {"pairs": 3},
    ],
)
def test_a_line_that_is_none_corrects_nothing(tmp_path, change):
    """A card that somebody sent: NaN in it must not reach a ranking."""
    card = fit_softening(both("migration_barrier", [(0.6, 0.9), (0.8, 1.3)])).to_card()
    card["lines"]["migration_barrier"] |= change
    (tmp_path / "card.yaml").write_text(yaml.safe_dump(card))
    with pytest.raises(UserError, match="does not hold a softening correction"):
        load_softening(tmp_path)


def test_a_folder_named_like_a_potential_does_not_take_its_place(tmp_path, monkeypatch):
    card = fit_softening(both("migration_barrier", [(0.6, 0.9), (0.8, 1.3)])).to_card()
    (tmp_path / "chgnet").mkdir()
    (tmp_path / "chgnet" / "card.yaml").write_text(yaml.safe_dump(card | {"base": "sevennet-0"}))
    monkeypatch.chdir(tmp_path)
    assert softening_of("chgnet") is None
    assert softening_of("./chgnet") is not None
    assert built_in_base("chgnet") == "chgnet"
    assert built_in_base("./chgnet") == "sevennet-0"
