from dataclasses import replace

import pytest

from screening.campaign.ranking.ranking import rank
from screening.errors import UserError
from screening.quantities.settings import RankingSettings

PLAIN = RankingSettings()


def by_name(ranking):
    return {row.candidate: row for row in ranking.rows}


@pytest.fixture
def cases(pristine, make_doped, make_full_set):
    """Pristine host, Mg better in everything, Zr worse in everything, Ta a trade-off."""
    mg, zr, ta = make_doped("Mg"), make_doped("Zr"), make_doped("Ta", site="Nb")
    records = [
        *make_full_set(pristine, (1.0, 0.9), 0.9, 0.05, 0.01),
        *make_full_set(mg, (1.3, 1.1), 0.7, 0.04, 0.005),
        *make_full_set(zr, (1.2, 0.8), 1.0, 0.06, 0.02),
        *make_full_set(ta, (0.9, 0.85), 0.8, 0.03, 0.012),
    ]
    return [pristine, mg, zr, ta], records


def test_dominating_candidate_leads_and_dominated_ones_follow(cases, soc):
    candidates, records = cases
    ranking = rank(records, candidates, soc, PLAIN)
    rows = by_name(ranking)
    assert [row.rank for row in ranking.rows] == [1, 2, 3, 4]
    assert ranking.rows[0].candidate == "Mg_Li-vLi-1of12"
    assert rows["LiNbO3"].front == 2
    assert rows["Zr_Li-vLi-1of12"].front == 3
    assert rows["Zr_Li-vLi-1of12"].rank == 4
    assert [row.candidate for row in ranking.rows if row.pareto] == ["Mg_Li-vLi-1of12", "Ta_Nb-vLi-1of12"]


def test_the_worst_state_of_charge_counts_as_adhesion(cases, soc):
    candidates, records = cases
    row = by_name(rank(records, candidates, soc, PLAIN))["Zr_Li-vLi-1of12"]
    assert row.values["work_of_adhesion_y1_J_m2"] == 1.2
    assert row.values["work_of_adhesion_y0.333_J_m2"] == 0.8
    assert row.values["work_of_adhesion_min_J_m2"] == 0.8


def test_score_of_the_pristine_host_is_zero_and_of_mg_as_documented(cases, soc):
    candidates, records = cases
    rows = by_name(rank(records, candidates, soc, PLAIN))
    assert rows["LiNbO3"].score == 0.0
    # (0.2/0.1 + 0.2/0.1 + 0.01/0.025 + 0.005/0.025) / 4
    assert rows["Mg_Li-vLi-1of12"].score == pytest.approx((2 + 2 + 0.4 + 0.2) / 4)


def test_other_candidates_do_not_change_a_score_or_its_interval(cases, soc):
    candidates, records = cases
    records = [replace(r, interval=(0.9 * r.value, 1.1 * r.value)) for r in records]
    everyone = by_name(rank(records, candidates, soc, PLAIN))
    alone = by_name(rank(records, candidates[:2], soc, PLAIN))
    for name in ("LiNbO3", "Mg_Li-vLi-1of12"):
        assert alone[name].score == everyone[name].score
        assert alone[name].score_interval == everyone[name].score_interval


def test_order_of_records_and_candidates_does_not_matter(cases, soc):
    candidates, records = cases
    one = rank(records, candidates, soc, PLAIN)
    two = rank(records[::-1], candidates[::-1], soc, PLAIN)
    assert one.rows == two.rows


@pytest.mark.parametrize("prop", ["work_of_adhesion", "migration_barrier", "oxidation_driving_force", "e_above_hull"])
def test_an_unconverged_objective_is_shown_but_never_ranked(cases, soc, prop):
    candidates, records = cases
    name = "Mg_Li-vLi-1of12"
    records = [replace(r, converged=False) if (r.candidate, r.property) == (name, prop) else r for r in records]
    ranking = rank(records, candidates, soc, PLAIN)
    row = by_name(ranking)[name]
    assert (row.rank, row.front, row.score, row.pareto, row.converged) == (None, None, None, False, False)
    assert any(flag.startswith(f"unconverged:{prop}") for flag in row.flags)
    assert ranking.rows[-1] is row
    assert [r.rank for r in ranking.ranked] == [1, 2, 3]
    # the value stays visible
    assert row.values["migration_barrier_eV"] == 0.7
    assert row.values["work_of_adhesion_min_J_m2"] == 1.1


