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
    for kind in settings.slab_starts:
        amplitude = settings.rattle if kind == "rattled" else 0.0
        if kind == "half":
            continue
        if kind == "search":
            if trial.coating.failure is None:
                starts.append(_coating(kind, trial.coating.atoms, {**recipe, "parents": [trial.coating.key]}, settings))
            continue
        starts.append(_coating(kind, _rattled(split(trial.cut)[1], amplitude, seed), recipe, settings))
        for y, order in [(1.0, 0), *charged]:
            slab = _rattled(delithiate(split(parent.cut)[0], y, order=order, seed=seed), amplitude, seed)
            shared = {"step": "adhesion/slab", "start": kind, "side": "substrate", "y": y, "order": order, "seed": seed}
            task = full_relaxation({**shared, "parents": [parent.result.key]}, slab, settings)
            starts.append(SlabStart(side="substrate", label=kind, task=task, y=y, order=order))
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


def _rattled(atoms: Atoms, amplitude: float, seed: int) -> Atoms:
    """Displace the free atoms by seeded normal deviates of `amplitude` A."""
    step = np.random.default_rng(seed).normal(scale=amplitude, size=(len(atoms), 3)) if amplitude else 0.0
    atoms.set_positions(atoms.positions + step, apply_constraint=True)
    return atoms
