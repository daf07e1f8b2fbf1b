"""From candidates to records: crystals and competing phases, then bulks and the parent interface, then properties."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from screening.campaign.estimate import Stage
from screening.campaign.stages.adhesion import add_adhesion_records, follow_winners, later_rounds, searches_of_round
from screening.campaign.stages.screened import Foundations, Screened, Screening
from screening.chemistry.candidate import Candidate
from screening.config import Settings
from screening.engine.flows import FlowSet, Pending, needed
from screening.engine.running.records import Record
from screening.properties.adhesion.parent import parent_flow
from screening.properties.adhesion.types import PlacementSearch
from screening.properties.bulk import bulk_flow, cathode_flow, host_flow
from screening.properties.migration.migration import migration_flow
from screening.properties.stability.competing import phases_flow
from screening.properties.stability.reaction_records import partners
from screening.properties.stability.stability import stability_flow

STAGES = {
    "host": (Stage.CRYSTALS, "crystals and competing phases"),
    "parent": (Stage.PARENT, "parent interface and doped crystals"),
    "search": (Stage.SEARCH, "placements, barriers, stability"),
    "back-substitution": (Stage.BACK_SUBSTITUTION, "pristine interface in the places of the doped ones"),
    "parent at y": (Stage.CHARGED_PARENTS, "charged parents"),
}
"""Stage by how the name of its first flow begins; what is left is adhesion."""


def stage_of(flows: Iterable[str]) -> tuple[Stage, str]:
    """Which stage the flows of these names are, and what a user reads of it."""
    first = next(iter(flows), "").split(":")[0].split(" = ")[0]
    return STAGES.get(first, (Stage.ADHESION, "adhesion at every state of charge"))


def screen_candidates(screening: Screening) -> Screened:
    """Compute every property of every candidate.

    Raises
    ------
    CandidateFailed
        When something that every candidate needs (host, cathode, phases, parent interface) fails.
    """
    base = _foundations(screening)
    screened = _bulks_and_parent(screening, base)
    searches = _properties(screening, base, screened)
    later_rounds(screening, searches, screened)
    follow_winners(screening, searches, screened)
    add_adhesion_records(screening, base, screened)
    return screened


def screened_elements(candidates: Sequence[Candidate], settings: Settings) -> set[str]:
    """Chemical system of a screen: the candidates' and of what touches the coating."""
    touching = partners(settings.cathode, settings.stability.electrolyte, settings.adhesion.soc)
    return set().union(*(c.elements for c in candidates), *touching.values())


def _foundations(screening: Screening) -> Foundations:
    settings = screening.settings
    flows = FlowSet()
    host = flows.add("host", host_flow(settings.host, settings.bulk))
    cathode = flows.add("cathode", cathode_flow(settings.cathode, settings.bulk, seed=settings.seed))
    phases = flows.add(
        "phases",
        phases_flow(
            screened_elements(screening.candidates, settings),
            potential_id=screening.potential_id,
            potential_corrections=screening.corrections,
            source=settings.stability.phases,
            substitute=[c.elements for c in screening.candidates],
        ),
    )
    flows.run(screening.run)
    return Foundations(
        host=needed(host.outcome),
        cathode=needed(cathode.outcome),
        phases=needed(phases.outcome),
        partners=partners(settings.cathode, settings.stability.electrolyte, settings.adhesion.soc),
    )


def _bulks_and_parent(screening: Screening, base: Foundations) -> Screened:
    settings, seed = screening.settings, screening.settings.seed
    flows = FlowSet()
    parent = flows.add("parent", parent_flow(base.host, base.cathode, settings.interface, settings.adhesion, seed=seed))
    bulks = {
        c.name: flows.add(f"bulk:{c.name}", bulk_flow(c, base.host, settings.bulk.n_fu, settings.bulk, seed=seed))
        for c in screening.candidates
    }
    flows.run(screening.run)
    screened = Screened(parent=needed(parent.outcome))
    for name, bulk in bulks.items():
        if bulk.outcome.failure is None:
            screened.bulks[name] = bulk.outcome.value
        else:
            screened.fail(name, "bulk", bulk.outcome.failure)
    return screened


def _properties(screening: Screening, base: Foundations, screened: Screened) -> dict[str, PlacementSearch]:
    """Stability and barriers, and beside them the first round of the placement search, which is returned."""
    settings, context = screening.settings, screening.context
    flows = FlowSet()
    first_round = searches_of_round(1, screening.candidates, screened.parent, settings)
    searches = {name: flows.add(f"search:{name}", flow) for name, flow in first_round.items()}
    properties: list[tuple[str, str, Pending[list[Record]]]] = []
    for c in screening.candidates:
        bulk = screened.bulks.get(c.name)
        if bulk is None:
            continue
        barrier = migration_flow(c, bulk, base.host, settings.migration, settings.bulk, context)
        stability = stability_flow(c, bulk, base.phases, settings.stability, context, partners=base.partners)
        properties.append((c.name, "migration", flows.add(f"migration:{c.name}", barrier)))
        properties.append((c.name, "stability", flows.add(f"stability:{c.name}", stability)))
    flows.run(screening.run)
    found: dict[str, PlacementSearch] = {}
    for name, search in searches.items():
        if search.outcome.failure is None:
            found[name] = search.outcome.value
        else:
            screened.fail(name, "search", search.outcome.failure)
    for name, prop, records in properties:
        if records.outcome.failure is None:
            screened.add(records.outcome.value, screening.keep)
        else:
            screened.fail(name, prop, records.outcome.failure)
    return found
