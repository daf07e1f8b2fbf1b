"""References of adhesion: every slab's energy is the lowest of several starts (design section 2)."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
from ase import Atoms

from screening.config import AdhesionSettings
from screening.engine.tasks import RelaxTask, Result, Task
from screening.properties.adhesion_types import ChargeState, Trial
from screening.properties.parent import ParentInterface
from screening.structures.cathode import delithiate
from screening.structures.interface import split

Steps = Generator[list[Task], list[Result], Any]


def reference_tasks(
    trial: Trial,
    relaxed: Result,
    charged: list[tuple[float, int]],
    parent: ParentInterface,
    recipe: dict[str, Any],
    settings: AdhesionSettings,
    *,
    seed: int,
) -> list[tuple[tuple[Any, ...], RelaxTask]]:
    """Slab starts that need only the interface at the highest y: (where the result belongs, task)."""
    tasks: list[tuple[tuple[Any, ...], RelaxTask]] = []
    half_substrate, half_coating = split(relaxed.atoms)
    for start in settings.slab_starts:
        if start == "half":
            recipe_half = {**recipe, "step": "adhesion/slab", "start": start, "y": 1.0}
            tasks.append(
                (
                    ("coating", "half y=1"),
                    full_relaxation({**recipe_half, "side": "coating"}, half_coating, settings),
                )
            )
            tasks.append(
                (
                    ("substrate", 1.0, 0, start),
                    full_relaxation({**recipe_half, "side": "substrate"}, half_substrate, settings),
                )
            )
            continue
        coating = split(trial.cut)[1]
        if start == "rattled":
            _rattle(coating, settings.rattle, seed)
        tasks.append(
            (
                ("coating", start),
                full_relaxation(
                    {**recipe, "step": "adhesion/slab", "start": start, "side": "coating"}, coating, settings
                ),
            )
        )
        for y, o in [(1.0, 0), *charged]:
            # the same for every candidate, so the recipe names none and it is computed once
            slab = delithiate(split(parent.cut)[0], y, order=o, seed=seed)
            if start == "rattled":
                _rattle(slab, settings.rattle, seed)
            shared = {
                "step": "adhesion/slab",
                "start": start,
                "side": "substrate",
                "y": y,
                "order": o,
                "seed": seed,
                "parents": [parent.result.key],
            }
            tasks.append((("substrate", y, o, start), full_relaxation(shared, slab, settings)))
    return tasks


def relax_halves(
    states: list[ChargeState], coatings: dict[str, Result], recipe: dict[str, Any], settings: AdhesionSettings
) -> Steps:
    """Relax further the two halves of every relaxed charged interface."""
    if "half" not in settings.slab_starts:
        return
    alive = [s for s in states if s.interface.failure is None]
    names: list[tuple[Any, ...]] = []
    tasks: list[Task] = []
    for s in alive:
        substrate, coating = split(s.interface.atoms)
        common = {**recipe, "step": "adhesion/slab", "start": "half", "y": s.y, "order": s.order}
        common["parents"] = [s.interface.key]
        names += [("coating", f"half y={s.y:.3g} order={s.order}"), ("substrate", s.y, s.order, "half")]
        tasks += [
            full_relaxation({**common, "side": "coating"}, coating, settings),
            full_relaxation({**common, "side": "substrate"}, substrate, settings),
        ]
    if not tasks:
        return
    results = yield tasks
    for name, result in zip(names, results, strict=True):
        file_result(name, result, states, coatings)


def relax_equilibrium(
    trials: list[Trial], winner: int, recipe: dict[str, Any], settings: AdhesionSettings
) -> Generator[list[Task], list[Result], dict[str, Result]]:
    """Relax the coating slab in the arrangement that is lowest for the slab alone, unless it is the winner's own."""
    usable = [i for i, t in enumerate(trials) if t.coating.failure is None]
    if not usable:
        return {}
    best = min(usable, key=lambda i: trials[i].coating.energy)
    if best == winner:
        return {}
    trial = trials[best]
    (result,) = yield [
        full_relaxation(
            {
                **recipe,
                "step": "adhesion/equilibrium",
                "placement": trial.label,
                "where": trial.where,
                "parents": [trial.coating.key],
            },
            trial.coating.atoms,
            settings,
        )
    ]
    return {} if result.failure is not None else {trial.label: result}


def file_result(name: tuple[Any, ...], result: Result, states: list[ChargeState], coatings: dict[str, Result]) -> None:
    if result.failure is not None:
        return  # one start of several; a state without any usable reference is reported by the records
    if name[0] == "coating":
        coatings[name[1]] = result
        return
    _, y, order, start = name
    for state in states:
        if (state.y, state.order) == (y, order):
            state.substrates[start] = result


def full_relaxation(recipe: dict[str, Any], atoms: Atoms, settings: AdhesionSettings) -> RelaxTask:
    return RelaxTask(recipe=recipe, atoms=atoms, fmax=settings.fmax, max_steps=settings.max_steps)


def _rattle(atoms: Atoms, amplitude: float, seed: int) -> None:
    """Displace free atoms by a seeded normal deviate of `amplitude` A."""
    step = np.random.default_rng(seed).normal(scale=amplitude, size=(len(atoms), 3))
    atoms.set_positions(atoms.positions + step, apply_constraint=True)
