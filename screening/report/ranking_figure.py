"""The ranking as a picture: a row per candidate, a panel per ranked property.

``screen rank RUN --plot ranking.png`` draws a run. Of a run that is not at hand its table will do:
``python -m screening.report.ranking_figure ranking.csv ranking.png``.
"""

from __future__ import annotations

import argparse
import csv
import re
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, pairwise
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from screening.errors import UserError
from screening.fidelity import Fidelity
from screening.files import check_writable, replacing
from screening.quantities.property import Property
from screening.quantities.table import ranked
from screening.report.cells import intervals

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from screening.config import Settings

FORMATS = ("png", "svg", "pdf")

# Okabe and Ito's colours, which colour-blind people tell apart; the markers differ as well
_STYLES = (("#0072B2", "o"), ("#D55E00", "s"), ("#009E73", "^"), ("#CC79A7", "D"), ("#56B4E9", "v"), ("#E69F00", "P"))
_DARK, _GREY, _SMALL_PRINT, _STRIPE = "#222222", "#9A9A9A", "#666666", "#F3F3F3"
_WHY_UNRANKED = ("missing", "failed", "unconverged", "reacted", "removed", "not_percolating_3d")
_STATE = re.compile(r"_y([0-9.]+)_")

_OWN = "open: the potential's own value"

_REASON_LINE = 0.42
"""Height of a line of small print, in rows."""

_FOOTNOTE = (
    "Ordered by Pareto front, then by score; * = Pareto-optimal, grey = not ranked. y: Li per formula unit of the "
    "cathode; the lowest adhesion is ranked. Bars: {intervals}; the potential's own error is not in them, and another "
    "search for the interface may move adhesion by more."
)
_FOOTNOTE_WIDTH = 118


@dataclass(frozen=True, kw_only=True)
class Series:
    """One set of points of a panel.

    Attributes
    ----------
    name
        Column of the values; those of the interval are ``<name>_low`` and ``<name>_high``.
    own
        Column of the potential's own value, where DFT or a correction replaces it.
    label
        For the legend; empty where a panel has one series only.
    """

    name: str
    own: str
    label: str
    colour: str
    marker: str


def check_plot_file(path: Path) -> None:
    """Refuse what cannot be drawn before anything is done.

    Raises
    ------
    UserError
        For another kind of file than `FORMATS`, a folder in its place, and a folder that is not there or not writable.
    """
    if path.suffix.lower().lstrip(".") not in FORMATS:
        raise UserError(f"cannot draw {path}: a plot is written as {', '.join(FORMATS)}; name it ranking.png.")
    if not path.parent.is_dir():
        raise UserError(f"the folder of {path} does not exist; create it or choose another --plot.")
    if path.is_dir():
        raise UserError(f"{path} is a folder; name a file for the plot, such as {path / 'ranking.png'}.")
    check_writable(path.parent, "--plot")


def plot_ranking(rows: Sequence[Mapping[str, Any]], path: Path, *, title: str = "") -> None:
    """Write `ranking_figure` to `path`, as what its suffix says.

    Raises
    ------
    UserError
        See `check_plot_file`.
    """
    import matplotlib as mpl

    check_plot_file(path)
    kind = path.suffix.lower().lstrip(".")
    # one ranking, one file: no time of day, no random names
    dateless = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind)
    # a dollar in a name is no formula, and a letter that the font lacks is drawn as a box
    look: Any = {"svg.hashsalt": "coatscreen", "text.parse_math": False}
    with replacing(path) as file, mpl.rc_context(look), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        ranking_figure(rows, title=title).savefig(file, dpi=120, format=kind, metadata=dateless)


def plot_title(settings: Settings, fidelity: str, reference: str = "") -> str:
    """What was screened with what: ``LiNbO3 on NCM811, chgnet, preset quick``; with DFT values their method as well."""
    methods = [Fidelity.parse(name).label for name in (fidelity, reference) if name]
    return ", ".join([f"{settings.host} on {settings.cathode}", *methods, f"preset {settings.preset}"])


