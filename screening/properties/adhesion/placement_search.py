"""Placement search: draw dopant arrangements, rank them by a short relaxation; and back-substitution."""

from __future__ import annotations

from typing import Any

import numpy as np
from ase import Atoms

from screening.chemistry.candidate import Candidate
from screening.config import AdhesionSettings
from screening.engine.flows import Flow, compute
from screening.engine.tasks import RelaxTask
from screening.errors import CandidateFailed
from screening.properties.adhesion.parent import ParentInterface
from screening.properties.adhesion.types import Trial
from screening.structures.interfaces.cathode import delithiate
from screening.structures.interfaces.interface import split
from screening.structures.interfaces.placements import Placement, place


def carry_over(placed: Atoms, cut: Atoms, relaxed: Atoms) -> Atoms:
    """Move a placement drawn on the cut pristine interface (or slab) onto the relaxed one.

    Atoms of the pristine structure take its displacement; inserted atoms (`parent_index` 0) the mean displacement of
    their six nearest neighbours.

    Parameters
    ----------
    placed, cut
        With array `parent_index`, which says who is who.
    relaxed
        The atoms of `cut`, in its order.
    """
    start = placed.copy()
    index, own = start.arrays["parent_index"], cut.arrays["parent_index"]
    displacement = np.zeros((own.max() + 1, 3))
    displacement[own] = relaxed.positions - cut.positions
    known = np.flatnonzero(index > 0)
    moved = displacement[index[known]]
    positions = start.positions.copy()
    positions[known] += moved
    for i in np.flatnonzero(index == 0):
        distances = placed.get_distances(int(i), known, mic=True)
        positions[i] += moved[np.argsort(distances)[:6]].mean(axis=0)
    start.set_positions(positions, apply_constraint=False)
    return start


def back_substitute(relaxed: Atoms, parent: ParentInterface) -> Atoms:
    """A relaxed doped interface with host cations back on every site: a start for the pristine one."""
    index = relaxed.arrays["parent_index"]
    known = np.flatnonzero(index > 0)
    pristine = parent.relaxed.copy()
    pristine.set_array("parent_index", parent.cut.arrays["parent_index"])
    positions = pristine.positions.copy()
    positions[index[known] - 1] = relaxed.positions[known]
    pristine.set_positions(positions, apply_constraint=False)
    return pristine


def draw_placements(
    candidate: Candidate, parent: ParentInterface, settings: AdhesionSettings, *, seed: int
) -> list[Placement]:
    placements = place(
        parent.cut, candidate, where="contact", k=settings.contact_placements, n_draws=settings.n_draws, seed=seed
    )
    if settings.inner_placements and parent.geometry.coating_planes > 2:
        placements += place(
            parent.cut, candidate, where="inner", k=settings.inner_placements, n_draws=settings.n_draws, seed=seed
        )
    if not placements:
        raise CandidateFailed("no allowed placement of the dopants in the coating slab")
    return placements


def discharged(interface: Atoms, seed: int) -> Atoms:
    """The interface at y = 1, where placements are searched whatever the campaign's states of charge are."""
    return delithiate(interface, 1.0, order=0, seed=seed)


def short_trials(
    placements: list[Placement], starts: list[Atoms], recipe: dict[str, Any], settings: AdhesionSettings
) -> Flow[list[Trial]]:
    """Relax every placement's interface and coating shortly.

    With `race_steps` the interfaces stop there first, and of the placements in one region (contact or inner planes)
    those far above the lowest go no further; the `n_full` lowest always do.
    """
    first_leg = settings.race_steps if 0 < settings.race_steps < settings.prerelax_steps else settings.prerelax_steps

    def short(side: str, placement: Placement, atoms: Atoms, steps: int, parents: list[str] | None = None) -> RelaxTask:
        where = {"placement": placement.label, "where": placement.where}
        own = {**recipe, "step": f"adhesion/search-{side}", **where, **({"parents": parents} if parents else {})}
        return RelaxTask(recipe=own, atoms=atoms, fmax=settings.fmax, max_steps=steps)

    tasks: dict[tuple[int, str], RelaxTask] = {}
    for i, (placement, start) in enumerate(zip(placements, starts, strict=True)):
        tasks[i, "interface"] = short("interface", placement, start, first_leg)
        tasks[i, "coating"] = short("coating", placement, split(start)[1], settings.prerelax_steps)
    found = yield from compute(tasks)
    trials = [
        Trial(label=p.label, where=p.where, cut=p.atoms, interface=found[i, "interface"], coating=found[i, "coating"])
        for i, p in enumerate(placements)
    ]
    usable = [t for t in trials if t.interface.failure is None]
    if not usable:
        raise CandidateFailed(f"no placement survived the short relaxation ({trials[0].interface.failure})")
    if first_leg == settings.prerelax_steps:
        return usable
    give_up(usable, settings)
    racing = {i: t for i, t in enumerate(usable) if not t.given_up and not t.interface.converged}
    placed: dict[tuple[str, str], Placement] = {(p.label, p.where): p for p in placements}
    rest = settings.prerelax_steps - first_leg
    later = yield from compute(
        {
            i: short("interface", placed[t.label, t.where], t.interface.atoms, rest, [t.interface.key])
            for i, t in racing.items()
        }
    )
    for i, result in later.items():
        if result.failure is None and result.energy <= racing[i].interface.energy:
            racing[i].interface = result
    return usable


def give_up(trials: list[Trial], settings: AdhesionSettings) -> None:
    """Mark the placements that cannot win any more: `race_margin` above the lowest of their region."""
    for where in {t.where for t in trials}:
        order = sorted((t for t in trials if t.where == where), key=lambda t: t.interface.energy)
        for trial in order[settings.n_full :]:
            trial.given_up = trial.interface.energy > order[0].interface.energy + settings.race_margin
