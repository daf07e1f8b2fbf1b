"""Relax every listed phase with one potential and write the energies file that ships with Coatscreen."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ase import Atoms

from screening.engine.flows import Flow
from screening.engine.running.queue import run_flows
from screening.engine.running.records import PotentialId
from screening.engine.running.store import RecordStore
from screening.engine.running.whereabouts import STORE
from screening.engine.running.workforce import Workforce
from screening.engine.tasks import Result, Task
from screening.errors import UserError
from screening.properties.stability import hull
from screening.properties.stability.corrections import MP_SCALE
from screening.properties.stability.phase_files import read_energies, write_energies
from screening.properties.stability.phases import (
    PASSED,
    PhaseEnergy,
    gate,
    phase_energy,
    phase_task,
    phase_tasks,
    reference_energy,
)
from screening.structures.crystals.phases import PhaseFacts, load_phases

MAX_ABOVE_HULL = 0.1
"""Distance from the hull of all other phases (eV/atom) above which a listed crystal is implausible."""

IMPLAUSIBLE = "implausible"


@dataclass(frozen=True, kw_only=True)
class Built:
    """Outcome of a build: all energies, and how many were computed now."""

    path: Path
    energies: dict[str, PhaseEnergy]
    computed: int
    wall_s: float

    @property
    def quarantined(self) -> dict[str, str]:
        return {name: e.gate for name, e in sorted(self.energies.items()) if not e.usable}


def build_energies(
    workforce: Workforce,
    out: Path,
    *,
    work: Path,
    phases: list[PhaseFacts] | None = None,
    start: Path | None = None,
    on_progress: Callable[[Any], None] | None = None,
) -> Built:
    """Relax what is missing or stale in `out` and write it; phases with unchanged facts are kept.

    Parameters
    ----------
    workforce
        Who computes; its checkpoints go to `work`.
    work
        Folder of the store; a build that was stopped continues from it.
    phases
        Those to build; all listed ones by default.
    start
        Store of another potential's build: each phase starts from the crystal that passed the gate there, which costs
        a slow potential a third of the force calls. Phases that did not pass there start as listed.

    Raises
    ------
    UserError
        For the potential, the device, or an `out` that is no energies file.
    """
    started = time.time()
    workforce = replace(workforce, checkpoint_dir=work / "checkpoints").settled()
    potential = workforce.load()
    potential_id = PotentialId(potential.name, potential.checkpoint_sha256)
    listed = load_phases() if phases is None else phases
    kept = {
        name: energy
        for name, energy in read_energies(out, potential_id, origin="computed").items()
        if any(f.name == name and f.facts_sha256 == energy.facts_sha256 for f in listed)
    }
    on_scale = potential.corrections in MP_SCALE
    gases = {f.name: reference_energy(f) for f in listed if f.reference is not None and on_scale}
    pending = {f.name: f for f in listed if f.name not in kept and f.name not in gases}
    work.mkdir(parents=True, exist_ok=True)
    relaxed = {} if start is None else relaxed_crystals(start, pending.values())
    flows = {name: _phase_flow(facts, potential.corrections, relaxed.get(name)) for name, facts in pending.items()}
    done = run_flows(
        flows,
        store=RecordStore(work / STORE),
        workforce=workforce,
        on_progress=on_progress,
    )
    computed = {
        name: o.value if o.failure is None else _not_built(pending[name], o.failure) for name, o in done.items()
    }
    energies = judge_distances(kept | gases | computed)
    wall = time.time() - started
    built = {
        "phases": len(computed),
        "wall_s": round(wall),
        "workers": workforce.workers,
        "device": potential.device,
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    write_energies(
        out,
        energies,
        potential_id,
        potential.corrections,
        command=f"screen phases build --potential {workforce.potential_name}" + (f" --start {start}" if start else ""),
        extra={"built": built},
    )
    return Built(path=out, energies=energies, computed=len(computed), wall_s=wall)


def relaxed_crystals(start: Path, phases: Iterable[PhaseFacts]) -> dict[str, tuple[int, Atoms]]:
    """Ordering and relaxed crystal of each phase that passed the gate in another build's store.

    Raises
    ------
    UserError
        When there is no store.
    """
    if not (start / STORE).is_file():
        raise UserError(f"{start} holds no {STORE}; give the --work folder of a finished build.")
    wanted = {facts.name: facts for facts in phases}
    found: dict[str, list[tuple[int, Result]]] = {}
    store = RecordStore.for_reading(start / STORE)
    for key in [s.key for s in store.results() if s.step == "phase/relax" and s.failure is None]:
        recipe, result = store.recipe(key), store.get(key)
        facts = wanted.get(recipe["phase"]) if recipe else None
        if recipe and result and facts is not None and recipe["facts"] == facts.facts_sha256:
            found.setdefault(facts.name, []).append((int(recipe["ordering"]), result))
    chosen: dict[str, tuple[int, Atoms]] = {}
    for name, results in found.items():
        passed = [(i, r) for i, r in results if gate(wanted[name], r) == PASSED]
        if passed:
            ordering, best = min(passed, key=lambda item: item[1].energy / len(item[1].atoms))
            chosen[name] = (ordering, best.atoms)
    return chosen


def _phase_flow(facts: PhaseFacts, corrections: str, relaxed: tuple[int, Atoms] | None) -> Flow[PhaseEnergy]:
    """Relax all orderings, or go on from the one that another potential has relaxed."""
    if relaxed is None:
        tasks: list[Task] = list(phase_tasks(facts))
        results = yield tasks
        return phase_energy(facts, results, corrections)
    ordering, atoms = relaxed
    (result,) = yield [phase_task(facts, ordering, atoms, start="relaxed elsewhere")]
    return replace(phase_energy(facts, [result], corrections), ordering=ordering)


def _not_built(facts: PhaseFacts, reason: str) -> PhaseEnergy:
    return PhaseEnergy(
        name=facts.name,
        formula=facts.formula,
        composition=facts.composition,
        energy_per_atom=float("nan"),
        gate=f"failed: {reason}",
        facts_sha256=facts.facts_sha256,
    )


def judge_distances(energies: Mapping[str, PhaseEnergy]) -> dict[str, PhaseEnergy]:
    """Quarantine what lies implausibly high above the hull of all other phases that pass the gate.

    The verdict depends on the other phases, so it is passed again on every build.
    """
    lifted = {name: replace(e, gate=PASSED) if e.gate.startswith(IMPLAUSIBLE) else e for name, e in energies.items()}
    judged = {}
    for name, energy in lifted.items():
        distance = distance_to_others(energy, lifted)
        if distance is not None and distance > MAX_ABOVE_HULL:
            energy = replace(energy, gate=f"{IMPLAUSIBLE}: {1000 * distance:.0f} meV/atom above the other phases")
        judged[name] = energy
    return judged


def distance_to_others(energy: PhaseEnergy, energies: Mapping[str, PhaseEnergy]) -> float | None:
    """Distance (eV/atom) of a phase from the hull of all others; negative when it is stable, None without rivals."""
    if not energy.usable or energy.origin == "reference":
        return None
    elements = set(energy.composition)
    rivals = [e for e in energies.values() if e.usable and e.name != energy.name and set(e.composition) <= elements]
    covered = {next(iter(e.composition)) for e in rivals if len(e.composition) == 1}
    if not rivals or not elements <= covered:
        return None  # an element without a rival, or without a usable reference
    return hull.e_above_hull(energy.composition, energy.energy_per_atom, rivals)
