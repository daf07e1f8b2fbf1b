"""Ranking where some values come from DFT: which value counts, what stands beside it, and what is said about it."""

import csv
import json
import random
from dataclasses import replace

import pytest

from screening.campaign.outputs import write_ranking
from screening.campaign.ranking.ranking import rank
from screening.errors import UserError
from screening.quantities.settings import RankingSettings
from screening.retraining.softening import Softening
from screening.retraining.softening_line import Line, Pair

PLAIN = RankingSettings()
DFT, DFT_U = "dft:vasp-pbe:kim2026", "dft:vasp-pbe+u:kim2026"
MG, ZR, TA = "Mg_Li-vLi-1of12", "Zr_Li-vLi-1of12", "Ta_Nb-vLi-1of12"


def by_name(ranking):
    return {row.candidate: row for row in ranking.rows}


@pytest.fixture
def cases(pristine, make_doped, make_full_set):
    candidates = [pristine, make_doped("Mg"), make_doped("Zr"), make_doped("Ta", site="Nb")]
    values = [
        ((1.0, 0.9), 0.9, 0.05, 0.01), ((1.3, 1.1), 0.7, 0.04, 0.005),
        ((1.2, 0.8), 1.0, 0.06, 0.02), ((0.9, 0.85), 0.8, 0.03, 0.012),
    ]  # fmt: skip
    records = [r for c, v in zip(candidates, values, strict=True) for r in make_full_set(c, *v)]
    return candidates, records


@pytest.fixture
def dft(make_record):
    """DFT records of a property by candidate."""

    def make(prop, values, y=None, **fields):
        fields = {"fidelity": DFT, **fields}
        return [make_record(name, prop, value, y, **fields) for name, value in values.items()]

    return make


def line(prop="migration_barrier", unit="eV", slope=1.5, **fields):
    pairs = (Pair(candidate=MG, mlip=0.7, dft=1.05), Pair(candidate=ZR, mlip=1.0, dft=1.5))
    errors = {"raw_error": 0.4, "fit_error": 0.01, "left_out_error": 0.05, **fields}
    return Line(quantity=prop, unit=unit, slope=slope, offset=0.0, pairs=pairs, **errors)


def softening(*lines, base="mlip:chgnet", fidelity=DFT):
    return Softening(base=base, fidelity=fidelity, lines={one.quantity: one for one in lines}, name="models/soft")


def test_dft_replaces_the_potential_where_it_exists_and_both_are_shown(cases, soc, dft):
    candidates, records = cases
    ranking = rank([*records, *dft("migration_barrier", {MG: 1.4, "LiNbO3": 1.3})], candidates, soc, PLAIN)
    rows = by_name(ranking)
    assert rows[MG].values["migration_barrier_eV"] == 1.4
    assert rows[MG].beside["migration_barrier_eV"] == {
        "migration_barrier_mlip_eV": 0.7,
        "migration_barrier_dft_eV": 1.4,
    }
    assert "dft:migration_barrier" in rows[MG].flags
    assert rows[ZR].values["migration_barrier_eV"] == 1.0
    assert rows[ZR].flags == ()
    # by the potential Mg gains 0.2 eV on the pristine host, by DFT it loses 0.1
    assert rows[MG].score == pytest.approx((2 - 1 + 0.4 + 0.2) / 4)
    assert (ranking.fidelity, ranking.reference) == ("mlip:chgnet", DFT)
    assert [n for n in ranking.notes if "2 of 4 candidates" in n and "two scales" in n]
    names = ranking.columns()
    at = names.index("migration_barrier_eV")
    assert names[at : at + 3] == ["migration_barrier_eV", "migration_barrier_mlip_eV", "migration_barrier_dft_eV"]
    assert not any("e_above_hull" in n and ("mlip" in n or "dft" in n) for n in names)


def test_the_pristine_reference_follows_the_same_rules(cases, soc, dft):
    candidates, records = cases
    everyone = {"LiNbO3": 1.35, MG: 1.05, ZR: 1.5, TA: 1.2}  # 1.5 times the potential's
    ranking = rank([*records, *dft("migration_barrier", everyone)], candidates, soc, PLAIN)
    rows = by_name(ranking)
    assert rows["LiNbO3"].score == 0.0
    assert rows[MG].score == pytest.approx((2 + 3 + 0.4 + 0.2) / 4)
    assert not [n for n in ranking.notes if "migration_barrier" in n]


