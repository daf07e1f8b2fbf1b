"""References of adhesion: every slab's energy is the lowest of several starts (design section 2)."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from ase import Atoms

from screening.config import AdhesionSettings
from screening.engine.tasks import RelaxTask, Result, Task
from screening.properties.adhesion.basin_hopping import full_relaxation
from screening.properties.adhesion.parent import ParentInterface
from screening.properties.adhesion.placement_search import carry_over
from screening.properties.adhesion.types import ChargeState, Trial
from screening.structures.interfaces.cathode import delithiate
from screening.structures.interfaces.interface import split
from screening.structures.interfaces.placements import rattled


@dataclass(frozen=True, kw_only=True)
class SlabStart:
    """One relaxation of one slab alone. A substrate belongs to a state of charge and vacancy order."""

    side: Literal["coating", "substrate"]
    label: str
    task: RelaxTask
    y: float = 1.0
    order: int = 0


def coating_starts(
    trial: Trial, parent: ParentInterface, recipe: dict[str, Any], settings: AdhesionSettings, *, seed: int
) -> list[SlabStart]:
    """Starts of a candidate's coating slab that need no relaxed interface.

    The search has already relaxed the slab a little from the relaxed parent; `parent` and `rattled` start from the
    lowest arrangement of the pristine slab, so that no candidate's reference is lower only because it was searched
    better.
    """
    starts: list[SlabStart] = []
    if "search" in settings.slab_starts and trial.coating.failure is None:
        searched = {**recipe, "parents": [trial.coating.key]}
        starts.append(_coating("search", trial.coating.atoms, searched, settings))
    cut = split(trial.cut)[1]
    if "cut" in settings.slab_starts:
        starts.append(_coating("cut", cut, recipe, settings))
    carried = carry_over(cut, split(parent.cut)[1], parent.coating.atoms)
    inherited = {**recipe, "parents": [parent.coating.key]}
    if "parent" in settings.slab_starts:
        starts.append(_coating("parent", carried, inherited, settings))
    for n in range(settings.n_rattled if "rattled" in settings.slab_starts else 0):
        atoms = rattled(carried, settings.rattle, np.random.default_rng([seed, n]))
        starts.append(_coating(f"rattled {n}", atoms, inherited, settings))
    return starts


def substrate_starts(
    charged: Sequence[tuple[float, int]], parent: ParentInterface, settings: AdhesionSettings, *, seed: int
) -> list[SlabStart]:
    """Substrate slabs cut from bulk and rattled, at every state of charge.

    They are the same for every candidate, so their recipes name none and they are computed once.
    """
    slab = split(parent.cut)[0]
    cuts: list[tuple[str, Atoms]] = [("cut", slab)] if "cut" in settings.slab_starts else []
    if "rattled" in settings.slab_starts:
        rngs = [np.random.default_rng([seed, n]) for n in range(settings.n_rattled)]
        cuts += [(f"rattled {n}", rattled(slab, settings.rattle, rng)) for n, rng in enumerate(rngs)]
    starts: list[SlabStart] = []
    for label, atoms in cuts:
        for y, order in [(1.0, 0), *charged]:
            recipe = {"step": "adhesion/slab", "start": label, "side": "substrate", "y": y, "order": order}
            recipe |= {"seed": seed, "parents": [parent.result.key]}
            task = full_relaxation(recipe, delithiate(atoms, y, order=order, seed=seed), settings)
            starts.append(SlabStart(side="substrate", label=label, task=task, y=y, order=order))
    return starts


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
