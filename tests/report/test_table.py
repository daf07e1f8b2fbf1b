import io

import pytest
from rich.console import Console

from screening.quantities.table import named
from screening.report.cells import with_interval
from screening.report.table import (
    agreement_table,
    flag_lines,
    print_ranking,
    ranking_table,
    skipped_table,
    states_table,
)

ADHESION = named("work_of_adhesion")


def row(rank, candidate, **fields):
    base = {
        "rank": rank,
        "candidate": candidate,
        "formula": "[Li5/6Mg1/12]NbO3",
        "dopants": "Mg",
        "x": 1 / 12,
        "work_of_adhesion_min_J_m2": 1.0567,
        "work_of_adhesion_y1_J_m2": 1.31,
        "work_of_adhesion_y0.333_J_m2": 1.0567,
        "work_of_adhesion_eq_min_J_m2": 0.98,
        "migration_barrier_eV": 0.87,
        "oxidation_driving_force_eV_atom": 0.0412,
        "e_above_hull_eV_atom": 0.0123,
        "window_reduction_V": None,
        "window_oxidation_V": None,
        "score": 1.234,
        "pareto": False,
        "flags": [],
    }
    return base | fields


ROWS = [
    row(1, "Mg_Li-vLi-1of12", pareto=True, rank_low=1, rank_high=3, work_of_adhesion_min_J_m2_low=0.95,
        work_of_adhesion_min_J_m2_high=1.10, window_reduction_V=1.78, window_oxidation_V=4.38),
    row(2, "LiNbO3", dopants="", formula="LiNbO3", x=0.0, score=0.0),
    row(3, "Zr_Nb-iLi-1of12"),
    row(None, "Ta_Nb-iso-1of12", score=None, migration_barrier_eV=None, flags=["unconverged:migration_barrier"]),
]  # fmt: skip


class FakeRanking:
    notes = ("no score today",)

    def flat(self):
        return ROWS


def show(renderable, width):
    file = io.StringIO()
    Console(width=width, file=file, force_terminal=False).print(renderable)
    return file.getvalue()


@pytest.mark.parametrize("width", [100, 120, 140])
def test_every_value_is_on_its_line_at_usual_widths(width):
    text = show(ranking_table(ROWS), width)
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    first = next(line for line in lines if "Mg_Li-vLi-1of12" in line)
    assert " ".join(first.split()) == "1* (1–3) Mg_Li-vLi-1of12 0.083 1.06 (0.95–1.10) 0.87 0.041 0.012 1.78–4.38 +1.23"
    assert next(line for line in lines if "LiNbO3" in line).split()[-1] == "0.00"
    assert "J/m2" in text
    assert "eV/atom" in text


def test_nothing_is_cut_off_in_a_narrow_terminal():
    columns = ("migration_barrier_eV", "oxidation_driving_force_eV_atom", "e_above_hull_eV_atom")
    bounds = {f"{name}_{end}": value for name in columns for end, value in (("low", 0.0), ("high", 1.0))}
    long = row(
        1,
        "Mg2_Li+Ta1_Nb-vLi-3of12",
        pareto=True,
        rank_low=10,
        rank_high=12,
        window_reduction_V=1.78,
        window_oxidation_V=4.38,
        **bounds,
    )
    text = show(ranking_table([long]), 80)
    assert max(map(len, text.splitlines())) <= 80
    joined = "".join(text.split())
    for piece in ("1*", "(10–12)", "0.041", "(0.000–1", "0.012", "+1.23", "0.083", "1.78–4.38"):
        assert piece in joined
    assert text.count("000)") == 2
    assert "…" not in text


def test_flags_common_to_all_are_said_once():
    flagged = [row(1, "A", flags=["thin_slab"]), row(None, "B", flags=["thin_slab", "reacted:y1"])]
    assert flag_lines(flagged) == ["all candidates: thin_slab", "B: reacted:y1"]
    assert flag_lines([]) == []


