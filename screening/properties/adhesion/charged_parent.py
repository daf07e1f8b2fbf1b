"""The pristine interface at a state of charge below 1: searched once, a start for every candidate.

Without it one candidate's interface falls into a lower arrangement on charging and another's does not: isovalent Ta
candidates differed by 0.08 J/m2 at y = 1/3 and by 0.02 J/m2 at y = 1 (docs/convergence.md).
"""

from __future__ import annotations

from screening.config import AdhesionSettings
from screening.engine.flows import Flow
from screening.engine.tasks import Result, require
from screening.properties.adhesion.basin_hopping import basin_hopping, full_relaxation
from screening.properties.adhesion.parent import ParentInterface, unreacted
from screening.structures.interfaces.cathode import delithiate


def charged_parent_flow(
    parent: ParentInterface, y: float, order: int, hops: int, settings: AdhesionSettings, *, seed: int
) -> Flow[Result]:
    """The parent with Li taken out of its cathode, relaxed, then `hops` generations of basin hopping.

    Raises
    ------
    CandidateFailed
        When the first relaxation fails.
    """
    recipe = {"step": "parent/charged", "y": y, "order": order, "seed": seed, "parents": [parent.result.key]}
    start = delithiate(parent.relaxed, y, order=order, seed=seed)
    (first,) = yield [full_relaxation(recipe, start, settings)]
    require(first, f"the pristine interface at y = {y:.3g}")
    cut = delithiate(parent.cut, y, order=order, seed=seed)
    return (
        yield from basin_hopping(
            first,
            settings,
            recipe={**recipe, "step": "parent/charged-hop"},
            hops=hops,
            region=1,
            acceptable=lambda atoms: unreacted(cut, atoms),
        )
    )