def test_an_unconverged_value_elsewhere_is_flagged_and_does_not_cost_the_rank(cases, soc, make_record):
    candidates, records = cases
    records = [*records, make_record("Mg_Li-vLi-1of12", "delithiation_voltage", 4.0, converged=False)]
    row = by_name(rank(records, candidates, soc, PLAIN))["Mg_Li-vLi-1of12"]
    assert row.rank == 1
    assert "unconverged:delithiation_voltage" in row.flags


def test_missing_and_failed_values_leave_the_rank_empty(cases, soc):
    candidates, records = cases
    mg, zr = "Mg_Li-vLi-1of12", "Zr_Li-vLi-1of12"
    kept = [r for r in records if not (r.candidate == mg and r.details.get("y") == pytest.approx(1 / 3))]
    kept = [
        replace(r, value=None, converged=False, failure="NaN forces")
        if (r.candidate, r.property) == (zr, "migration_barrier")
        else r
        for r in kept
    ]
    rows = by_name(rank(kept, candidates, soc, PLAIN))
    assert rows[mg].rank is None
    assert rows[mg].flags == ("missing:work_of_adhesion_y0.333",)
    # the better y alone is not the worst y
    assert rows[mg].values["work_of_adhesion_min_J_m2"] is None
    assert rows[zr].rank is None
    assert rows[zr].flags == ("failed:migration_barrier",)
    assert not rows[zr].converged


def test_a_candidate_without_any_record_is_listed(cases, soc, make_doped):
    candidates, records = cases
    lost = make_doped("Al")
    row = rank(records, [*candidates, lost], soc, PLAIN).rows[-1]
    assert row.candidate == lost.name
    assert row.rank is None
    assert {"missing:work_of_adhesion", "missing:migration_barrier"} <= set(row.flags)


def test_reacted_interfaces_are_not_ranked_as_adhesion(cases, soc):
    candidates, records = cases
    name = "Mg_Li-vLi-1of12"
    records = [
        replace(r, flags=("thin_slab", "reacted"))
        if r.candidate == name and r.details.get("y") == pytest.approx(1 / 3)
        else r
        for r in records
    ]
    rows = by_name(rank(records, candidates, soc, PLAIN))
    assert rows[name].rank is None
    assert rows[name].score is None
    assert rows[name].flags == ("thin_slab", "reacted:y0.333")
    assert rows["Ta_Nb-vLi-1of12"].rank == 1


@pytest.mark.parametrize(
    ("threshold", "value", "removed"),
    [
        ("max_e_above_hull", 0.015, {"Zr_Li-vLi-1of12"}),
        ("min_work_of_adhesion", 0.9, {"Zr_Li-vLi-1of12", "Ta_Nb-vLi-1of12"}),
        ("max_migration_barrier", 0.75, {"LiNbO3", "Zr_Li-vLi-1of12", "Ta_Nb-vLi-1of12"}),
    ],
)
def test_thresholds_remove_and_say_so(cases, soc, threshold, value, removed):
    candidates, records = cases
    before = by_name(rank(records, candidates, soc, PLAIN))
    ranking = rank(records, candidates, soc, RankingSettings(**{threshold: value}))
    rows = by_name(ranking)
    assert {row.candidate for row in ranking.rows if row.rank is None} == removed
    assert all(f"removed:{threshold}={value:g}" in rows[name].flags for name in removed)
    assert [row.rank for row in ranking.ranked] == list(range(1, 5 - len(removed)))
    # a removed pristine host is still the reference
    assert {n: r.score for n, r in rows.items()} == {n: r.score for n, r in before.items()}


@pytest.mark.parametrize("partner", ["cathode", "electrolyte"])
def test_a_threshold_on_reactivity_removes_what_reacts_more_or_is_unknown(cases, soc, make_record, partner):
    candidates, records = cases
    energies = {"LiNbO3": -0.02, "Mg_Li-vLi-1of12": -0.03, "Zr_Li-vLi-1of12": -0.08}
    prop = f"reaction_energy_{partner}"
    records = [*records, *(make_record(name, prop, value, unit="eV/atom") for name, value in energies.items())]
    rows = by_name(rank(records, candidates, soc, RankingSettings(**{f"min_{prop}": -0.05})))
    assert f"removed:min_{prop}=-0.05" in rows["Zr_Li-vLi-1of12"].flags
    assert f"removed:min_{prop}=-0.05:unknown" in rows["Ta_Nb-vLi-1of12"].flags
    assert {n for n, row in rows.items() if row.rank is not None} == {"LiNbO3", "Mg_Li-vLi-1of12"}
    assert rows["Mg_Li-vLi-1of12"].values[f"{prop}_eV_atom"] == -0.03


