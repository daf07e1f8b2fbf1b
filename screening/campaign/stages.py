"""The stages of a screen: foundations; parent interface and bulks; properties in rounds of search; records.

Each stage is a set of flows that run together in one queue; a stage starts when the one before it is done.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from screening.campaign.estimate import Stage
from screening.chemistry.candidate import Candidate
from screening.config import Settings
from screening.engine.running.queue import FlowOutcome
from screening.engine.running.records import Fidelity, Record
from screening.engine.tasks import Flow
from screening.errors import CandidateFailed
from screening.properties.adhesion.adhesion import adhesion_flow, back_substitution_flow, charge_states, search_flow
from screening.properties.adhesion.charged_parent import charged_parent_flow
from screening.properties.adhesion.parent import ParentInterface, parent_flow
from screening.properties.adhesion.records import adhesion_records, bulk_energies, pooled_substrates
from screening.properties.adhesion.types import AdhesionOutcome, Search
from screening.properties.bulk import Crystal, DopedBulk, bulk_flow, cathode_flow, host_flow
from screening.properties.migration.migration import migration_flow
from screening.properties.stability.competing import phases_flow
from screening.properties.stability.phases import PhaseEnergy
from screening.properties.stability.reaction_records import partners
from screening.properties.stability.stability import stability_flow

logger = logging.getLogger(__name__)

STAGES = {
    "host": (Stage.CRYSTALS, "crystals and competing phases"),
    "parent": (Stage.PARENT, "parent interface and doped crystals"),
    "search": (Stage.SEARCH, "placements, barriers, stability"),
    "back-substitution": (Stage.BACK_SUBSTITUTION, "pristine interface in the places of the doped ones"),
    "parent at y": (Stage.CHARGED_PARENTS, "charged parents"),
}
"""Stage by how the name of its first flow begins; what is left is adhesion."""


def stage_of(flows: Mapping[str, Flow]) -> tuple[Stage, str]:
    """Which stage a set of flows is, and what a user reads of it."""
    first = next(iter(flows), "").split(":")[0].split(" = ")[0]
    return STAGES.get(first, (Stage.ADHESION, "adhesion at every state of charge"))


RunFlows = Callable[[dict[str, Flow]], Mapping[str, FlowOutcome]]
"""Runs named flows as one queue and returns what each came to."""


@dataclass(kw_only=True)
class Screened:
    """What a screen computed: records, final structures and the reasons of what failed (candidate -> reasons)."""

    records: list[Record] = field(default_factory=list)
    bulks: dict[str, DopedBulk] = field(default_factory=dict)
    adhesion: dict[str, AdhesionOutcome] = field(default_factory=dict)
    parent: ParentInterface | None = None
    failures: dict[str, list[str]] = field(default_factory=dict)

    def fail(self, candidate: str, prop: str, reason: str) -> None:
        logger.warning("%s: %s failed: %s", candidate, prop, reason)
        self.failures.setdefault(candidate, []).append(f"{prop}: {reason}")


@dataclass(frozen=True, kw_only=True)
class Foundations:
    """Relaxed host and cathode crystals, the competing phases, and the compositions that touch the coating."""

    host: Crystal
    cathode: Crystal
    phases: list[PhaseEnergy]
    partners: dict[str, dict[str, float]]


def screen_candidates(
    candidates: list[Candidate],
    settings: Settings,
    run: RunFlows,
    *,
    fidelity: Fidelity,
    corrections: str,
    keep: Callable[[Record], None],
) -> Screened:
    """Compute every property of every candidate.

    Parameters
    ----------
    candidates
        Pristine host first.
    run
        Executes flows (`engine.queue.run_flows` with store, potential and workers bound).
    corrections
        `Potential.corrections` of the potential in use.
    keep
        Called with every record as soon as it exists.

    Raises
    ------
    CandidateFailed
        When something that every candidate needs (host, cathode, phases, parent interface) fails.
    """
    screened = Screened()
    base = _foundations(candidates, settings, run, fidelity, corrections)
    _bulks_and_parent(candidates, settings, run, base, screened)
    assert screened.parent is not None
    _properties(candidates, settings, run, base, screened, fidelity, corrections, keep)
    _adhesion_records(candidates, settings, base, screened, fidelity, keep)
    return screened


def _needed(outcome: FlowOutcome) -> Any:
    if outcome.failure is not None:
        raise CandidateFailed(f"{outcome.name}: {outcome.failure}")
    return outcome.value


def _foundations(
    candidates: list[Candidate], settings: Settings, run: RunFlows, fidelity: Fidelity, corrections: str
) -> Foundations:
    touching = partners(settings.cathode, settings.stability.electrolyte, settings.adhesion.soc)
    elements = screened_elements(candidates, settings)
    done = run(
        {
            "host": host_flow(settings.host, settings.bulk),
            "cathode": cathode_flow(settings.cathode, settings.bulk, seed=settings.seed),
            "phases": phases_flow(
                elements,
                fidelity=fidelity,
                potential_corrections=corrections,
                source=settings.stability.phases,
                substitute=[candidate_elements(c) for c in candidates],
            ),
        }
    )
    return Foundations(
        host=_needed(done["host"]),
        cathode=_needed(done["cathode"]),
        phases=_needed(done["phases"]),
        partners=touching,
    )


def screened_elements(candidates: list[Candidate], settings: Settings) -> set[str]:
    """Chemical system of a screen: the candidates' and of what touches the coating."""
    touching = partners(settings.cathode, settings.stability.electrolyte, settings.adhesion.soc)
    return set().union(*(candidate_elements(c) for c in candidates), *touching.values())