def test_adhesion_is_replaced_per_y_and_its_minimum_only_where_all_are_there(cases, soc, dft):
    candidates, records = cases
    at_one = dft("work_of_adhesion", {MG: 0.5, ZR: 0.6}, 1.0, fidelity=DFT_U)
    charged = dft("work_of_adhesion", {ZR: 0.9}, 1 / 3, fidelity=DFT_U)
    rows = by_name(rank([*records, *at_one, *charged], candidates, soc, PLAIN))
    half, whole = rows[MG], rows[ZR]
    # one y by DFT: shown, but the worst of two scales is the worst of neither
    assert half.values["work_of_adhesion_y1_J_m2"] == 0.5
    assert half.values["work_of_adhesion_min_J_m2"] == 1.1
    assert {"dft:work_of_adhesion_y1", "min_from_mlip:work_of_adhesion"} <= set(half.flags)
    assert "dft:work_of_adhesion" not in half.flags
    assert half.beside["work_of_adhesion_y1_J_m2"] == {
        "work_of_adhesion_y1_mlip_J_m2": 1.3, "work_of_adhesion_y1_dft_J_m2": 0.5,
    }  # fmt: skip
    assert half.beside["work_of_adhesion_min_J_m2"]["work_of_adhesion_min_dft_J_m2"] is None
    assert half.score == pytest.approx((2 + 2 + 0.4 + 0.2) / 4)
    # both y by DFT
    assert whole.values["work_of_adhesion_min_J_m2"] == 0.6
    assert whole.flags == ("dft:work_of_adhesion",)
    assert whole.beside["work_of_adhesion_min_J_m2"] == {
        "work_of_adhesion_min_mlip_J_m2": 0.8, "work_of_adhesion_min_dft_J_m2": 0.6,
    }  # fmt: skip


def test_a_correction_puts_the_others_on_the_scale_of_dft_with_raw_values_shown(cases, soc, dft):
    candidates, records = cases
    records = [replace(r, interval=(r.value - 0.1, r.value + 0.2)) if r.property == "migration_barrier" else r
               for r in records]  # fmt: skip
    ranking = rank(
        [*records, *dft("migration_barrier", {MG: 1.4})], candidates, soc, PLAIN, correction=softening(line())
    )
    rows = by_name(ranking)
    assert rows[MG].values["migration_barrier_eV"] == 1.4
    assert rows[ZR].values["migration_barrier_eV"] == pytest.approx(1.5)
    assert rows[ZR].intervals["migration_barrier_eV"] == pytest.approx((1.35, 1.8))
    assert rows[ZR].flags == ("corrected:migration_barrier",)
    assert rows[ZR].beside["migration_barrier_eV"]["migration_barrier_mlip_eV"] == 1.0
    assert rows["LiNbO3"].values["migration_barrier_eV"] == pytest.approx(1.35)
    (note,) = [n for n in ranking.notes if n.startswith("migration_barrier")]
    assert "1 of 4 candidates" in note
    assert "models/soft (2 pairs" in note
    assert ranking.correction["lines"]["migration_barrier"]["pairs"][0]["candidate"] == MG


def test_a_correction_of_adhesion_lets_the_minimum_span_dft_and_corrected_values(cases, soc, dft):
    candidates, records = cases
    adhesion = line("work_of_adhesion", "J/m2", slope=0.5)
    at_one = dft("work_of_adhesion", {MG: 0.5}, 1.0)
    row = by_name(rank([*records, *at_one], candidates, soc, PLAIN, correction=softening(adhesion)))[MG]
    assert row.values["work_of_adhesion_y0.333_J_m2"] == pytest.approx(0.55)
    assert row.values["work_of_adhesion_min_J_m2"] == pytest.approx(0.5)
    assert {"dft:work_of_adhesion_y1", "corrected:work_of_adhesion"} <= set(row.flags)
    assert not any(f.startswith("min_from_mlip") for f in row.flags)


def test_a_correction_without_any_dft_in_the_run_and_one_that_does_not_help(cases, soc):
    candidates, records = cases
    useless = softening(line(left_out_error=0.5))
    ranking = rank(records, candidates, soc, PLAIN, correction=useless)
    assert by_name(ranking)[MG].values["migration_barrier_eV"] == pytest.approx(1.05)
    assert any("does not help" in n for n in ranking.notes)
    assert ranking.agreement == ()


def test_a_correction_of_another_potential_or_dft_is_refused(cases, soc, dft):
    candidates, records = cases
    with pytest.raises(UserError, match="corrects mlip:sevennet-0"):
        rank(records, candidates, soc, PLAIN, correction=softening(line(), base="mlip:sevennet-0"))
    mixed = [*records, *dft("migration_barrier", {MG: 1.4})]
    with pytest.raises(UserError, match="was fitted to dft:vasp-pbe:mp"):
        rank(mixed, candidates, soc, PLAIN, correction=softening(line(), fidelity="dft:vasp-pbe:mp"))


