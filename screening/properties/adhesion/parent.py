"""The parent interface: one termination, registry and gap for all candidates, chosen on the pristine pair."""

from __future__ import annotations

import logging
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from ase import Atoms

from screening.config import AdhesionSettings, InterfaceSettings
from screening.engine.tasks import RelaxTask, Result, Task, require
from screening.errors import CandidateFailed
from screening.properties.adhesion.basin_hopping import basin_hopping, full_relaxation, lowest, move_recipe, moved
from screening.properties.bulk import Crystal
from screening.structures.interfaces.contact import reacted
from screening.structures.interfaces.interface import Parent, find_parents, shift, split

logger = logging.getLogger(__name__)

EV_PER_A2 = 16.021766339
"""J/m2 per eV/A^2."""
FIRM_BONDS = 1.1
"""Sums of covalent radii (Nb-O 2.5 A) within which the parent has to keep its bonds. What stretches further breaks in
one candidate and not in the next, and one O atom decides who has reacted."""


@dataclass(kw_only=True)
class ParentInterface:
    """The pristine interface at y = 1 that every candidate starts from.

    Attributes
    ----------
    cut
        Slabs as cut from the bulk crystals at the chosen registry and gap; array `parent_index` counts from 1.
    relaxed
        The same atoms relaxed.
    geometry
        Millers, strain, area, planes, ... as `find_parents` reported them.
    registry, gap
        Lateral shift (fractions, see `structures.interface.shift`) and initial gap (A) that were chosen.
    coating
        The pristine coating slab alone in the lowest arrangement that was found.
    scan
        Work of adhesion (J/m2, rigid slabs) of every registry and gap that was tried.
    """

    cut: Atoms
    relaxed: Atoms
    geometry: Parent
    result: Result
    coating: Result
    registry: tuple[float, float]
    gap: float
    scan: list[dict[str, Any]] = field(default_factory=list)

    @property
    def area(self) -> float:
        return self.geometry.area

    def lowered(self, result: Result) -> ParentInterface:
        """The same interface with a lower relaxed arrangement of the same atoms."""
        return replace(self, relaxed=result.atoms, result=result)


@dataclass(frozen=True, kw_only=True)
class _Trial:
    parent: int
    registry: tuple[float, float]
    gap: float
    atoms: Atoms


def parent_flow(
    host: Crystal, cathode: Crystal, interface: InterfaceSettings, adhesion: AdhesionSettings, *, seed: int
) -> Generator[list[Task], list[Result], ParentInterface]:
    """Scan terminations, lateral registry and gap with rigid slabs, relax the best few shortly, the best one fully.

    Raises
    ------
    UserError
        When no match lies within the caps (from `find_parents`).
    CandidateFailed
        When the chosen interface cannot be relaxed.
    """
    parents = find_parents(host.atoms, cathode.atoms, cathode.name, interface, seed)
    recipe: dict[str, Any] = {
        "host": host.name,
        "cathode": cathode.name,
        "seed": seed,
        "interface": interface.model_dump(mode="json"),
        "parents": [host.result.key, cathode.result.key],
    }
    apart = yield from _separated_energies(parents, recipe)
    trials = [
        _Trial(parent=i, registry=(dx, dy), gap=gap, atoms=shift(parent.atoms, dx, dy, gap))
        for i, parent in enumerate(parents)
        for dx in np.linspace(0, 1, interface.registry_grid[0], endpoint=False).tolist()
        for dy in np.linspace(0, 1, interface.registry_grid[1], endpoint=False).tolist()
        for gap in interface.gaps
    ]
    points = yield [_single_point(t, {**recipe, "step": "parent/registry"}) for t in trials]
    works = [
        -(r.energy - apart[t.parent]) / parents[t.parent].area * EV_PER_A2 for t, r in zip(trials, points, strict=True)
    ]
    scan = [
        {"termination": t.parent, "registry": t.registry, "gap_A": t.gap, "work_J_m2": work}
        for t, work in zip(trials, works, strict=True)
    ]
    order = sorted((i for i, r in enumerate(points) if r.failure is None), key=lambda i: -works[i])
    best = _distinct_registries(trials, order)[: interface.registry_relaxed]
    if not best:
        raise CandidateFailed("every registry of the pristine interface failed in the potential")
    short = yield [
        RelaxTask(
            recipe={**recipe, "step": "parent/short", **_where(trials[i])},
            atoms=trials[i].atoms,
            fmax=adhesion.fmax,
            max_steps=interface.registry_steps,
        )
        for i in best
    ]
    ranked = sorted(
        ((r.energy - apart[trials[i].parent]) / parents[trials[i].parent].area, n)
        for n, (i, r) in enumerate(zip(best, short, strict=True))
        if r.failure is None
    )
    if not ranked:
        raise CandidateFailed("no registry of the pristine interface survived a short relaxation")
    chosen, shortly = trials[best[ranked[0][1]]], short[ranked[0][1]]
    logger.info("parent interface: registry %s, gap %.1f A", chosen.registry, chosen.gap)
    parent = yield from relax_parent(
        parents[chosen.parent],
        chosen.registry,
        chosen.gap,
        adhesion,
        recipe={**recipe, "termination": chosen.parent, "parents": [shortly.key]},
        interface=interface,
        start=shortly.atoms,
    )
    parent.scan = scan
    return parent


