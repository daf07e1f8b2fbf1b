"""Adhesion: placement search at y = 1, the same placement at every y, and references for both slabs.

The search goes in rounds: when putting host cations back into a doped winner leads the pristine interface lower, that
interface becomes the parent and all candidates search again from it, so that nobody is better bound only because its
search found a better coating. The flows only compute energies; `adhesion.records` turns the outcomes of all
candidates into records, because the substrate reference at one (y, vacancy order) is shared by everybody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from screening.chemistry.candidate import Candidate
from screening.chemistry.compensation import rescale
from screening.config import AdhesionSettings
from screening.engine.flows import Flow, compute
from screening.engine.tasks import RelaxTask, Result, lowest, require
from screening.properties.adhesion.basin_hopping import full_relaxation
from screening.properties.adhesion.parent import ParentInterface, unreacted
from screening.properties.adhesion.placement_search import (
    back_substitute,
    carry_over,
    discharged,
    draw_placements,
    short_trials,
)
from screening.properties.adhesion.slab_references import (
    SlabStart,
    coating_starts,
    file_results,
    half_starts,
    relax_equilibrium,
    substrate_starts,
)
from screening.properties.adhesion.types import AdhesionOutcome, ChargeState, PlacementSearch, Trial
from screening.structures.interfaces.cathode import delithiate
from screening.structures.interfaces.interface import split


class _ChargedStart(NamedTuple):
    """Where the relaxation of a charged interface starts: the candidate's own one at y = 1, or the charged parent."""

    y: float
    order: int
    source: str


LOWER_BY = 0.02
"""eV per cell that count as a lower pristine interface (about 0.002 J/m2): ways into one minimum differ by less."""


def search_flow(
    candidate: Candidate, parent: ParentInterface, settings: AdhesionSettings, *, seed: int, round_: int = 1
) -> Flow[PlacementSearch]:
    """Search placements at y = 1 from the parent and relax the best of them fully."""
    scaled = rescale(candidate, parent.geometry.coating_fu)
    placements = draw_placements(candidate, parent, settings, seed=seed)
    recipe: dict[str, Any] = {
        "candidate": scaled.name,
        "seed": seed,
        "n_draws": settings.n_draws,
        "parents": [parent.result.key],
    }
    starts = [discharged(carry_over(p.atoms, parent.cut, parent.relaxed), seed) for p in placements]
    trials = yield from short_trials(placements, starts, recipe, settings)
    order = sorted(range(len(trials)), key=lambda i: trials[i].interface.energy)[: settings.n_full]
    tasks: dict[int, RelaxTask] = {}
    for i in order:
        own = {**recipe, "step": "adhesion/relax", "placement": trials[i].label, "where": trials[i].where, "y": 1.0}
        tasks[i] = full_relaxation(own, trials[i].interface.atoms, settings)
    full = yield from compute(tasks)
    winner = min(full, key=lambda i: (full[i].failure is not None, full[i].energy))
    relaxed = require(full[winner], "the interface")
    if round_ > 1:
        trials = [replace(t, label=f"{t.label} (round {round_})") for t in trials]
    return PlacementSearch(candidate=candidate, realised=scaled, trials=trials, winner=winner, relaxed=relaxed)


def back_substitution_flow(
    pristine: PlacementSearch,
    doped: Sequence[PlacementSearch],
    parent: ParentInterface,
    settings: AdhesionSettings,
    *,
    seed: int,
) -> Flow[PlacementSearch]:
    """Relax the pristine interface from every doped winner with host cations back on all sites.

    Returns
    -------
    Search
        `pristine` with one more trial when a doped winner led lower, otherwise `pristine` itself.
    """
    if not doped:
        return pristine
    starts = [discharged(back_substitute(s.relaxed.atoms, parent), seed) for s in doped]
    recipe: dict[str, Any] = {"candidate": pristine.realised.name, "seed": seed}
    shorts = yield from compute(
        {
            i: RelaxTask(
                recipe={**recipe, "step": "adhesion/back", "from": s.candidate.name, "parents": [s.relaxed.key]},
                atoms=start,
                fmax=settings.fmax,
                max_steps=settings.prerelax_steps,
            )
            for i, (s, start) in enumerate(zip(doped, starts, strict=True))
        }
    )
    best = min(shorts, key=lambda i: (shorts[i].failure is not None, shorts[i].energy))
    # a short relaxation that is still this far (eV) above the relaxed pristine interface will not end below it
    if shorts[best].failure is not None or shorts[best].energy > pristine.relaxed.energy + 0.5:
        return pristine
    tagged = {**recipe, "parents": [shorts[best].key]}
    full, coating = yield [
        full_relaxation({**tagged, "step": "adhesion/back-full"}, shorts[best].atoms, settings),
        RelaxTask(
            recipe={**tagged, "step": "adhesion/back-coating"},
            atoms=split(shorts[best].atoms)[1],
            fmax=settings.fmax,
            max_steps=settings.prerelax_steps,
        ),
    ]
    if full.failure is not None or full.energy >= pristine.relaxed.energy - LOWER_BY:
        return pristine
    if not unreacted(parent.cut, full.atoms):  # everybody starts from it: no reaction product
        return pristine
    label = f"back-substituted from {doped[best].candidate.name}"
    trial = Trial(label=label, where="contact", cut=parent.cut, interface=shorts[best], coating=coating)
    return replace(
        pristine,
        trials=[*pristine.trials, trial],
        winner=len(pristine.trials),
        relaxed=full,
        back_substituted=True,
    )