def test_dft_that_did_not_converge_replaces_nothing_and_is_named(cases, soc, dft):
    candidates, records = cases
    bad = dft("migration_barrier", {MG: 1.4}, converged=False)
    row = by_name(rank([*records, *bad], candidates, soc, PLAIN))[MG]
    assert row.values["migration_barrier_eV"] == 0.7
    assert row.flags == ("unconverged:dft:migration_barrier",)
    assert row.rank == 1


def test_an_empty_window_by_dft_is_an_answer(cases, soc, dft, make_record):
    candidates, records = cases
    own = make_record(MG, "window_oxidation", 4.2)
    row = by_name(rank([*records, own, *dft("window_oxidation", {MG: None})], candidates, soc, PLAIN))[MG]
    assert row.values["window_oxidation_V"] is None
    assert row.beside["window_oxidation_V"]["window_oxidation_mlip_V"] == 4.2
    assert "dft:window_oxidation" in row.flags


def test_a_property_of_dft_alone_is_a_column_of_its_own(cases, soc, dft):
    candidates, records = cases
    ranking = rank([*records, *dft("band_gap", {MG: 3.4}, unit="eV")], candidates, soc, PLAIN)
    row = by_name(ranking)[MG]
    assert row.values["band_gap_eV"] == 3.4
    assert row.flags == ()
    assert [n for n in ranking.columns() if "band_gap" in n] == ["band_gap_eV"]


def test_what_a_potential_computed_in_the_place_of_vasp_is_never_called_dft(cases, soc, dft):
    candidates, records = cases
    simulated = dft("migration_barrier", {MG: 0.71}, fidelity="mlip:chgnet-via-vasp")
    ranking = rank([*records, *simulated], candidates, soc, PLAIN)
    row = by_name(ranking)[MG]
    assert row.flags == ("simulated:migration_barrier",)
    assert row.beside["migration_barrier_eV"]["migration_barrier_simulated_eV"] == 0.71
    assert not any("dft" in name for name in ranking.columns())


def test_settings_with_and_without_u_atoms_are_one_kind_of_dft(cases, soc, dft):
    candidates, records = cases
    both = [*dft("migration_barrier", {MG: 1.4}), *dft("work_of_adhesion", {MG: 0.5}, 1.0, fidelity=DFT_U)]
    for fidelity in (None, DFT, DFT_U):
        ranking = rank([*records, *both], candidates, soc, PLAIN, fidelity=fidelity)
        assert ranking.reference == DFT_U
        assert {"dft:migration_barrier", "dft:work_of_adhesion_y1"} <= set(by_name(ranking)[MG].flags)


def test_one_of_several_kinds_of_dft_is_chosen_by_name(cases, soc, dft):
    candidates, records = cases
    both = [*dft("migration_barrier", {MG: 1.4}),
            *dft("migration_barrier", {MG: 1.6}, fidelity="dft:gpaw-pbe:gpaw-lcao")]  # fmt: skip
    for fidelity, value in ((DFT, 1.4), ("dft:gpaw-pbe:gpaw-lcao", 1.6), ("mlip:chgnet", 0.7)):
        row = by_name(rank([*records, *both], candidates, soc, PLAIN, fidelity=fidelity))[MG]
        assert row.values["migration_barrier_eV"] == value


def test_an_interface_that_reacted_is_not_ranked_by_its_dft_either(cases, soc, dft):
    candidates, records = cases
    both = [*dft("work_of_adhesion", {MG: 1.2}, 1.0, flags=("reacted",)), *dft("work_of_adhesion", {MG: 1.1}, 1 / 3)]
    row = by_name(rank([*records, *both], candidates, soc, PLAIN))[MG]
    assert row.rank is None
    assert "reacted:y1" in row.flags


def test_contents_of_the_potentials_record_stay_when_dft_replaces_it(cases, soc, dft, make_record):
    candidates, records = cases
    own = make_record(MG, "migration_barrier", 0.7, details={"x_barrier": 1 / 12}, created="2999-01-01T00:00:00+00:00")
    row = by_name(rank([*records, own, *dft("migration_barrier", {MG: 1.4})], candidates, soc, PLAIN))[MG]
    assert row.contents["x_barrier"] == 1 / 12