def relax_parent(
    geometry: Parent,
    registry: tuple[float, float],
    gap: float,
    settings: AdhesionSettings,
    *,
    recipe: dict[str, Any],
    interface: InterfaceSettings,
    start: Atoms | None = None,
) -> Generator[list[Task], list[Result], ParentInterface]:
    """Relax the pristine interface at a given registry and gap and search on for lower arrangements of its coating.

    The first start is `start` (same atoms as the geometry's, at that registry) or the interface as built; the coating
    of the others is rattled; basin hopping goes on from the lowest. All candidates inherit the parent's coating, so a
    reconstruction that only some of them found by chance would be mistaken for an effect of the dopant. Arrangements
    that exchanged bonds with the cathode are passed over: they are reaction products.
    """
    cut = shift(geometry.atoms, *registry, gap)
    first = cut if start is None else start
    where = {"step": "parent/relax", "registry": list(registry), "gap": gap}
    results = yield [
        full_relaxation(
            {**recipe, **where, "start": n, **(move_recipe(settings) if n else {"rattle": 0.0})},
            moved(first, settings, np.random.default_rng(n), region=1) if n else first.copy(),
            settings,
        )
        for n in range(interface.parent_starts)
    ]
    usable = [r for r in results if r.failure is None]
    if not usable:
        raise CandidateFailed(f"the pristine interface cannot be relaxed ({results[0].failure})")
    best = lowest([r for r in usable if unreacted(cut, r.atoms)] or usable)
    full = yield from basin_hopping(
        best,
        settings,
        recipe={**recipe, **where, "step": "parent/hop"},
        hops=interface.parent_hops,
        region=1,
        acceptable=lambda atoms: unreacted(cut, atoms),
    )
    logger.info("parent: starts at %s eV, hops to %.2f eV", [round(r.energy, 2) for r in results], full.energy)
    coating = yield from _lowest_coating(cut, full, settings, interface.parent_starts)
    cut.set_array("parent_index", np.arange(1, len(cut) + 1))
    return ParentInterface(
        cut=cut, relaxed=full.atoms, geometry=geometry, result=full, coating=coating, registry=registry, gap=gap
    )


def unreacted(cut: Atoms, relaxed: Atoms) -> bool:
    """Whether no atom of a pristine interface has left its slab, or is about to."""
    return not reacted(cut, relaxed, own_factor=FIRM_BONDS)


def _lowest_coating(
    cut: Atoms, interface: Result, settings: AdhesionSettings, n_starts: int
) -> Generator[list[Task], list[Result], Result]:
    """The pristine coating slab alone: from bulk, rattled and not, and the interface's half; then basin hopping."""
    recipe = {"step": "parent/coating", "parents": [interface.key]}
    slab = split(cut)[1]
    soft = move_recipe(settings) if settings.move == "soft" else {}
    starts = {"cut": slab, "half": split(interface.atoms)[1]}
    for n in range(1, n_starts):
        starts[f"rattled {n}"] = moved(slab, settings, np.random.default_rng(n))
    results = yield [
        full_relaxation({**recipe, **soft, "from": label}, atoms, settings) for label, atoms in starts.items()
    ]
    usable = [r for r in results if r.failure is None]
    if not usable:
        raise CandidateFailed(f"the pristine coating slab cannot be relaxed ({results[0].failure})")
    coating = yield from basin_hopping(
        lowest(usable), settings, recipe={**recipe, "step": "parent/coating-hop"}, hops=settings.slab_hops
    )
    logger.info("pristine coating: %s eV, hops to %.2f eV", [round(r.energy, 2) for r in results], coating.energy)
    return coating


def _separated_energies(
    parents: list[Parent], recipe: dict[str, Any]
) -> Generator[list[Task], list[Result], list[float]]:
    """Energy (eV) of the two rigid slabs of every termination, so that terminations can be compared."""
    tasks: list[Task] = []
    for i, parent in enumerate(parents):
        for side, slab in zip(("substrate", "coating"), split(parent.atoms), strict=True):
            tasks.append(
                RelaxTask(
                    recipe={**recipe, "step": "parent/slab", "termination": i, "side": side}, atoms=slab, max_steps=0
                )
            )
    results = yield tasks
    for result in results:
        require(result, "a slab of the pristine interface")
    return [results[2 * i].energy + results[2 * i + 1].energy for i in range(len(parents))]


def _where(trial: _Trial) -> dict[str, Any]:
    return {"termination": trial.parent, "registry": list(trial.registry), "gap": trial.gap}


def _single_point(trial: _Trial, recipe: dict[str, Any]) -> RelaxTask:
    return RelaxTask(recipe={**recipe, **_where(trial)}, atoms=trial.atoms, max_steps=0)


def _distinct_registries(trials: list[_Trial], order: list[int]) -> list[int]:
    """The best gap of every registry, best first: two gaps of one registry relax to the same place."""
    seen: set[tuple[int, tuple[float, float]]] = set()
    kept = []
    for i in order:
        place = (trials[i].parent, trials[i].registry)
        if place not in seen:
            seen.add(place)
            kept.append(i)
    return kept
