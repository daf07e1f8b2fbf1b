"""The stages of adhesion: rounds of the placement search, every state of charge of the winners, their records."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from screening.campaign.stages.screened import Foundations, Screened, Screening
from screening.chemistry.candidate import Candidate
from screening.config import Settings
from screening.engine.flows import Flow
from screening.properties.adhesion.adhesion import adhesion_flow, back_substitution_flow, charge_states, search_flow
from screening.properties.adhesion.charged_parent import charged_parent_flow
from screening.properties.adhesion.parent import ParentInterface
from screening.properties.adhesion.records import adhesion_records, bulk_energies, pooled_substrates
from screening.properties.adhesion.types import PlacementSearch

logger = logging.getLogger(__name__)


def searches_of_round(
    round_: int, candidates: Sequence[Candidate], parent: ParentInterface, settings: Settings
) -> dict[str, Flow[PlacementSearch]]:
    """The placement search of every candidate, by its name."""
    return {c.name: search_flow(c, parent, settings.adhesion, seed=settings.seed, round_=round_) for c in candidates}


def later_rounds(screening: Screening, searches: dict[str, PlacementSearch], screened: Screened) -> None:
    """Back-substitution after every round; a lower pristine interface becomes the parent of the next round.

    What the rounds find replaces what `searches` holds.
    """
    settings, run, pristine = screening.settings, screening.run, screening.candidates[0]
    for round_ in range(2, settings.adhesion.rounds + 2):
        own = searches.get(pristine.name)
        doped = [s for name, s in sorted(searches.items()) if name != pristine.name]
        # a congruent host has antisites: host cations on every site would be another compound
        if own is None or not doped or not pristine.defects.is_empty:
            return
        flow = back_substitution_flow(own, doped, screened.parent, settings.adhesion, seed=settings.seed)
        outcome = run({"back-substitution": flow})["back-substitution"]
        if outcome.failure is not None:
            screened.fail(pristine.name, "back-substitution", outcome.failure)
            return
        searches[pristine.name] = outcome.value
        if outcome.value is own or round_ > settings.adhesion.rounds:
            return
        screened.parent = screened.parent.lowered(outcome.value.relaxed)
        logger.info(
            "round %d: the pristine interface is lower by %.2f eV",
            round_,
            own.relaxed.energy - outcome.value.relaxed.energy,
        )
        known = [c for c in screening.candidates if c.name in searches]
        again = searches_of_round(round_, known, screened.parent, settings)
        found = run({f"search:{name}": flow for name, flow in again.items()})
        for name in again:
            later = found[f"search:{name}"]
            if later.failure is None:  # otherwise the earlier round stands
                searches[name] = searches[name].merged(later.value)


def follow_winners(screening: Screening, searches: dict[str, PlacementSearch], screened: Screened) -> None:
    """All states of charge and references of every winner."""
    parent, adhesion, seed = screened.parent, screening.settings.adhesion, screening.settings.seed
    hops = screening.settings.interface.parent_hops
    charged = {
        f"parent at y = {y:.3g}, order {order}": charged_parent_flow(parent, y, order, hops, adhesion, seed=seed)
        for y, order in charge_states(adhesion)
    }
    # one that failed was logged; candidates then start from their own interface at y = 1 alone
    found = zip(charge_states(adhesion), screening.run(charged).values(), strict=True)
    parents = {place: outcome.value for place, outcome in found if outcome.failure is None}
    flows = {
        name: adhesion_flow(search, parent, adhesion, seed=seed, charged_parents=parents)
        for name, search in searches.items()
    }
    for name, outcome in screening.run(flows).items():
        if outcome.failure is None:
            screened.adhesion[name] = outcome.value
        else:
            screened.fail(name, "adhesion", outcome.failure)


def add_adhesion_records(screening: Screening, base: Foundations, screened: Screened) -> None:
    """Records of every candidate, with one substrate reference for all of them."""
    settings = screening.settings
    pool = pooled_substrates(list(screened.adhesion.values()))
    for c in screening.candidates:
        outcome = screened.adhesion.get(c.name)
        if outcome is None:
            continue
        if not outcome.coatings:
            screened.fail(c.name, "adhesion", "no coating slab could be relaxed")
            continue
        energies = bulk_energies(
            base.host, base.cathode, screened.bulks.get(c.name), screened.parent.geometry.cathode_matches_bulk
        )
        records = adhesion_records(
            outcome, pool, screened.parent, settings.adhesion,
            bulk=energies, potential_id=screening.potential_id, x_requested=c.x_requested, seed=settings.seed,
        )  # fmt: skip
        screened.add(records, screening.keep)
