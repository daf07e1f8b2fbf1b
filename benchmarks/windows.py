"""Published electrochemical windows against those of the shipped phase energies.

    python benchmarks/windows.py --json OUT [--potential chgnet ...]

Nothing is relaxed: the energies come from datasets/energies, the published values from datasets/published/windows.yaml.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from screening.assets import asset
from screening.errors import UserError
from screening.properties.stability.phase_set import PhaseSet, compute_phases
from screening.properties.stability.window import FormulaWindow, formula_window, parse_formula
from screening.report.window import reaction_side

ENDS = ("reduction", "oxidation")


def published_windows(path: Path | None = None) -> list[dict[str, Any]]:
    """Entries of datasets/published/windows.yaml."""
    return yaml.safe_load((path or asset("datasets", "published", "windows.yaml")).read_text(encoding="utf-8"))


def compare(entry: dict[str, Any], potential: str) -> dict[str, Any]:
    """One compound: computed and published ends (V), and what sets the computed ones."""
    row: dict[str, Any] = {
        "compound": entry["compound"],
        "potential": potential,
        "published_reduction_V": entry["reduction"],
        "published_oxidation_V": entry["oxidation"],
        "published_source": entry["source"],
        "published_sure": entry["sure"],
    }
    try:
        found = compute_phases(set(parse_formula(entry["compound"])), potential)
        window: FormulaWindow = formula_window(entry["compound"], found.phases)
    except UserError as error:
        return row | {"reduction_V": None, "oxidation_V": None, "failure": str(error)}
    row |= _uncorrected(entry["compound"], found)
    return row | {
        "reduction_V": window.reduction,
        "oxidation_V": window.oxidation,
        "window": window.kind,
        "e_above_hull_eV_atom": window.e_above_hull,
        "products_reduction": window.products_reduction,
        "products_oxidation": window.products_oxidation,
    }


def _uncorrected(compound: str, found: PhaseSet) -> dict[str, Any]:
    """The same window without any MP2020 correction, where corrections are added to the potential and not learnt."""
    if found.corrections != "MP2020-needed":
        return {}
    bare = [replace(p, energy_per_atom=p.energy_per_atom - p.correction_per_atom) for p in found.phases]
    window = formula_window(compound, bare)
    return {"uncorrected_reduction_V": window.reduction, "uncorrected_oxidation_V": window.oxidation}


def errors(rows: Sequence[dict[str, Any]]) -> list[float]:
    """|computed - published| of every published end; an end that could not be computed raises.

    Raises
    ------
    ValueError
        When a compound has no computed window: it may not drop out of the mean.
    """
    found = []
    for row in rows:
        for end in ENDS:
            published, computed = row[f"published_{end}_V"], row[f"{end}_V"]
            if published is None:
                continue
            if computed is None:
                raise ValueError(f"{row['compound']} has no computed {end} limit with {row['potential']}")
            found.append(abs(computed - published))
    return found


def mean_absolute_error(rows: Sequence[dict[str, Any]]) -> float:
    """Mean over all published ends, V."""
    values = errors(rows)
    return sum(values) / len(values)


def print_rows(console: Console, potential: str, rows: Sequence[dict[str, Any]]) -> None:
    """One table per potential."""
    table = Table(
        "compound", "reduction, V", "published", "oxidation, V", "published", "uncorrected, V", "window", "reduced to",
        "oxidised to",
        title=potential,
    )  # fmt: skip
    for row in rows:
        table.add_row(
            row["compound"],
            _volts(row["reduction_V"]),
            _volts(row["published_reduction_V"]),
            _volts(row["oxidation_V"]),
            _volts(row["published_oxidation_V"]),
            _volts(row.get("uncorrected_oxidation_V")),
            row.get("window", row.get("failure", "")),
            reaction_side(row.get("products_reduction", {})),
            reaction_side(row.get("products_oxidation", {})),
        )
    console.print(table)
    console.print(f"{potential}: mean absolute error {mean_absolute_error(rows):.3f} V over {len(errors(rows))} ends")


def _volts(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def main(argv: Sequence[str] | None = None) -> None:
    """Compare, print and write."""
    parser = argparse.ArgumentParser(description="Published electrochemical windows against computed ones.")
    parser.add_argument("--json", type=Path, help="file to write")
    parser.add_argument(
        "--potential", action="append", help="repeatable; default: every potential with shipped energies"
    )
    arguments = parser.parse_args(argv)
    shipped = sorted(path.stem for path in asset("datasets", "energies").glob("*.json"))
    console = Console(width=200)
    rows: list[dict[str, Any]] = []
    mae: dict[str, float] = {}
    for potential in arguments.potential or shipped:
        own = [compare(entry, potential) for entry in published_windows()]
        print_rows(console, potential, own)
        rows += own
        mae[potential] = mean_absolute_error(own)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps({"rows": rows, "mae_V": mae}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
