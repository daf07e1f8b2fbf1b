"""References of adhesion: every slab's energy is the lowest of several starts.

A separated slab relaxes by 6 to 9 eV per cell into one of many minima; which one depends on the start.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from ase import Atoms

from screening.config import AdhesionSettings
from screening.engine.flows import Flow
from screening.engine.tasks import RelaxTask, Result
from screening.properties.adhesion.basin_hopping import full_relaxation
from screening.properties.adhesion.parent import ParentInterface
from screening.properties.adhesion.placement_search import carry_over
from screening.properties.adhesion.types import ChargeState, Trial
from screening.structures.interfaces.cathode import delithiate
from screening.structures.interfaces.interface import split
from screening.structures.interfaces.placements import rattled


@dataclass(frozen=True, kw_only=True)
class SlabStart:
    """Where the relaxation of one slab alone starts. A substrate belongs to a state of charge and vacancy order."""

    side: Literal["coating", "substrate"]
    label: str
    y: float = 1.0
    order: int = 0


def coating_starts(
    trial: Trial, parent: ParentInterface, recipe: dict[str, Any], settings: AdhesionSettings, *, seed: int
) -> dict[SlabStart, RelaxTask]:
    """Starts of a candidate's coating slab that need no relaxed interface.

    The search has already relaxed the slab a little from the relaxed parent; `parent` and `rattled` start from the
    lowest arrangement of the pristine slab, so that no candidate's reference is lower only because it was searched
    better.
    """
    starts: dict[SlabStart, RelaxTask] = {}

    def add(label: str, atoms: Atoms, own: dict[str, Any]) -> None:
        starts[SlabStart(side="coating", label=label)] = _coating(label, atoms, own, settings)

    if "search" in settings.slab_starts and trial.coating.failure is None:
        add("search", trial.coating.atoms, {**recipe, "parents": [trial.coating.key]})
    cut = split(trial.cut)[1]
    if "cut" in settings.slab_starts:
        add("cut", cut, recipe)
    carried = carry_over(cut, split(parent.cut)[1], parent.coating.atoms)
    inherited = {**recipe, "parents": [parent.coating.key]}
    if "parent" in settings.slab_starts:
        add("parent", carried, inherited)
    for n in range(settings.n_rattled if "rattled" in settings.slab_starts else 0):
        atoms = rattled(carried, settings.rattle, np.random.default_rng([seed, n]))
        add(f"rattled {n}", atoms, inherited)
    return starts


def substrate_starts(
    charged: Sequence[tuple[float, int]], parent: ParentInterface, settings: AdhesionSettings, *, seed: int
) -> dict[SlabStart, RelaxTask]:
    """Substrate slabs cut from bulk and rattled, at every state of charge.

    They are the same for every candidate, so their recipes name none and they are computed once.
    """
    slab = split(parent.cut)[0]
    cuts: list[tuple[str, Atoms]] = [("cut", slab)] if "cut" in settings.slab_starts else []
    if "rattled" in settings.slab_starts:
        rngs = [np.random.default_rng([seed, n]) for n in range(settings.n_rattled)]
        cuts += [(f"rattled {n}", rattled(slab, settings.rattle, rng)) for n, rng in enumerate(rngs)]
    starts: dict[SlabStart, RelaxTask] = {}
    for label, atoms in cuts:
        for y, order in [(1.0, 0), *charged]:
            recipe = {"step": "adhesion/slab", "start": label, "side": "substrate", "y": y, "order": order}
            recipe |= {"seed": seed, "parents": [parent.result.key]}
            task = full_relaxation(recipe, delithiate(atoms, y, order=order, seed=seed), settings)
            starts[SlabStart(side="substrate", label=label, y=y, order=order)] = task
    return starts


def half_starts(state: ChargeState, recipe: dict[str, Any], settings: AdhesionSettings) -> dict[SlabStart, RelaxTask]:
    """The two halves of a relaxed interface, to be relaxed further on their own."""
    if "half" not in settings.slab_starts or state.interface.failure is not None:
        return {}
    substrate, coating = split(state.interface.atoms)
    label = f"half y={state.y:.3g} order={state.order}"
    common = {**recipe, "step": "adhesion/slab", "start": "half", "y": state.y, "order": state.order}
    common["parents"] = [state.interface.key]
    at: dict[str, Any] = {"y": state.y, "order": state.order}
    return {
        SlabStart(side="coating", label=label, **at): _coating(label, coating, common, settings),
        SlabStart(side="substrate", label="half", **at): full_relaxation(
            {**common, "side": "substrate"}, substrate, settings
        ),
    }


def file_results(slabs: Mapping[SlabStart, Result], states: Sequence[ChargeState], coatings: dict[str, Result]) -> None:
    """Sort results into `coatings` and the states' substrates.

    A failed start is left out: it is one of several, and the records report a state without any usable reference.
    """
    for start, result in slabs.items():
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
) -> Flow[dict[str, Result]]:
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


def _coating(label: str, atoms: Atoms, recipe: dict[str, Any], settings: AdhesionSettings) -> RelaxTask:
    own = {"start": label, **recipe, "step": "adhesion/slab", "side": "coating"}
    return full_relaxation(own, atoms, settings)