def test_adhesion_table_has_one_column_per_state_of_charge_and_prints_brackets():
    text = show(states_table(ROWS, ADHESION, ADHESION.header), 120)
    assert "y = 1 " in text
    assert "y = 0.333" in text
    assert "[Li5/6Mg1/12]NbO3" in text


def test_an_interval_is_given_by_its_two_ends_and_never_as_a_standard_error():
    assert with_interval({"a": 1.0, "a_low": 0.7, "a_high": 1.1}, "a", 2) == "1.00 (0.70–1.10)"
    # docs/example.md: 0.52 (0.51 to 0.52), of which the farther end would be read as 0.52 ±0.01
    assert with_interval({"a": 0.519, "a_low": 0.51, "a_high": 0.519}, "a", 2) == "0.52 (0.51–0.52)"
    assert with_interval({"a": -0.1, "a_low": -0.2, "a_high": 0.05}, "a", 2) == "-0.10 (-0.20–0.05)"
    assert with_interval({"a": 1.0}, "a", 2) == "1.00"
    assert with_interval({"a": None}, "a", 2) == "–"
    caption = " ".join(show(ranking_table(ROWS), 140).split())
    assert "(low–high) = 95 % interval" in caption
    assert "±" not in caption


def test_a_row_with_two_intervals_fits_one_line_of_a_hundred_columns():
    bounds = {"work_of_adhesion_min_J_m2_low": 0.95, "work_of_adhesion_min_J_m2_high": 1.1,
              "migration_barrier_eV_low": 0.8, "migration_barrier_eV_high": 0.95}  # fmt: skip
    text = show(ranking_table([row(1, "Mg_Li-vLi-1of12", **bounds)]), 100)
    assert any("1.06 (0.95–1.10) 0.87 (0.80–0.95)" in " ".join(line.split()) for line in text.splitlines())


def test_top_keeps_the_pristine_host_and_the_unranked():
    file = io.StringIO()
    print_ranking(
        Console(width=120, file=file),
        FakeRanking(),
        top=1,
        skipped=[{"label": "Zr4+ on Li", "x": 0.25, "reason": "no Li left"}],
    )
    text = file.getvalue()
    assert "Zr_Nb-iLi-1of12" not in text
    for word in (
        "Mg_Li-vLi-1of12",
        "LiNbO3",
        "Ta_Nb-iso-1of12",
        "no score today",
        "no Li left",
        "1 more ranked",
        "Ta_Nb-iso-1of12: unconverged:migration_barrier",
        "What the flags mean: screen rank RUN --explain",
    ):
        assert word in text


def test_flags_are_explained_on_request():
    file = io.StringIO()
    print_ranking(Console(width=160, file=file), FakeRanking(), explain=True)
    text = " ".join(file.getvalue().split())
    assert "What the flags mean" in text
    assert "did not reach its force threshold" in text
    assert "--explain" not in text


def test_skipped_candidates_with_their_reasons():
    class Skipped:
        def __init__(self):
            self.label, self.x, self.reason = "Zr_Li-vLi-3of12", 0.25, "no Li would be left"

    assert "no Li would be left" in show(skipped_table([Skipped()]), 100)


@pytest.mark.parametrize(
    ("word", "expected"), [("dft", "where DFT or"), ("simulated", "where a simulated value (no DFT) or")]
)
def test_what_only_simulates_dft_is_not_called_dft(word, expected):
    """A potential that ran in VASP's place has columns of its own."""
    beside = {"migration_barrier_mlip_eV": 0.8, f"migration_barrier_{word}_eV": 0.87}
    assert expected in " ".join(show(ranking_table([row(1, "Mg_Li-vLi-1of12", **beside)]), 120).split())


def test_order_against_simulated_values_says_so():
    assert "against DFT" in show(agreement_table([]), 120)
    text = show(agreement_table([], simulated=True), 120)
    assert "against simulated values (no DFT)" in text
    assert "minus simulated values (no DFT)" in text