def candidate_elements(candidate: Candidate) -> set[str]:
    """Elements of a candidate's compound."""
    former = "Ta" if candidate.host == "LiTaO3" else "Nb"
    return {"Li", former, "O"} | {s.element for s in candidate.defects.substitutions}


def _bulks_and_parent(
    candidates: list[Candidate], settings: Settings, run: RunFlows, base: Foundations, screened: Screened
) -> None:
    flows: dict[str, Flow] = {
        "parent": parent_flow(base.host, base.cathode, settings.interface, settings.adhesion, seed=settings.seed)
    }
    for c in candidates:
        flows[f"bulk:{c.name}"] = bulk_flow(
            c, base.host.atoms, settings.bulk.n_fu, settings.bulk, seed=settings.seed, host_key=base.host.result.key
        )
    done = run(flows)
    screened.parent = _needed(done["parent"])
    for c in candidates:
        outcome = done[f"bulk:{c.name}"]
        if outcome.failure is None:
            screened.bulks[c.name] = outcome.value
        else:
            screened.fail(c.name, "bulk", outcome.failure)


def _properties(
    candidates: list[Candidate],
    settings: Settings,
    run: RunFlows,
    base: Foundations,
    screened: Screened,
    fidelity: Fidelity,
    corrections: str,
    keep: Callable[[Record], None],
) -> None:
    """Stability and barriers, and the first round of the placement search beside them; then adhesion."""
    assert screened.parent is not None
    flows = _searches(candidates, screened.parent, settings, 1)
    for c in candidates:
        bulk = screened.bulks.get(c.name)
        if bulk is None:
            continue
        flows[f"migration:{c.name}"] = migration_flow(
            c, bulk, base.host.atoms, settings.migration, settings.bulk,
            host_key=base.host.result.key, fidelity=fidelity, seed=settings.seed,
        )  # fmt: skip
        flows[f"stability:{c.name}"] = stability_flow(
            c, bulk, base.phases, settings.stability,
            fidelity=fidelity, seed=settings.seed, potential_corrections=corrections, partners=base.partners,
        )  # fmt: skip
    searches: dict[str, Search] = {}
    for name, outcome in run(flows).items():
        prop, candidate = name.split(":", 1)
        if outcome.failure is not None:
            screened.fail(candidate, prop, outcome.failure)
        elif prop == "search":
            searches[candidate] = outcome.value
        else:
            screened.records += outcome.value
            for record in outcome.value:
                keep(record)
    _later_rounds(candidates, searches, settings, run, screened)
    _follow_winners(searches, settings, run, screened)


def _searches(candidates: list[Candidate], parent: ParentInterface, settings: Settings, round_: int) -> dict[str, Flow]:
    return {
        f"search:{c.name}": search_flow(c, parent, settings.adhesion, seed=settings.seed, round_=round_)
        for c in candidates
    }


def _later_rounds(
    candidates: list[Candidate],
    searches: dict[str, Search],
    settings: Settings,
    run: RunFlows,
    screened: Screened,
) -> None:
    """Back-substitution after every round; a lower pristine interface becomes the parent of the next round."""
    pristine = candidates[0]
    for round_ in range(2, settings.adhesion.rounds + 2):
        own = searches.get(pristine.name)
        doped = [s for name, s in sorted(searches.items()) if name != pristine.name]
        # a congruent host has antisites: host cations on every site would be another compound
        if own is None or not doped or not pristine.defects.is_empty:
            return
        assert screened.parent is not None
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
        known = [c for c in candidates if c.name in searches]
        for name, later in run(_searches(known, screened.parent, settings, round_)).items():
            candidate = name.split(":", 1)[1]
            if later.failure is None:  # otherwise the earlier round stands
                searches[candidate] = searches[candidate].merged(later.value)


def _follow_winners(searches: dict[str, Search], settings: Settings, run: RunFlows, screened: Screened) -> None:
    """All states of charge and references of every winner."""
    assert screened.parent is not None
    parent, adhesion, seed = screened.parent, settings.adhesion, settings.seed
    hops = settings.interface.parent_hops
    charged: dict[str, Flow] = {
        f"parent at y = {y:.3g}, order {order}": charged_parent_flow(parent, y, order, hops, adhesion, seed=seed)
        for y, order in charge_states(adhesion)
    }
    # one that failed was logged; candidates then start from their own interface at y = 1 alone
    found = zip(charge_states(adhesion), run(charged).values(), strict=True)
    parents = {place: outcome.value for place, outcome in found if outcome.failure is None}
    flows: dict[str, Flow] = {
        name: adhesion_flow(search, parent, adhesion, seed=seed, charged_parents=parents)
        for name, search in searches.items()
    }
    for name, outcome in run(flows).items():
        if outcome.failure is None:
            screened.adhesion[name] = outcome.value
        else:
            screened.fail(name, "adhesion", outcome.failure)


def _adhesion_records(
    candidates: list[Candidate],
    settings: Settings,
    base: Foundations,
    screened: Screened,
    fidelity: Fidelity,
    keep: Callable[[Record], None],
) -> None:
    assert screened.parent is not None
    pool = pooled_substrates(list(screened.adhesion.values()))
    for c in candidates:
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
            bulk=energies, fidelity=fidelity, x_requested=c.x_requested, seed=settings.seed,
        )  # fmt: skip
        screened.records += records
        for record in records:
            keep(record)
