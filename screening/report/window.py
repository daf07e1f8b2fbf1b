"""The window of a composition as a table and as a plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from screening.properties import hull
from screening.properties.reactivity import Reaction
from screening.properties.window import PINNED, FormulaWindow

_KINDS = {
    "own": "by the energy of the listed crystal {phase}",
    PINNED: "pinned to the hull: the window of the decomposition products, not of a crystal of its own",
}


def print_window(console: Console, window: FormulaWindow, *, potential: str, source: str) -> None:
    """Both ends, what the composition turns into beyond them, and the voltage profile."""
    meaning = _KINDS[window.kind].format(phase=window.phase)
    console.print(f"{window.formula}: {_end(window.reduction)} to {_end(window.oxidation)} V vs Li/Li+ ({meaning})")
    if window.e_above_hull is not None:
        console.print(f"  above the hull of all other phases: {1000 * window.e_above_hull:.0f} meV/atom")
    if window.decomposition and (window.kind == PINNED or (window.e_above_hull or 0) > 0):
        console.print(f"  without Li exchange it is in equilibrium with: {reaction_side(window.decomposition)}")
    table = Table("V vs Li/Li+", "Li per formula", "equilibrium phases per formula", "driving force, eV/atom")
    for row in window.profile:
        table.add_row(
            f"{row['low']:.2f} to {_end(row['high'])}",
            f"{row['li_uptake']:+.2f}",
            reaction_side(row["products"]) or window.formula,
            f"{max(row['driving_force'], 0.0):.3f}",
        )
    console.print(table)
    console.print(f"Energies: {potential}, phases: {source}. Driving force at the lower voltage of each row.")
    if window.predicted:
        console.print(f"Predicted by ionic substitution, no known crystals: {', '.join(window.predicted)}")


def print_reactions(console: Console, first: str, rows: Sequence[tuple[str, Reaction]]) -> None:
    """Most negative reactions with other phases, closed and open to Li."""
    table = Table("with", "Li", "reaction energy, eV/atom", "by contact alone", f"atoms of {first}", "products")
    for partner, reaction in rows:
        table.add_row(
            partner,
            "closed" if reaction.voltage is None else f"open at {reaction.voltage:g} V",
            f"{reaction.energy:.3f}",
            f"{reaction.mutual_energy:.3f}",
            f"{100 * reaction.mixing:.0f} %",
            reaction_side(reaction.products) or "none",
        )
    console.print(table)


def reaction_side(products: Mapping[str, float]) -> str:
    """Amounts and phases, largest first."""
    shown = sorted(products.items(), key=lambda item: -item[1])
    return " + ".join(f"{amount:.3g} {name}" for name, amount in shown)


def _end(voltage: float) -> str:
    if voltage >= hull.V_MAX:
        return f"above {hull.V_MAX:g} (no limit found)"
    return f"{voltage:.2f}"


def plot_window(window: FormulaWindow, path: Path, *, potential: str) -> None:
    """Driving force and Li uptake against voltage, written to `path`."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    rows = window.profile
    volts = [row["low"] for row in rows] + [rows[-1]["high"]]
    last = rows[-1]
    # linear within a segment: the slope is the Li exchanged per atom
    end = last["driving_force"] - last["li_uptake"] / _atoms(window) * (last["high"] - last["low"])
    force = [row["driving_force"] for row in rows] + [end]
    figure, (above, below) = plt.subplots(2, 1, sharex=True, figsize=(6, 6), constrained_layout=True)
    above.plot(volts, [max(f, 0.0) for f in force], color="tab:red")
    above.set_ylabel("driving force (eV/atom)")
    above.set_title(f"{window.formula}, {potential}, window {window.kind}")
    below.stairs([row["li_uptake"] for row in rows], volts, baseline=None, color="tab:blue")
    below.set_ylabel("Li uptake per formula unit")
    below.set_xlabel("V vs Li/Li$^+$")
    for axis in (above, below):
        axis.axvspan(window.reduction, window.oxidation, color="tab:green", alpha=0.15)
        axis.set_xlim(0, min(hull.V_MAX, max(5.0, window.oxidation + 0.5)))
    figure.savefig(path, dpi=150)
    plt.close(figure)


def _atoms(window: FormulaWindow) -> float:
    from screening.properties.window import parse_formula

    return sum(parse_formula(window.formula).values())
