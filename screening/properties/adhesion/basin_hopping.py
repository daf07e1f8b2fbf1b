"""Monotonic basin hopping: rattle the lowest arrangement so far, relax, keep what is lower.

Wales and Doye, J. Phys. Chem. A 101, 5111 (1997), 10.1021/jp970984n, at zero temperature. Independent starts of a cut
LiNbO3 interface end anywhere within 2 eV; hops go down step by step and cost a third of a start each, because most
of the structure is relaxed already (docs/convergence.md).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from ase import Atoms

from screening.config import AdhesionSettings
from screening.engine.coordinates import frozen_mask
from screening.engine.flows import Flow
from screening.engine.springs import soft_displacement
from screening.engine.tasks import RelaxTask, Result, lowest
from screening.structures.interfaces.placements import rattled


def full_relaxation(recipe: dict[str, Any], atoms: Atoms, settings: AdhesionSettings) -> RelaxTask:
    """Relax to the preset's force at fixed cell."""
    return RelaxTask(recipe=recipe, atoms=atoms, fmax=settings.fmax, max_steps=settings.max_steps)


def moved(atoms: Atoms, settings: AdhesionSettings, rng: np.random.Generator, *, region: int | None = None) -> Atoms:
    """A copy whose free atoms (of one region, if given) are rattled by `settings.rattle` (A), as `settings.move` says.

    Soft motions are those of the engine's model Hessian (`soft_displacement`, docs/engine.md).
    """
    if settings.move == "independent":
        return rattled(atoms, settings.rattle, rng, region=region)
    copy, free = atoms.copy(), ~frozen_mask(atoms)
    if region is not None:
        free &= copy.arrays["region"] == region
    copy.set_positions(copy.positions + soft_displacement(copy, settings.rattle, rng, free), apply_constraint=False)
    return copy


def move_recipe(settings: AdhesionSettings) -> dict[str, Any]:
    """What tells rattled starts and hops of one kind from those of another."""
    return {"rattle": settings.rattle} | ({} if settings.move == "independent" else {"move": settings.move})


def basin_hopping(
    first: Result,
    settings: AdhesionSettings,
    *,
    recipe: dict[str, Any],
    hops: int,
    region: int | None = None,
    acceptable: Callable[[Atoms], bool] = lambda atoms: True,
) -> Flow[Result]:
    """Lowest relaxed arrangement after `hops` generations of `settings.hop_width` hops each.

    Parameters
    ----------
    first
        Relaxed start.
    recipe
        Identity of what is searched; generation, start and the result hopped from are added.
    region
        Only atoms of this region are rattled (all free ones by default).
    acceptable
        A lower arrangement that is not acceptable is passed over.
    """
    best = first
    for hop in range(hops):
        results = yield [
            full_relaxation(
                {**recipe, "hop": hop, "start": n, **move_recipe(settings), "parents": [best.key]},
                moved(best.atoms, settings, np.random.default_rng([hop, n]), region=region),
                settings,
            )
            for n in range(settings.hop_width)
        ]
        best = lowest([best, *(r for r in results if r.failure is None and acceptable(r.atoms))])
    return best