def ranking_figure(rows: Sequence[Mapping[str, Any]], *, title: str = "") -> Figure:
    """Every candidate with its ranked properties and their intervals, best at the top, the pristine host as a line.

    Parameters
    ----------
    rows
        Flat rows in order, with the columns of ranking.csv (absent values None, flags a list).
    title
        For example the name of the run.
    """
    from matplotlib.figure import Figure

    reasons = [wrap(_why_unranked(row), 46) for row in rows]
    edges = [0.0, *accumulate(1 + _REASON_LINE * len(lines) for lines in reasons)]
    figure = Figure(figsize=(10, 1.5 + 0.3 * max(edges[-1], 3)), layout="constrained")
    objectives = ranked()
    widths = [1.4, *[1.0] * (len(objectives) - 1)]
    axes = figure.subplots(1, len(objectives), sharey=True, gridspec_kw={"width_ratios": widths})
    host = next((row for row in rows if not row["dopants"]), None)
    for axis, objective in zip(axes, objectives, strict=True):
        _panel(axis, objective, rows, edges, host)
    _name_rows(axes[0], rows, edges, reasons)
    _legend(figure, title)
    footnote = wrap(_FOOTNOTE.format(intervals=", or ".join(intervals(objectives))), _FOOTNOTE_WIDTH)
    figure.supxlabel("\n".join(footnote), x=0.01, ha="left", fontsize=8, color=_SMALL_PRINT)
    return figure


def _legend(figure: Figure, title: str) -> None:
    """Title, and below it what each kind of point and line is, once."""
    lines = [line for axis in figure.axes for line in axis.get_lines()]
    named = {str(line.get_label()): line for line in lines if not str(line.get_label()).startswith("_")}
    look: Any = {"frameon": False, "fontsize": 9, "title_fontsize": 11, "alignment": "left", "columnspacing": 1.5}
    labels = sorted(named, key=lambda label: label == _OWN)
    figure.legend(
        [named[label] for label in labels], labels, loc="outside upper left", title=title, ncols=len(named) or 1, **look
    )


