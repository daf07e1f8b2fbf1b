"""What is drawn is read back from matplotlib's artists."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex

from screening.config import Settings
from screening.errors import UserError
from screening.quantities.table import ranked
from screening.report.ranking_figure import check_plot_file, main, plot_ranking, plot_title, ranking_figure, read_rows

DOCS = Path(__file__).parents[2] / "docs"
ADHESION, BARRIER, DRIVING_FORCE, HULL = range(4)
GREY = "#9a9a9a"


@pytest.fixture(scope="module")
def rows():
    return read_rows(DOCS / "example-ranking.csv")


@pytest.fixture(scope="module")
def axes(rows):
    return ranking_figure(rows).axes


def points(axis, *, marker="o", grey=False):
    """(height, value) of every point of one marker, from the top."""
    found = [
        (float(height), float(value))
        for line in axis.get_lines()
        if line.get_marker() == marker and (to_hex(line.get_color()) == GREY) == grey
        for value, height in zip(line.get_xdata(), line.get_ydata(), strict=True)
    ]
    return sorted(found)


def bars(axis):
    """(low, high) of every interval, from the top."""
    segments = [s for c in axis.collections if isinstance(c, LineCollection) for s in c.get_segments()]
    return [(float(s[0][0]), float(s[1][0])) for s in sorted(segments, key=lambda s: float(s[0][1]))]


def values(rows, name, *, ranked=True):
    return [row[name] for row in rows if (row["rank"] is not None) == ranked and row[name] is not None]


def host_lines(axis):
    return [float(line.get_xdata()[0]) for line in axis.get_lines() if len(set(line.get_xdata())) == 1
            and line.get_linestyle() == "--"]  # fmt: skip


def test_every_ranked_property_has_a_panel_with_its_unit_and_the_direction_that_is_better(axes):
    assert len(axes) == len(ranked()) == 4
    units = ["J/m²", "eV", "eV/atom", "eV/atom"]
    for axis, unit in zip(axes, units, strict=True):
        assert axis.get_xlabel().splitlines()[0] == unit
    words = [axis.get_xlabel().splitlines()[1].strip("\N{LEFTWARDS ARROW}\N{RIGHTWARDS ARROW} ") for axis in axes]
    assert words == ["more is better", *["less is better"] * 3]


def test_values_stand_from_the_best_candidate_down(axes, rows):
    for panel, name in (
        (BARRIER, "migration_barrier_eV"),
        (DRIVING_FORCE, "oxidation_driving_force_eV_atom"),
        (HULL, "e_above_hull_eV_atom"),
    ):
        assert [value for _, value in points(axes[panel])] == values(rows, name)
        assert [value for _, value in points(axes[panel], grey=True)] == values(rows, name, ranked=False)
    low, high = sorted(axes[0].get_ylim())
    assert axes[0].get_ylim() == (high, low), "the first row is at the top"


def test_adhesion_is_drawn_at_each_state_of_charge(axes, rows):
    for marker, name in (("o", "work_of_adhesion_y1_J_m2"), ("s", "work_of_adhesion_y0.333_J_m2")):
        assert [value for _, value in points(axes[ADHESION], marker=marker)] == values(rows, name)
        assert [value for _, value in points(axes[ADHESION], marker=marker, grey=True)] == values(
            rows, name, ranked=False
        )
    legend = [text.get_text() for text in axes[0].figure.legends[0].get_texts()]
    assert legend == ["y = 1", "y = 1/3", "LiNbO3 without dopants"]


def test_intervals_are_drawn_by_their_two_ends(axes, rows):
    expected = [
        (row["migration_barrier_eV_low"], row["migration_barrier_eV_high"])
        for row in rows
        if row["migration_barrier_eV_low"] is not None
    ]
    assert np.allclose(bars(axes[BARRIER]), expected)
    assert len(bars(axes[ADHESION])) == 2 * len(rows)
    assert bars(axes[HULL]) == []


def test_the_host_is_a_line_in_every_panel(axes, rows):
    (host,) = [row for row in rows if not row["dopants"]]
    assert host_lines(axes[ADHESION]) == [host["work_of_adhesion_y1_J_m2"], host["work_of_adhesion_y0.333_J_m2"]]
    assert host_lines(axes[BARRIER]) == [host["migration_barrier_eV"]]
    assert host_lines(axes[HULL]) == [0.0]


def test_rows_bear_rank_and_formula_and_the_unranked_their_reason(axes, rows):
    ranks = [text.get_text() for text in axes[0].get_yticklabels()]
    assert ranks == ["1*", "2*", "3*", "4*", "5*", "6*", "7*", "8*", "9*", "10*", "11", "12", "–", "–", "–"]
    texts = [text.get_text() for text in axes[0].texts]
    assert [text for text in texts if text in {row["formula"] for row in rows}] == [row["formula"] for row in rows]
    after = {formula: " ".join(texts[texts.index(formula) + 1 :]) for formula in ("Li3/2[Nb5/6Mg1/6]O3",)}
    assert after["Li3/2[Nb5/6Mg1/6]O3"].startswith("reacted: y1 ")
    assert texts[-2:] == ["[Li1/3Zr1/6]NbO3", "not percolating 3d; missing: migration barrier"]


def test_small_print_of_one_row_does_not_reach_the_next(rows):
    figure = ranking_figure(rows)
    figure.draw_without_rendering()
    boxes = sorted((text.get_window_extent() for text in figure.axes[0].texts), key=lambda box: -box.y0)
    assert all(upper.y0 >= lower.y1 - 1 for upper, lower in pairwise(boxes))


def test_candidates_of_one_composition_are_told_apart_by_their_names(rows):
    twins = [row | {"formula": "LiNbO3", "dopants": "X"} for row in rows[:2]]
    texts = [text.get_text() for text in ranking_figure(twins).axes[0].texts]
    assert texts == [row["candidate"] for row in twins]


def test_the_potentials_own_value_stands_hollow_beside_what_replaces_it(rows):
    replaced = rows[0] | {"migration_barrier_eV": 0.7, "migration_barrier_mlip_eV": 0.6}
    axis = ranking_figure([replaced]).axes[BARRIER]
    hollow = {to_hex(line.get_markerfacecolor()): np.asarray(line.get_xdata()).tolist()[:1] for line in axis.get_lines()
              if line.get_marker() == "o" and np.size(line.get_xdata())}  # fmt: skip
    assert hollow == {"#222222": [0.7], "#ffffff": [0.6]}
    assert [text.get_text() for text in axis.figure.legends[0].get_texts()][-1] == "open: the potential's own value"


def test_nothing_to_draw_is_drawn(rows):
    assert len(ranking_figure([]).axes) == 4
    alone = [row for row in rows if row["rank"] is None]
    assert not host_lines(ranking_figure(alone).axes[BARRIER])


@pytest.mark.parametrize(("name", "start"), [("a.png", b"\x89PNG"), ("a.SVG", b"<?xml"), ("a.pdf", b"%PDF")])
def test_the_suffix_decides_the_kind_and_one_ranking_makes_one_file(tmp_path, rows, name, start):
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        plot_ranking(rows, tmp_path / folder / name)
    first, second = ((tmp_path / folder / name).read_bytes() for folder in ("first", "second"))
    assert first.startswith(start)
    assert first == second


def test_other_kinds_and_missing_folders_are_refused(tmp_path):
    for name in ("ranking.jpg", "ranking"):
        with pytest.raises(UserError, match=r"a plot is written as png, svg, pdf; name it ranking\.png"):
            check_plot_file(tmp_path / name)
    with pytest.raises(UserError, match="does not exist"):
        check_plot_file(tmp_path / "nowhere" / "ranking.png")


def test_the_picture_of_the_readme_is_made_from_the_table_of_the_example(tmp_path):
    picture = tmp_path / "ranking.svg"
    main([str(DOCS / "example-ranking.csv"), str(picture), "--title", "quick"])
    assert "<!-- quick -->" in picture.read_text(encoding="utf-8")
    assert (DOCS / "example-ranking.png").stat().st_size < 150_000


def test_the_title_says_what_was_screened_with_what():
    settings = Settings(preset="quick", host="LiTaO3")
    assert plot_title(settings, "mlip:chgnet") == "LiTaO3 on NCM811, chgnet, preset quick"
    both = plot_title(settings, "mlip:chgnet", "dft:vasp-pbe+u:kim2026")
    assert both == "LiTaO3 on NCM811, chgnet, vasp-pbe+u:kim2026, preset quick"


def test_a_name_with_dollars_or_letters_that_the_font_lacks_is_drawn_as_it_is(rows, tmp_path, recwarn):
    plot_ranking(rows, tmp_path / "a.png", title="models/a$x^$b on \u4e2d\u6587")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert not [warning for warning in recwarn if "Glyph" in str(warning.message)]


def test_a_folder_in_the_place_of_the_plot_is_refused_before_anything_is_done(tmp_path):
    (tmp_path / "d.png").mkdir()
    with pytest.raises(UserError, match="is a folder"):
        check_plot_file(tmp_path / "d.png")
