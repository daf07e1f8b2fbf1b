"""From a finished run to the jobs that validate it: which candidates, which records, which competing phases."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from screening.campaign.load import StoredRun
from screening.campaign.ranking.labels import y_label
from screening.campaign.ranking.ranking import rank
from screening.campaign.ranking.sources import latest
from screening.chemistry.candidate import Candidate
from screening.engine.running.records import PotentialId, Record
from screening.engine.running.store import RecordStore
from screening.engine.running.whereabouts import store_location
from screening.errors import UserError
from screening.fidelity import Fidelity
from screening.names import nearest
from screening.properties.stability.competing import predicted_phases
from screening.properties.stability.phase_files import cached_energies, shipped_energies
from screening.properties.stability.phases import PhaseEnergy
from screening.structures.crystals.phases import PhaseFacts, load_phases
from screening.validation.jobs import Job, Role
from screening.validation.plan.phases import phase_jobs
from screening.validation.plan.plan import plan_jobs
from screening.validation.plan.screened import Plan, ScreenedRun
from screening.validation.protocols import ValidationSettings


def plan_validation(
    run: StoredRun,
    settings: ValidationSettings,
    chosen: Sequence[Candidate],
    *,
    only: Collection[Role] | None = None,
    static: bool = False,
) -> Plan:
    """Jobs for the chosen candidates, the pristine host and their competing phases.

    Parameters
    ----------
    chosen
        From `choose`; the pristine host of the run is put before them.

    Raises
    ------
    UserError
        When the run holds no records of its potential, or its store is incomplete.
    """
    records = potential_records(run)
    hosts = [c for c in run.candidates if c.is_pristine]
    candidates = list({c.name: c for c in [*hosts, *chosen]}.values())
    screen = ScreenedRun(
        candidates=[c.name for c in candidates],
        records=latest(records),
        store=RecordStore.for_reading(store_location(run.folder, run.summary.get("store"))),
        labels={y: y_label(y).removeprefix("y") for y in run.settings.adhesion.soc},
        n_fu=run.settings.bulk.n_fu,
    )
    wanted = only is None or "phase" in only
    phases = competing_phase_jobs(candidates, records) if wanted else []
    plan = plan_jobs(screen, settings, phases, only=only, static=static)
    if not plan.jobs:
        raise UserError(f"nothing can be planned from {run.folder}: {'; '.join(plan.missing) or 'no job is wanted'}.")
    return plan


def potential_records(run: StoredRun) -> list[Record]:
    """Records of the run's own potential, without those that came back from DFT or from what only pretends to be it.

    Raises
    ------
    UserError
        When there are none.
    """
    own = [r for r in run.records if Fidelity.parse(r.fidelity).is_potential]
    found = {r.fidelity for r in own}
    named = str(Fidelity(potential=run.settings.potential))
    # a fine-tuned potential is asked for by its folder and may record another name
    fidelity = named if named in found or len(found) != 1 else found.pop()
    records = [r for r in own if r.fidelity == fidelity]
    if not records:
        raise UserError(f"{run.folder} holds no records of {named}; let the screen compute first.")
    return records


def choose(
    run: StoredRun, *, names: Sequence[str] = (), top: int | None = None, default_top: int = 3
) -> list[Candidate]:
    """Candidates by name, or the best ranked doped ones.

    Parameters
    ----------
    top
        How many of the best; None takes `default_top`, or as many as there are.

    Raises
    ------
    UserError
        For a name that is not in the run, more candidates than are ranked, or nothing ranked.
    """
    by_name = {c.name: c for c in run.candidates}
    if names:
        for name in names:
            if name not in by_name:
                raise UserError(f"{run.folder} has no candidate {name!r}; {nearest(name, by_name)}.")
        return [by_name[name] for name in dict.fromkeys(names)]
    ranking = rank(
        potential_records(run), run.candidates, run.settings.adhesion.soc, run.settings.ranking, seed=run.settings.seed
    )
    ranked = [row.candidate for row in ranking.rows if row.rank is not None and not by_name[row.candidate].is_pristine]
    if not ranked:
        raise UserError(
            f"no doped candidate of {run.folder} is ranked (see `screen rank {run.folder}`); name those to validate "
            "with --candidates."
        )
    if top is not None and top > len(ranked):
        raise UserError(f"--top {top} is more than the {len(ranked)} ranked doped candidates of {run.folder}.")
    return [by_name[name] for name in ranked[: default_top if top is None else top]]


def competing_phase_jobs(candidates: Sequence[Candidate], records: Sequence[Record]) -> list[Job]:
    """Jobs of all phases in the chemical systems of the candidates, each phase once.

    Raises
    ------
    UserError
        For an element that has no listed compound and for which none can be predicted.
    """
    facts: dict[str, PhaseFacts] = {}
    for candidate in candidates:
        system = candidate.elements
        listed = [f for f in load_phases() if set(f.composition) <= system]
        # a screen goes on without such an element's candidates; here they were chosen, and their hull would have a gap
        predicted = predicted_phases(system, listed, skip_unpredictable=False)
        facts |= {f.name: f for f in [*listed, *predicted]}
    known: dict[str, PhaseEnergy] = {}
    for potential in {PotentialId(r.potential, r.checkpoint_sha256) for r in records}:
        known |= cached_energies(potential) | shipped_energies(potential)
    current = {n: e for n, e in known.items() if n in facts and e.facts_sha256 == facts[n].facts_sha256}
    return phase_jobs(
        list(facts.values()),
        {name: energy.ordering for name, energy in current.items()},
        {
            name: energy.energy_per_atom - energy.correction_per_atom
            for name, energy in current.items()
            if energy.usable and energy.origin != "reference"
        },
    )
