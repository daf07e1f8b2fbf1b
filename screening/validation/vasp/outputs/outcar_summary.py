"""What an OUTCAR says of its run besides structures: species, energies, electronic loops and how it ended."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from screening.training_data.calculation import CalculationUnreadable
from screening.validation.vasp.outputs.method import element_of

END_MARK = "General timing and accounting informations"
ELECTRONIC_DONE = "aborting loop because EDIFF is reached"
ELECTRONIC_FAILED = "EDIFF was not reached"
IONIC_DONE = "reached required accuracy"
STEP_ENERGY = "FREE ENERGIE OF THE ION-ELECTRON SYSTEM"
ITERATION = re.compile(r"Iteration\s+[\d*]+\s*\(\s*(\d+|\*+)\)")
TOTAL = re.compile(r"free\s+energy\s+TOTEN\s*=\s*(\S+)")
NELM = 60  # VASP's default


@dataclass(frozen=True, kw_only=True)
class OutcarSummary:
    """One OUTCAR.

    Attributes
    ----------
    complete
        Whether VASP ended it itself.
    titles
        TITEL of each species, in order; one may occur twice.
    composition
        Number of atoms of each element; empty when OUTCAR does not say.
    free_energies
        Of each ionic step, eV, NaN where it is ``****``.
    electronic
        Whether the electrons of each ionic step converged.
    reached_accuracy
        Whether VASP says after the last step that the relaxation reached its goal.
    ending
        Text from the last ionic step on, where a stop is announced.
    """

    complete: bool
    titles: tuple[str, ...]
    composition: Counter[str]
    free_energies: tuple[float, ...]
    electronic: tuple[bool, ...]
    reached_accuracy: bool
    ending: str


def outcar_text(path: Path) -> str:
    """Text of a plain or compressed OUTCAR.

    Raises
    ------
    CalculationUnreadable
        When it cannot be read.
    """
    from monty.io import zopen

    try:
        with zopen(path, mode="rb") as file:
            return bytes(file.read()).decode("utf-8", errors="replace")
    except (OSError, EOFError) as error:
        raise CalculationUnreadable(f"{path.name} cannot be read ({error})") from error


def summarize(text: str) -> OutcarSummary:
    """Summary of the text of an OUTCAR."""
    *steps, rest = text.split(STEP_ENERGY)
    energies = [_energy(after) for after in (*steps[1:], rest)] if steps else []
    titles = _titles(text)
    counts = re.search(r"ions per type =\s*([\d ]+)", text)
    composition: Counter[str] = Counter()
    for title, count in zip(titles, counts.group(1).split() if counts else (), strict=False):
        composition[element_of(title)] += int(count)
    return OutcarSummary(
        complete=END_MARK in rest,
        titles=titles,
        composition=composition,
        free_energies=tuple(energies),
        electronic=tuple(_electrons_converged(step, _limit(text)) for step in steps),
        reached_accuracy=IONIC_DONE in rest,
        ending="".join(text.rsplit(STEP_ENERGY, 2)[-2:]),
    )


def _titles(text: str) -> tuple[str, ...]:
    titles = [title.strip() for title in re.findall(r"^\s*TITEL\s*=\s*(.+)$", text, re.MULTILINE)]
    if not titles:  # each POTCAR is announced twice
        titles = [title.strip() for title in re.findall(r"^ POTCAR:\s+(.+)$", text, re.MULTILINE)]
        titles = titles[: (len(titles) + 1) // 2]
    return tuple(titles)


def _limit(text: str) -> int:
    found = re.search(r"^\s*NELM\s*=\s*(\d+)", text, re.MULTILINE)
    return int(found.group(1)) if found else NELM


def _electrons_converged(step: str, limit: int) -> bool:
    """A loop that used all iterations did not converge: VASP 5 prints its line on EDIFF in any case."""
    numbers = ITERATION.findall(step)
    used_all = any("*" in number or int(number) >= limit for number in numbers)
    return ELECTRONIC_DONE in step and ELECTRONIC_FAILED not in step and not used_all


def _energy(after: str) -> float:
    found = TOTAL.search(after[:2000])
    try:
        return float(found.group(1)) if found else float("nan")
    except ValueError:
        return float("nan")