def test_an_objective_of_weight_zero_takes_no_part(cases, soc):
    candidates, records = cases
    records = [r for r in records if r.property != "migration_barrier"]
    assert rank(records, candidates, soc, PLAIN).ranked == ()
    weights = {"migration_barrier": 0.0, "oxidation_driving_force": 0.0}
    ranking = rank(records, candidates, soc, RankingSettings(weights=weights))
    assert len(ranking.ranked) == 4
    assert all(row.converged for row in ranking.rows)
    # adhesion and hull alone: Ta (0.85, 0.012) now loses to the pristine host (0.9, 0.01)
    rows = by_name(ranking)
    assert rows["Ta_Nb-vLi-1of12"].front > rows["LiNbO3"].front


def test_without_a_usable_pristine_host_the_order_stays_and_scores_are_empty(cases, soc):
    candidates, records = cases
    complete = rank(records, candidates, soc, PLAIN)
    records = [replace(r, converged=r.converged and r.candidate != "LiNbO3") for r in records]
    ranking = rank(records, candidates, soc, PLAIN)
    assert [r.candidate for r in ranking.ranked] == [r.candidate for r in complete.ranked if r.candidate != "LiNbO3"]
    assert all(row.score is None for row in ranking.rows)
    assert "pristine" in ranking.notes[0]


def test_intervals_reach_the_rank(cases, soc):
    candidates, records = cases
    assert all(row.rank_interval is None for row in rank(records, candidates, soc, PLAIN).rows)
    narrow = [replace(r, interval=(r.value - 1e-6, r.value + 1e-6)) for r in records]
    for row in rank(narrow, candidates, soc, PLAIN).rows:
        assert row.rank_interval == (row.rank, row.rank)
    wide = [replace(r, interval=(r.value - 0.5 * r.value, r.value + 0.5 * r.value)) for r in records]
    ranking = rank(wide, candidates, soc, PLAIN)
    for row in ranking.rows:
        low, high = row.rank_interval
        assert low <= row.rank <= high
    assert all(high - low >= 2 for low, high in (row.rank_interval for row in ranking.rows))
    assert rank(wide, candidates, soc, PLAIN).rows == ranking.rows
    mg = by_name(ranking)["Mg_Li-vLi-1of12"]
    assert mg.intervals["work_of_adhesion_min_J_m2"] == pytest.approx((0.55, 1.65))
    assert by_name(ranking)["LiNbO3"].score_interval is None


def test_the_newest_record_counts(cases, soc, make_record):
    candidates, records = cases
    old = make_record("Mg_Li-vLi-1of12", "migration_barrier", 5.0, created="2020-01-01T00:00:00+00:00")
    new = make_record("Mg_Li-vLi-1of12", "migration_barrier", 0.65, created="2999-01-01T00:00:00+00:00")
    row = by_name(rank([new, *records, old], candidates, soc, PLAIN))["Mg_Li-vLi-1of12"]
    assert row.values["migration_barrier_eV"] == 0.65


def test_potentials_and_kinds_of_dft_are_never_chosen_silently(cases, soc, make_record):
    candidates, records = cases
    name = "Mg_Li-vLi-1of12"

    def with_others(*fidelities):
        return [*records, *(make_record(name, "migration_barrier", 9.0, fidelity=f) for f in fidelities)]

    for others in (["mlip:sevennet-0"], ["dft:vasp-pbe:kim2026", "dft:vasp-pbe:mp"]):
        with pytest.raises(UserError, match="several fidelities") as error:
            rank(with_others(*others), candidates, soc, PLAIN)
        assert all(fidelity in str(error.value) for fidelity in others)
        # the potential alone, as before
        row = by_name(rank(with_others(*others), candidates, soc, PLAIN, fidelity="mlip:chgnet"))[name]
        assert row.values["migration_barrier_eV"] == 0.7
        assert row.beside == {}
    with pytest.raises(UserError, match="no record has fidelity dft:vasp-pbe:mp"):
        rank(records, candidates, soc, PLAIN, fidelity="dft:vasp-pbe:mp")


def test_realised_contents_are_reported_and_flagged(cases, soc, make_record):
    candidates, records = cases
    near = make_record("Mg_Li-vLi-1of12", "window_reduction", 1.8, details={"x_interface": 1 / 16})
    far = make_record("Mg_Li-vLi-1of12", "window_oxidation", 4.0, details={"x_barrier": 1 / 24})
    row = by_name(rank([*records, near, far], candidates, soc, PLAIN))["Mg_Li-vLi-1of12"]
    assert row.contents["x_interface"] == 1 / 16
    assert row.contents["x_bulk"] == pytest.approx(1 / 12)
    assert row.flags == ("x_interface_off", "x_barrier_off")
