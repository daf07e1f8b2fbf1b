"""What the columns of a ranking mean: docs/columns.md (``python -m screening.report.columns > docs/columns.md``)."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from screening.quantities import table
from screening.quantities.property import Property

_INTRODUCTION = """`ranking.csv` has a row per candidate and a column per property, with the unit at the end of its
name; what is absent is empty. `ranking.json`, MLflow and `Ranking.to_frame()` call them by the same names. This file is
made from the table of properties, `screening/quantities/table.py`, by
`python -m screening.report.columns > docs/columns.md`."""

_SCORE = """The score is the mean gain over the pristine host in these units, weighted by `ranking.weights`
(`--weights`): a property that is not named there weighs 1, and one of weight 0 takes no part. The reasons for the
units:"""

_THRESHOLDS = """A candidate beyond a threshold is listed without a rank and flagged `removed:`, and so is one whose
value is not known."""

_WHO = (
    ("`rank`", "", "order by Pareto front, then by score; empty when something is missing, unconverged or reacted: "
     "`flags` says what"),
    ("`candidate`", "", "dopant, site, compensation (`vLi` Li vacancies, `iLi` Li interstitials, `vO` O vacancies, "
     "`iso` none, `self`), dopants per formula units"),
    ("`formula`, `dopants`, `site`", "", "per formula unit, with exact fractions that `screen window` reads; what was "
     "put where"),
    ("`x`", "per NbO3", "realised content"),
)  # fmt: skip

_HOW = (
    ("`pareto`, `converged`, `flags`", "", "on the first front; all parts converged; everything a reader should know; "
     "`dft:`, `corrected:`, `simulated:` name properties that are not the potential's own; [flags.md](flags.md) or "
     "`screen rank RUN --explain` says what each flag means"),
)  # fmt: skip

_CELLS = (
    ("`x_requested`, `x_bulk`, `x_interface`, `x_barrier`", "per NbO3", "what was asked for, and what each cell holds; "
     "a difference above 0.02 is flagged"),
    ("`compensation`", "", "what balances the dopant's charge"),
    ("`rank_low`, `rank_high`, `front`", "", "95 % of the ranks when all values are redrawn within their intervals; "
     "the front of the non-dominated sorting"),
)  # fmt: skip

_FURTHER = (
    ("`reaction_energy_*_open_eV_atom`", "eV/atom", "what contact adds with Li exchanged at the voltage of the "
     "driving force; further columns name each state of the cathode"),
    ("`window_pinned_*_V`", "V", "the window with the candidate pinned to the hull, which is that of its decomposition "
     "products: information, not a ranking"),
    ("`*_mlip_*`, `*_dft_*`", "as the column", "beside a column in which DFT or a correction counts: the potential's "
     "own value and DFT's; `*_simulated_*`: a potential's that ran in VASP's place"),
)  # fmt: skip


def columns_document() -> str:
    """Markdown: every column, what a unit of score is, and the thresholds."""
    front = [_row(entry) for entry in table.PROPERTIES if entry.place == "front"]
    behind = [_row(entry) for place in ("behind", "last") for entry in table.PROPERTIES if entry.place == place]
    rows = [*_WHO, *front, _score(), *_HOW, _interval(), *_CELLS, *behind, *_FURTHER]
    scores = [(f"`{e.name}`", f"{e.score.scale:g} {e.unit}", e.score.why) for e in table.ranked() if e.score]
    limits = [
        (f"`--{e.limit.replace('_', '-')}`", f"`ranking.{e.limit}`", e.limit_help) for e in table.with_threshold()
    ]
    parts = [
        "# What the columns of a ranking mean",
        _INTRODUCTION,
        _markdown(("column", "unit", "meaning"), rows),
        "## What counts as much",
        _SCORE,
        _markdown(("property", "one unit of score", "reason"), scores),
        "## Thresholds",
        _THRESHOLDS,
        _markdown(("option of `screen rank`", "setting", "unit"), limits),
    ]
    return "\n\n".join(parts) + "\n"


def _row(entry: Property) -> tuple[str, str, str]:
    names, meaning = [entry.column()], entry.meaning
    if entry.per_y:
        names = [entry.column("y*"), *names]
        meaning += f"; `{entry.end}` is the worst of them"
    if entry.score:
        meaning += f". **Ranked**, {entry.better} is better"
    return ", ".join(f"`{name}`" for name in names), entry.unit, meaning


def _score() -> tuple[str, str, str]:
    scales = _listed(f"{entry.score.scale:g} {entry.unit}" for entry in table.ranked() if entry.score)
    return "`score`", "", f"mean gain over the pristine host in units of {scales}; pristine = 0"


def _interval() -> tuple[str, str, str]:
    kinds: dict[str, list[str]] = {}
    for entry in table.PROPERTIES:
        if entry.interval is not None:
            kinds.setdefault(entry.interval.how, []).append(f"`{entry.name}`")
    said = "; ".join(f"{kind} ({', '.join(names)})" for kind, names in kinds.items())
    return "`<column>_low`, `<column>_high`", "", f"{said}. The potential's own error is *not* in it"


def _listed(words: Iterable[str]) -> str:
    *others, last = words
    return " and ".join(filter(None, (", ".join(others), last)))


def _markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *([cell.replace("|", "&#124;") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    sys.stdout.write(columns_document())
