"""Adhesion: placement search at y = 1, the same placement at every y, and references for both slabs.

The flow only computes energies; `adhesion_records.py` turns the outcomes of all candidates into records, because the
substrate reference at one (y, vacancy order) is shared by everybody.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

from screening.chemistry.candidate import Candidate
from screening.chemistry.compensation import rescale
from screening.config import AdhesionSettings
from screening.engine.tasks import RelaxTask, Result, Task, require
from screening.properties.adhesion_types import AdhesionOutcome, ChargeState, Trial
from screening.properties.parent import ParentInterface
from screening.properties.placement_search import back_substitute, carry_over, discharged, draw_placements, short_trials
from screening.properties.slab_references import (
    early_starts,
    file_results,
    full_relaxation,
    half_starts,
    relax_equilibrium,
)
from screening.structures.cathode import delithiate
from screening.structures.interface import split

Steps = Generator[list[Task], list[Result], Any]


def adhesion_flow(candidate: Candidate, parent: ParentInterface, settings: AdhesionSettings, *, seed: int) -> Steps:
    """Search placements at y = 1, keep the winner at every y, relax all references.

    Returns
    -------
    AdhesionOutcome
    """
    scaled = rescale(candidate, parent.geometry.coating_fu)
    placements = draw_placements(candidate, parent, settings, seed=seed)
    recipe: dict[str, Any] = {
        "candidate": scaled.name,
        "seed": seed,
        "n_draws": settings.n_draws,
        "parents": [parent.result.key],
    }
    starts = [discharged(carry_over(p.atoms, parent), seed) for p in placements]
    trials = yield from short_trials(placements, starts, recipe, settings)
    return (yield from _follow(candidate, trials, parent, settings, recipe, seed=seed))


def restart_pristine_flow(
    pristine: AdhesionOutcome,
    doped: Sequence[AdhesionOutcome],
    parent: ParentInterface,
    settings: AdhesionSettings,
    *,
    seed: int,
) -> Steps:
    """Back-substitution: relax the pristine interface from every doped winner; keep the lowest arrangement.

    Returns
    -------
    AdhesionOutcome
        `pristine` itself when no doped winner leads lower, otherwise a new outcome with `back_substituted` set.
    """
    if not doped:
        return pristine
    starts = [discharged(back_substitute(o, parent), seed) for o in doped]
    recipe: dict[str, Any] = {"candidate": pristine.candidate.name, "seed": seed}
    sources = [
        {**recipe, "step": "adhesion/back", "from": o.candidate.name, "parents": [o.discharged.interface.key]}
        for o in doped
    ]
    shorts = yield [
        RelaxTask(recipe=s, atoms=start, fmax=settings.fmax, max_steps=settings.prerelax_steps)
        for s, start in zip(sources, starts, strict=True)
    ]
    best = min(range(len(doped)), key=lambda i: (shorts[i].failure is not None, shorts[i].energy))
    # a short relaxation that is still above the relaxed pristine interface by more than this will not end below it
    worth = shorts[best].failure is None and shorts[best].energy < pristine.discharged.interface.energy + 0.5
    if not worth:
        return pristine
    (full,) = yield [
        RelaxTask(
            recipe={**recipe, "step": "adhesion/back-full", "parents": [shorts[best].key]},
            atoms=shorts[best].atoms,
            fmax=settings.fmax,
            max_steps=settings.max_steps,
        )
    ]
    if full.failure is not None or full.energy >= pristine.discharged.interface.energy - 1e-3:
        return pristine
    (coating,) = yield [
        RelaxTask(
            recipe={**recipe, "step": "adhesion/back-coating", "parents": [full.key]},
            atoms=split(full.atoms)[1],
            fmax=settings.fmax,
            max_steps=settings.prerelax_steps,
        )
    ]
    trial = Trial(
        label=f"back-substituted from {doped[best].candidate.name}",
        where="contact",
        cut=parent.cut,
        start=starts[best],
        interface=full,
        coating=coating,
    )
    outcome = yield from _follow(
        pristine.candidate, [*pristine.trials, trial], parent, settings, {**recipe, "parents": [full.key]}, seed=seed
    )
    outcome.back_substituted = True
    return outcome


def _follow(
    candidate: Candidate,
    trials: list[Trial],
    parent: ParentInterface,
    settings: AdhesionSettings,
    recipe: dict[str, Any],
    *,
    seed: int,
) -> Steps:
    """From the searched placements to relaxed interfaces and slabs at every y."""
    order = sorted(range(len(trials)), key=lambda i: trials[i].interface.energy)[: settings.n_full]
    full = yield [
        RelaxTask(
            recipe={
                **recipe,
                "step": "adhesion/relax",
                "y": 1.0,
                "placement": trials[i].label,
                "where": trials[i].where,
            },
            atoms=trials[i].interface.atoms,
            fmax=settings.fmax,
            max_steps=settings.max_steps,
        )
        for i in order
    ]
    winner, relaxed = min(zip(order, full, strict=True), key=lambda pair: (pair[1].failure is not None, pair[1].energy))
    require(relaxed, "the interface")
    trial = trials[winner]
    states = [ChargeState(y=1.0, order=0, start=trial.start, interface=relaxed)]
    charged = [(y, o) for y in settings.soc if y < 1 for o in range(settings.vacancy_orders)]
    delithiated = [delithiate(relaxed.atoms, y, order=o, seed=seed) for y, o in charged]
    tagged = {**recipe, "placement": trial.label, "where": trial.where, "parents": [relaxed.key]}

    tasks: list[Task] = [
        full_relaxation({**tagged, "step": "adhesion/relax", "y": y, "order": o}, atoms, settings)
        for (y, o), atoms in zip(charged, delithiated, strict=True)
    ]
    early = early_starts(trial, charged, parent, tagged, settings, seed=seed)
    early += half_starts(states[0], tagged, settings)
    results = yield [*tasks, *(start.task for start in early)]
    for (y, o), atoms, result in zip(charged, delithiated, results, strict=False):
        states.append(ChargeState(y=y, order=o, start=atoms, interface=result))
    coatings: dict[str, Result] = {}
    file_results(early, results[len(tasks) :], states, coatings)
    late = [start for state in states[1:] for start in half_starts(state, tagged, settings)]
    if late:
        file_results(late, (yield [start.task for start in late]), states, coatings)
    equilibrium = yield from relax_equilibrium(trials, winner, recipe, settings)
    if candidate.defects.is_empty:
        # without defects every arrangement is the interface's own
        coatings |= equilibrium
    return AdhesionOutcome(
        candidate=candidate,
        realised=rescale(candidate, parent.geometry.coating_fu),
        trials=trials,
        winner=winner,
        states=states,
        coatings=coatings,
        equilibrium=equilibrium,
    )
