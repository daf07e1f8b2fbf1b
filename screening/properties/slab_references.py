"""References of adhesion: every slab's energy is the lowest of several starts (design section 2)."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from ase import Atoms

from screening.config import AdhesionSettings
from screening.engine.tasks import RelaxTask, Result, Task
from screening.properties.adhesion_types import ChargeState, Trial
from screening.properties.parent import ParentInterface
from screening.structures.cathode import delithiate
from screening.structures.interface import split
from screening.structures.placements import rattled


@dataclass(frozen=True, kw_only=True)
class SlabStart:
    """One relaxation of one slab alone. A substrate belongs to a state of charge and vacancy order."""

    side: Literal["coating", "substrate"]
    label: str
    task: RelaxTask
    y: float = 1.0
    order: int = 0


def full_relaxation(recipe: dict[str, Any], atoms: Atoms, settings: AdhesionSettings) -> RelaxTask:
    """Relax to the preset's force at fixed cell."""
    return RelaxTask(recipe=recipe, atoms=atoms, fmax=settings.fmax, max_steps=settings.max_steps)


def early_starts(
    trial: Trial,
    charged: Sequence[tuple[float, int]],
    parent: ParentInterface,
    recipe: dict[str, Any],
    settings: AdhesionSettings,
    *,
    seed: int,
) -> list[SlabStart]:
    """All slab starts that need no relaxed interface: cut from bulk, rattled, and on from the placement search.

    The search has already relaxed the coating slab a little from the relaxed parent; the substrates of these starts
    are the same for every candidate, so their recipes name none and they are computed once.
    """
    starts: list[SlabStart] = []
    if "search" in settings.slab_starts and trial.coating.failure is None:
        searched = {**recipe, "parents": [trial.coating.key]}
        starts.append(_coating("search", trial.coating.atoms, searched, settings))
    for label, seeds in _amplitudes(settings, seed):
        amplitude = 0.0 if seeds is None else settings.rattle
        coating = rattled(split(trial.cut)[1], amplitude, np.random.default_rng(seeds))
        starts.append(_coating(label, coating, recipe, settings))
        for y, order in [(1.0, 0), *charged]:
            slab = delithiate(split(parent.cut)[0], y, order=order, seed=seed)
            slab = rattled(slab, amplitude, np.random.default_rng(seeds))
            shared = {
                "step": "adhesion/slab",
                "start": label,
                "side": "substrate",
                "y": y,
                "order": order,
                "seed": seed,
            }
            task = full_relaxation({**shared, "parents": [parent.result.key]}, slab, settings)
            starts.append(SlabStart(side="substrate", label=label, task=task, y=y, order=order))
    return starts


def _amplitudes(settings: AdhesionSettings, seed: int) -> list[tuple[str, list[int] | None]]:
    """Labels of the starts cut from bulk, each with the seed of its rattling (None: as cut)."""
    cuts: list[tuple[str, list[int] | None]] = [("cut", None)] if "cut" in settings.slab_starts else []
    if "rattled" in settings.slab_starts:
        cuts += [(f"rattled {n}", [seed, n]) for n in range(settings.n_rattled)]
    return cuts


def half_starts(state: ChargeState, recipe: dict[str, Any], settings: AdhesionSettings) -> list[SlabStart]:
    """The two halves of a relaxed interface, to be relaxed further on their own."""
    if "half" not in settings.slab_starts or state.interface.failure is not None:
        return []
    substrate, coating = split(state.interface.atoms)
    label = f"half y={state.y:.3g} order={state.order}"
    common = {**recipe, "step": "adhesion/slab", "start": "half", "y": state.y, "order": state.order}
    common["parents"] = [state.interface.key]
    task = full_relaxation({**common, "side": "substrate"}, substrate, settings)
    return [
        _coating(label, coating, common, settings),
        SlabStart(side="substrate", label="half", task=task, y=state.y, order=state.order),
    ]


def file_results(
    starts: Sequence[SlabStart],
    results: Sequence[Result],
    states: Sequence[ChargeState],
    coatings: dict[str, Result],
) -> None:
    """Sort results into `coatings` and the states' substrates.

    A failed start is left out: it is one of several, and the records report a state without any usable reference.
    """
    for start, result in zip(starts, results, strict=True):
        if result.failure is not None:
            continue
        if start.side == "coating":
            coatings[start.label] = result
            continue
        for state in states:
            if (state.y, state.order) == (start.y, start.order):
                state.substrates[start.label] = result


def relax_equilibrium(
    trials: Sequence[Trial], winner: int, recipe: dict[str, Any], settings: AdhesionSettings
) -> Generator[list[Task], list[Result], dict[str, Result]]:
    """Relax the coating slab in the arrangement that is lowest for the slab alone, unless it is the winner's own."""
    usable = [i for i, t in enumerate(trials) if t.coating.failure is None]
    best = min(usable, key=lambda i: trials[i].coating.energy, default=winner)
    if best == winner:
        return {}
    trial = trials[best]
    where = {"placement": trial.label, "where": trial.where, "parents": [trial.coating.key]}
    task = full_relaxation({**recipe, "step": "adhesion/equilibrium", **where}, trial.coating.atoms, settings)
    (result,) = yield [task]
    return {} if result.failure is not None else {trial.label: result}


def _coating(label: str, atoms: Atoms, recipe: dict[str, Any], settings: AdhesionSettings) -> SlabStart:
    own = {"start": label, **recipe, "step": "adhesion/slab", "side": "coating"}
    return SlabStart(side="coating", label=label, task=full_relaxation(own, atoms, settings))
