"""The window of a composition as a table and as a plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from screening.chemistry.formula import Formula
from screening.chemistry.formula_text import JOIN
from screening.files import replacing
from screening.properties.stability import hull
from screening.properties.stability.competing import LISTED
from screening.properties.stability.reactivity import Reaction
from screening.properties.stability.window import OWN, PINNED, FormulaWindow

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from screening.door.window import WindowResult

_KINDS = {
    "own": "by the energy of the listed crystal {phase}",
    PINNED: "pinned to the hull: the window of the decomposition products, not of a crystal of its own",
}


def print_result(console: Console, found: WindowResult) -> None:
    """The window and, where partners were asked for, the reactions with them."""
    print_window(console, found.window, potential=found.potential, source=found.source)
    if not found.reactions:
        return
    for partner in found.partners:
        if partner.note:
            console.print(partner.note, highlight=False)
    print_reactions(console, found.window.read.written, found.reactions, pinned=found.pinned)


def print_window(console: Console, window: FormulaWindow, *, potential: str, source: str) -> None:
    """Both ends, what the composition turns into beyond them, and the voltage profile."""
    if window.read.note:
        console.print(window.read.note, highlight=False)
    meaning = _KINDS[window.kind].format(phase=window.phase)
    console.print(
        f"{window.read.written}: {_end(window.reduction)} to {_end(window.oxidation)} V vs Li/Li+ ({meaning})"
    )
    if window.why_pinned:
        console.print(f"  pinned because {window.why_pinned}", highlight=False)
    if window.e_above_hull is not None:
        console.print(f"  {_distance(window.e_above_hull)}")
    elif window.kind == OWN:
        console.print("  nothing else makes it up: it is its own reference")
    if window.remark:
        console.print(f"  {window.remark}", highlight=False)
    if window.decomposition and (window.kind == PINNED or (window.e_above_hull or 0) > 0):
        console.print(f"  without Li exchange it is in equilibrium with: {reaction_side(window.decomposition)}")
    table = Table("V vs Li/Li+", "Li per formula", "equilibrium phases per formula", "driving force, eV/atom")
    for row in window.profile:
        table.add_row(
            f"{row['low']:.2f} to {_end(row['high'])}",
            f"{row['li_uptake']:+.2f}",
            reaction_side(row["products"]) or window.read.written,
            f"{row['driving_force']:.3f} to {row['driving_force_high']:.3f}",
        )
    console.print(table)
    console.print(f"{energies_label(potential, source)}. Driving force at both ends of each row, linear in between.")
    if window.predicted:
        console.print(f"Predicted by ionic substitution, no known crystals: {', '.join(window.predicted)}")
    if window.quarantined:
        reasons = "; ".join(f"{name} ({gate})" for name, gate in window.quarantined.items())
        console.print(f"Listed but quarantined, not used: {reasons}", highlight=False)


def print_reactions(
    console: Console, first: str, rows: Sequence[tuple[str, Reaction]], *, pinned: Mapping[str, str]
) -> None:
    """Most negative reactions with other phases, closed and open to Li; `pinned` says who has no energy of its own."""
    table = Table("with", "Li", "reaction energy, eV/atom", "by contact alone", f"atoms of {first}", "products")
    for partner, reaction in rows:
        table.add_row(
            partner,
            "closed" if reaction.voltage is None else f"open at {reaction.voltage:g} V",
            f"{reaction.energy:.3f}",
            f"{reaction.mutual_energy:.3f}",
            f"{100 * abs(reaction.mixing):.0f} %",
            reaction_side(reaction.products) or "none",
        )
    console.print(table)
    for partner, reason in pinned.items():
        console.print(f"{partner} is pinned to the hull because {reason}", highlight=False)


def reaction_side(products: Mapping[str, float]) -> str:
    """Amounts and phases, largest first."""
    shown = sorted(products.items(), key=lambda item: -item[1])
    return " + ".join(f"{amount:.3g} {name}" for name, amount in shown)


def _distance(above_hull: float) -> str:
    if above_hull > 0:
        return f"above the hull of all other phases: {1000 * above_hull:.0f} meV/atom"
    return "on the hull: no mixture of the other phases is lower"


def _end(voltage: float) -> str:
    if voltage >= hull.V_MAX:
        return f"above {hull.V_MAX:g} (no limit found)"
    return f"{voltage:.2f}"


def energies_label(potential: str, source: str) -> str:
    """Whose energies they are: the potential's, or those of the entries that take the place of the listed phases."""
    return f"Energies: {potential}, phases: {source}" if source == LISTED else f"Energies and phases: {source}"


def plot_name(formula: Formula) -> str:
    """Name of the plot's file: ``window-LiNbO3.png``, ``window-[Li5of6Mg1of12]NbO3.png``."""
    name = formula.written.replace("/", "of").replace(JOIN, "-")
    return f"window-{name[:129]}.png"


def plot_window(window: FormulaWindow, path: Path, *, potential: str, source: str = LISTED) -> None:
    """Driving force and Li uptake against voltage, written to `path`."""
    import matplotlib.pyplot as plt

    figure = window_figure(window, energies=potential if source == LISTED else Path(source).name)
    with replacing(path) as file:
        figure.savefig(file, dpi=150, format="png")
    plt.close(figure)


def window_figure(window: FormulaWindow, *, energies: str) -> Figure:
    """Driving force above, Li uptake below, both against voltage."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    rows = window.profile
    figure, (above, below) = plt.subplots(2, 1, sharex=True, figsize=(6, 6), constrained_layout=True)
    above.plot(*window.driving_force_curve(), color="tab:red")
    above.set_ylabel("driving force (eV/atom)")
    above.set_title(f"{window.read.written}, {energies}" + ("" if window.kind == OWN else ", decomposition products"))
    volts = [row["low"] for row in rows] + [rows[-1]["high"]]
    below.stairs([row["li_uptake"] for row in rows], volts, baseline=None, color="tab:blue")
    below.set_ylabel("Li uptake per formula unit")
    below.set_xlabel("V vs Li/Li$^+$")
    for axis in (above, below):
        axis.axvspan(window.reduction, window.oxidation, color="tab:green", alpha=0.15)
        axis.set_xlim(0, min(hull.V_MAX, max(5.0, window.oxidation + 0.5)))
    return figure