def adhesion_flow(
    search: PlacementSearch,
    parent: ParentInterface,
    settings: AdhesionSettings,
    *,
    seed: int,
    charged_parents: Mapping[tuple[float, int], Result] | None = None,
) -> Flow[AdhesionOutcome]:
    """Keep the winning placement at every y and relax the references of both slabs.

    Parameters
    ----------
    charged_parents
        Relaxed pristine interfaces by (y, vacancy order); with one, a charged interface is relaxed from there too and
        the lower result counts.
    """
    trial, relaxed = search.chosen, search.relaxed
    recipe: dict[str, Any] = {
        "candidate": search.realised.name,
        "seed": seed,
        "placement": trial.label,
        "where": trial.where,
        "parents": [relaxed.key],
    }
    states = [ChargeState(y=1.0, order=0, cut=discharged(trial.cut, seed), interface=relaxed)]
    charged = charge_states(settings)
    interfaces: dict[_ChargedStart, RelaxTask] = {}
    for y, order in charged:
        own = {**recipe, "step": "adhesion/relax", "y": y, "order": order}
        kept = delithiate(relaxed.atoms, y, order=order, seed=seed)
        interfaces[_ChargedStart(y, order, "own")] = full_relaxation(own, kept, settings)
        if charged_parents and (y, order) in charged_parents:
            like_parent = _like_charged_parent(trial, parent, charged_parents[y, order], own, settings)
            interfaces[_ChargedStart(y, order, "charged parent")] = like_parent
    slabs = coating_starts(trial, parent, recipe, settings, seed=seed)
    slabs |= substrate_starts(charged, parent, settings, seed=seed)
    slabs |= half_starts(states[0], recipe, settings)
    found = yield from compute({**interfaces, **slabs})
    for y, order in charged:
        tried = [found[start] for start in interfaces if (start.y, start.order) == (y, order)]
        best = lowest([r for r in tried if r.failure is None] or tried)
        cut = delithiate(trial.cut, y, order=order, seed=seed)
        states.append(ChargeState(y=y, order=order, cut=cut, interface=best))
    coatings: dict[str, Result] = {}
    file_results({start: found[start] for start in slabs}, states, coatings)
    late: dict[SlabStart, RelaxTask] = {}
    for state in states[1:]:
        late |= half_starts(state, recipe, settings)
    if late:
        file_results((yield from compute(late)), states, coatings)
    equilibrium = yield from relax_equilibrium(search.trials, search.winner, recipe, settings)
    if search.realised.defects.is_empty:
        # without defects every arrangement is the interface's own
        coatings |= {**equilibrium, "parent's own": parent.coating}
    return AdhesionOutcome(search=search, states=states, coatings=coatings, equilibrium=equilibrium)


def charge_states(settings: AdhesionSettings) -> list[tuple[float, int]]:
    """(y, vacancy order) of every state of charge below 1."""
    return [(y, order) for y in settings.soc if y < 1 for order in range(settings.vacancy_orders)]


def _like_charged_parent(
    trial: Trial, parent: ParentInterface, charged: Result, recipe: dict[str, Any], settings: AdhesionSettings
) -> RelaxTask:
    """The placement at this state of charge on the positions of the charged pristine interface."""
    at = {"y": recipe["y"], "order": recipe["order"], "seed": recipe["seed"]}
    placed, cut = (delithiate(atoms, **at) for atoms in (trial.cut, parent.cut))
    start = carry_over(placed, cut, charged.atoms)
    own = {**recipe, "start": "charged parent", "parents": [*recipe["parents"], charged.key]}
    return full_relaxation(own, start, settings)