def test_order_of_records_and_candidates_does_not_matter(cases, soc, dft):
    candidates, records = cases
    records = [*records, *dft("migration_barrier", {MG: 1.4, ZR: 1.7, TA: 1.1}),
               *dft("work_of_adhesion", {MG: 0.5, ZR: 0.6}, 1.0, fidelity=DFT_U)]  # fmt: skip
    expected = rank(records, candidates, soc, PLAIN)
    for seed in range(3):
        shuffled, others = records[:], candidates[:]
        random.Random(seed).shuffle(shuffled)
        random.Random(seed).shuffle(others)
        again = rank(shuffled, others, soc, PLAIN)
        assert (again.rows, again.agreement, again.columns()) == (expected.rows, expected.agreement, expected.columns())


def test_agreement_is_over_candidates_with_both_values(cases, soc, dft, tmp_path):
    candidates, records = cases
    # potential's order: Mg 0.7, Ta 0.8, LiNbO3 0.9, Zr 1.0; DFT exchanges Mg and Ta
    barriers = dft("migration_barrier", {MG: 1.2, TA: 1.1, "LiNbO3": 1.3, ZR: 1.4})
    adhesion = dft("work_of_adhesion", {MG: 0.5, ZR: 0.6}, 1.0)
    ranking = rank([*records, *barriers, *adhesion], candidates, soc, PLAIN)
    found = {a.column: a for a in ranking.agreement}
    barrier = found["migration_barrier_eV"]
    assert (barrier.n, barrier.spearman, barrier.top, barrier.top_agreement) == (4, pytest.approx(0.8), 2, 1.0)
    assert barrier.mean_signed_difference == pytest.approx(-0.4)
    assert barrier.pairs_in_order == pytest.approx(5 / 6)
    assert (found["work_of_adhesion_y1_J_m2"].n, found["work_of_adhesion_y1_J_m2"].spearman) == (2, None)
    assert "work_of_adhesion_min_J_m2" not in found
    # a correction must not make the potential look right: its own values are compared
    corrected = rank([*records, *barriers], candidates, soc, PLAIN, correction=softening(line()))
    assert {a.column: a for a in corrected.agreement}["migration_barrier_eV"] == barrier

    _, path = write_ranking(tmp_path, ranking)
    document = json.loads(path.read_text())
    assert document["reference"] == DFT
    assert document["agreement"][0]["column"] == "work_of_adhesion_y1_J_m2"
    with (tmp_path / "agreement.csv").open(newline="") as file:
        rows = {row["column"]: row for row in csv.DictReader(file)}
    assert rows["migration_barrier_eV"]["spearman"] == "0.8"
    assert rows["work_of_adhesion_y1_J_m2"]["spearman"] == ""
    # of a ranking of the potential alone no agreement is left lying about
    write_ranking(tmp_path, rank(records, candidates, soc, PLAIN))
    assert not (tmp_path / "agreement.csv").exists()


def test_the_score_is_compared_over_candidates_with_dft_for_every_objective(cases, soc, dft):
    candidates, records = cases
    hull = dft("e_above_hull", {MG: 0.03, ZR: 0.02, TA: 0.012, "LiNbO3": 0.01})
    barriers = dft("migration_barrier", {MG: 1.2, TA: 1.1, "LiNbO3": 1.3})
    settings = RankingSettings(weights={"work_of_adhesion": 0, "oxidation_driving_force": 0})
    found = {a.column: a for a in rank([*records, *hull, *barriers], candidates, soc, settings).agreement}
    # potential: Mg (2 + 0.2)/2, Ta (1 - 0.08)/2, host 0; DFT: Mg (1 - 0.8)/2, Ta (2 - 0.08)/2, host 0
    score = found["score"]
    assert (score.n, score.spearman) == (3, pytest.approx(0.5))
    assert score.mean_signed_difference == pytest.approx((1.1 - 0.1 + 0.46 - 0.96) / 3)
    # without the host there is no score
    alone = rank([*records, *hull, *barriers[:2]], candidates, soc, settings)
    assert "score" not in {a.column for a in alone.agreement}


def test_an_unconverged_potential_value_takes_no_part_in_the_agreement(cases, soc, dft):
    candidates, records = cases
    records = [replace(r, converged=False) if (r.candidate, r.property) == (ZR, "migration_barrier") else r
               for r in records]  # fmt: skip
    barriers = dft("migration_barrier", {MG: 1.2, TA: 1.1, "LiNbO3": 1.3, ZR: 1.4})
    ranking = rank([*records, *barriers], candidates, soc, PLAIN)
    assert ranking.agreement[0].n == 3
    # DFT of its own may rank it
    assert by_name(ranking)[ZR].rank is not None
