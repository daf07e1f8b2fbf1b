"""The parent interface: one termination, registry and gap for all candidates, chosen on the pristine pair."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from ase import Atoms

from screening.config import AdhesionSettings, InterfaceSettings
from screening.engine.flows import Flow, compute
from screening.engine.tasks import RelaxTask, Result, lowest, require
from screening.errors import CandidateFailed
from screening.properties.adhesion.basin_hopping import basin_hopping, full_relaxation, move_recipe, moved
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
        Lateral shift (fractions, see `two_slabs.shift`) and initial gap (A) that were chosen.
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


class _Place(NamedTuple):
    """How a coating may lie on its cathode: number of the termination, lateral shift (fractions), gap (A)."""

    termination: int
    registry: tuple[float, float]
    gap: float

    @property
    def recipe(self) -> dict[str, Any]:
        return {"termination": self.termination, "registry": list(self.registry), "gap": self.gap}


def parent_flow(
    host: Crystal, cathode: Crystal, interface: InterfaceSettings, adhesion: AdhesionSettings, *, seed: int
) -> Flow[ParentInterface]:
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
    placed = {
        place: shift(parents[place.termination].atoms, *place.registry, place.gap)
        for place in _places(len(parents), interface)
    }
    points = yield from compute(
        {
            place: RelaxTask(recipe={**recipe, "step": "parent/registry", **place.recipe}, atoms=atoms, max_steps=0)
            for place, atoms in placed.items()
        }
    )

    def binding(place: _Place, result: Result) -> float:
        """Energy of an interface above its separated slabs, eV/A^2."""
        return (result.energy - apart[place.termination]) / parents[place.termination].area

    works = {place: -binding(place, result) * EV_PER_A2 for place, result in points.items()}
    scan = [
        {"termination": place.termination, "registry": place.registry, "gap_A": place.gap, "work_J_m2": work}
        for place, work in works.items()
    ]
    order = sorted((place for place, r in points.items() if r.failure is None), key=lambda place: -works[place])
    best = _distinct_registries(order)[: interface.registry_relaxed]
    if not best:
        raise CandidateFailed("every registry of the pristine interface failed in the potential")
    short = yield from compute(
        {
            place: RelaxTask(
                recipe={**recipe, "step": "parent/short", **place.recipe},
                atoms=placed[place],
                fmax=adhesion.fmax,
                max_steps=interface.registry_steps,
            )
            for place in best
        }
    )
    survived = [place for place, result in short.items() if result.failure is None]
    if not survived:
        raise CandidateFailed("no registry of the pristine interface survived a short relaxation")
    chosen = min(survived, key=lambda place: binding(place, short[place]))
    logger.info("parent interface: registry %s, gap %.1f A", chosen.registry, chosen.gap)
    parent = yield from relax_parent(
        parents[chosen.termination],
        chosen.registry,
        chosen.gap,
        adhesion,
        recipe={**recipe, "termination": chosen.termination, "parents": [short[chosen].key]},
        interface=interface,
        start=short[chosen].atoms,
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
) -> Flow[ParentInterface]:
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


def _lowest_coating(cut: Atoms, interface: Result, settings: AdhesionSettings, n_starts: int) -> Flow[Result]:
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


def _separated_energies(parents: list[Parent], recipe: dict[str, Any]) -> Flow[list[float]]:
    """Energy (eV) of the two rigid slabs of every termination, so that terminations can be compared."""
    tasks: dict[tuple[int, str], RelaxTask] = {}
    for i, parent in enumerate(parents):
        for side, slab in zip(("substrate", "coating"), split(parent.atoms), strict=True):
            own = {**recipe, "step": "parent/slab", "termination": i, "side": side}
            tasks[i, side] = RelaxTask(recipe=own, atoms=slab, max_steps=0)
    slabs = yield from compute(tasks)
    for result in slabs.values():
        require(result, "a slab of the pristine interface")
    return [slabs[i, "substrate"].energy + slabs[i, "coating"].energy for i in range(len(parents))]


def _places(n_terminations: int, interface: InterfaceSettings) -> list[_Place]:
    """Every registry and gap of every termination."""
    return [
        _Place(i, (dx, dy), gap)
        for i in range(n_terminations)
        for dx in np.linspace(0, 1, interface.registry_grid[0], endpoint=False).tolist()
        for dy in np.linspace(0, 1, interface.registry_grid[1], endpoint=False).tolist()
        for gap in interface.gaps
    ]


def _distinct_registries(order: list[_Place]) -> list[_Place]:
    """The best gap of every registry, best first: two gaps of one registry relax to the same place."""
    best: dict[tuple[int, tuple[float, float]], _Place] = {}
    for place in order:
        best.setdefault((place.termination, place.registry), place)
    return list(best.values())