def _panel(
    axis: Axes,
    objective: Property,
    rows: Sequence[Mapping[str, Any]],
    edges: Sequence[float],
    host: Mapping[str, Any] | None,
) -> None:
    """One property: points, intervals, the host's value as a line from top to bottom; row i lies at `edges`[i]."""
    for top, bottom in list(pairwise(edges))[::2]:
        axis.axhspan(top, bottom, color=_STRIPE, linewidth=0, zorder=0)
    series = _series(objective, rows)
    steps = [(i - (len(series) - 1) / 2) * min(0.3, 0.7 / len(series)) for i in range(len(series))]
    for one, step in zip(series, steps, strict=True):
        _points(axis, one, rows, [edge + 0.5 + step for edge in edges[:-1]])
        if host is not None and host.get(one.name) is not None:
            axis.axvline(host[one.name], color=one.colour, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    if host is not None and len(series) > 1:
        label = f"{host['formula']} without dopants"
        axis.plot([], [], color=_DARK, linewidth=1, linestyle=(0, (4, 3)), label=label)
    better = "more is better \N{RIGHTWARDS ARROW}" if objective.sign > 0 else "\N{LEFTWARDS ARROW} less is better"
    axis.set_title(objective.name.replace("_", " "), fontsize=9.5)
    axis.set_xlabel(f"{objective.unit.replace('m2', 'm²')}\n{better}", fontsize=9)
    axis.tick_params(axis="x", labelsize=9)
    axis.locator_params(axis="x", nbins=5 if len(series) > 1 else 3)
    axis.tick_params(axis="y", length=0)
    axis.spines[["top", "right", "left"]].set_visible(False)


def _series(objective: Property, rows: Sequence[Mapping[str, Any]]) -> list[Series]:
    """One per state of charge where the property has one, in the order of the columns; otherwise one."""
    names = rows[0] if rows else {}
    charged = [name for name in names if (found := _STATE.search(name)) and name == objective.column(found[0][1:-1])]
    if not charged:
        own = objective.column("mlip")
        return [Series(name=objective.column(), own=own, label="", colour=_DARK, marker="o")]
    out = []
    for i, name in enumerate(charged):
        found = _STATE.search(name)
        assert found is not None
        y = Fraction(found[1]).limit_denominator(12)
        colour, marker = _STYLES[i % len(_STYLES)]
        own = objective.column(f"{found[0][1:-1]}_mlip")
        out.append(Series(name=name, own=own, label=f"y = {y}", colour=colour, marker=marker))
    return out


def _points(axis: Axes, series: Series, rows: Sequence[Mapping[str, Any]], places: Sequence[float]) -> None:
    """Intervals as bars, values on them; grey without a rank, hollow for the potential's own beside another value."""
    for unranked in (False, True):
        chosen = [(p, r) for p, r in zip(places, rows, strict=True) if (r["rank"] is None) == unranked]
        shown = [(place, row) for place, row in chosen if row.get(series.name) is not None]
        colour = _GREY if unranked else series.colour
        bounds = [(p, r.get(f"{series.name}_low"), r.get(f"{series.name}_high")) for p, r in shown]
        bars = [(place, low, high) for place, low, high in bounds if low is not None and high is not None]
        if bars:
            axis.hlines(*zip(*bars, strict=True), color=colour, linewidth=2, alpha=0.5, zorder=2)
        label = series.label if series.label and not unranked else "_"
        style: Any = {"linestyle": "none", "marker": series.marker, "markersize": 5, "color": colour, "zorder": 3}
        axis.plot([row[series.name] for _, row in shown], [place for place, _ in shown], label=label, **style)
        own = [(p, r[series.own]) for p, r in shown if r.get(series.own) not in (None, r[series.name])]
        if own:
            hollow = style | {"markersize": 7, "markerfacecolor": "white", "zorder": 2.5}
            axis.plot([v for _, v in own], [p for p, _ in own], label=_OWN, **hollow)


def _name_rows(
    axis: Axes, rows: Sequence[Mapping[str, Any]], edges: Sequence[float], reasons: Sequence[Sequence[str]]
) -> None:
    """Formula and rank at every row; below those that are not ranked, why."""
    formulas = Counter(row["formula"] for row in rows)
    ranks = ["–" if row["rank"] is None else f"{row['rank']}{'*' if row['pareto'] else ''}" for row in rows]
    places = [edge + 0.5 for edge in edges[:-1]]
    axis.set_yticks(places, ranks, fontsize=9, color=_DARK)
    beside: Any = {"xycoords": axis.get_yaxis_transform(), "textcoords": "offset points", "ha": "right", "va": "center"}
    for row, place, lines in zip(rows, places, reasons, strict=True):
        colour = _SMALL_PRINT if row["rank"] is None else _DARK
        # two candidates of one composition differ in their names only
        name = row["formula"] if formulas[row["formula"]] == 1 else row["candidate"]
        weight = "normal" if row["dopants"] else "bold"
        axis.annotate(name, (0, place), (-28, 0), color=colour, fontsize=9, fontweight=weight, **beside)
        for i, line in enumerate(lines, start=1):
            axis.annotate(line, (0, place + i * _REASON_LINE), (-28, 0), color=colour, fontsize=7.5, **beside)
    axis.set_ylim(max(edges[-1], 1), 0)


def _why_unranked(row: Mapping[str, Any]) -> str:
    """The flags that keep a candidate from having a rank, as words; empty for a ranked one.

    >>> _why_unranked({"rank": None, "flags": ["thin_slab", "reacted:y1", "reacted:y0"]})
    'reacted: y1, y0'
    """
    if row["rank"] is not None:
        return ""
    reasons: dict[str, list[str]] = {}
    for flag in row["flags"]:
        what, _, where = flag.partition(":")
        if what in _WHY_UNRANKED:
            reasons.setdefault(what, []).extend([where] if where else [])
    return "; ".join(f"{what}: {', '.join(of)}" if of else what for what, of in reasons.items()).replace("_", " ")


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Rows of a ranking.csv as `Ranking.flat` gives them: numbers, None for what is empty, flags as a list."""
    with path.open(encoding="utf-8", newline="") as file:
        return [{name: _cell(name, text) for name, text in row.items()} for row in csv.DictReader(file)]


def _cell(name: str, text: str) -> Any:
    if name == "flags":
        return [flag for flag in text.split(";") if flag]
    if name in ("candidate", "formula", "dopants", "site", "compensation"):
        return text
    if text in ("", "True", "False"):
        return None if not text else text == "True"
    return int(text) if text.isdecimal() else float(text)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m screening.report.ranking_figure", description=__doc__)
    parser.add_argument("ranking", type=Path, help="a run's ranking.csv")
    parser.add_argument("plot", type=Path, help="picture to write: .png, .svg or .pdf")
    parser.add_argument("--title", default="")
    arguments = parser.parse_args(argv)
    plot_ranking(read_rows(arguments.ranking), arguments.plot, title=arguments.title)


if __name__ == "__main__":
    main()
