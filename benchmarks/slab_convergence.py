"""Work of adhesion of the pristine `standard` parent against slab planes and vacuum (docs/convergence.md).

Rigid slabs (as cut, at the registry and gap of the scan) show what thickness and vacuum do by themselves; relaxed ones
add which of many surface minima the interface and the slabs fall into.

    python benchmarks/slab_convergence.py --store runs/convergence --json OUT

Resumable: finished relaxations are taken from the store.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from transplant import transplant

from screening.chemistry.grid import enumerate_candidates
from screening.config import Settings, load_settings
from screening.engine.flows import Flow, FlowOutcome, compute, needed
from screening.engine.running.queue import run_flows
from screening.engine.running.records import PotentialId
from screening.engine.running.store import RecordStore
from screening.engine.running.workforce import Workforce
from screening.engine.tasks import RelaxTask
from screening.potentials.registry import load_potential
from screening.properties.adhesion.adhesion import adhesion_flow, search_flow
from screening.properties.adhesion.basin_hopping import lowest
from screening.properties.adhesion.details import AdhesionDetails
from screening.properties.adhesion.parent import EV_PER_A2, ParentInterface, parent_flow, relax_parent
from screening.properties.adhesion.records import adhesion_records, bulk_energies, pooled_substrates
from screening.properties.adhesion.types import AdhesionOutcome
from screening.properties.bulk import Crystal, cathode_flow, host_flow
from screening.structures.interfaces.interface import Parent, find_parents, shift, split

CASES: list[dict[str, Any]] = [
    {},
    {"min_planes": 5, "max_atoms": 500},
    {"min_planes": 2, "min_thickness": 0.0},
    {"parent_starts": 1, "parent_hops": 0, "vacuum": 10.0},
    {"parent_starts": 1, "parent_hops": 0, "vacuum": 15.0},
    {"parent_starts": 1, "parent_hops": 0, "vacuum": 20.0},
]
"""Departures from the standard interface; `{}` is the standard parent itself. Vacuum is varied with one start and
without hops, since it is the same atoms that relax."""

THICKER: list[dict[str, Any]] = [{"min_planes": 5, "max_atoms": 500}, {"min_planes": 6, "max_atoms": 500}]
"""Interfaces onto which the relaxed standard parent and its slabs are carried over."""


def carried_case(
    case: dict[str, Any], standard: ParentInterface, host: Crystal, cathode: Crystal, settings: Settings
) -> Flow[tuple[Parent, float, bool]]:
    """Work of adhesion (J/m2) in the standard parent's own arrangement on thicker slabs, and the largest force."""
    interface = settings.interface.model_copy(update=case)
    geometry = find_parents(host.atoms, cathode.atoms, cathode.name, interface, settings.seed)[0]
    target = shift(geometry.atoms, *standard.registry, standard.gap)
    recipe = {"benchmark": "slab_convergence/carried", "interface": interface.model_dump(mode="json")}
    whole = transplant(standard.cut, standard.relaxed, target)
    starts = {
        "interface": whole,
        "coating like the standard one": transplant(split(standard.cut)[1], standard.coating.atoms, split(target)[1]),
        "coating cut": split(target)[1],
        "substrate cut": split(target)[0],
    }
    relax = settings.adhesion.fmax, settings.adhesion.max_steps
    results = yield from compute({
        part: RelaxTask(
            recipe={**recipe, "part": part, "parents": [standard.result.key, standard.coating.key]},
            atoms=atoms, fmax=relax[0], max_steps=relax[1],
        )
        for part, atoms in starts.items()
    })  # fmt: skip
    relaxed = results["interface"]
    substrate, coating = yield [
        RelaxTask(
            recipe={**recipe, "part": f"half {n}", "parents": [relaxed.key]},
            atoms=atoms, fmax=relax[0], max_steps=relax[1],
        )
        for n, atoms in enumerate(split(relaxed.atoms))
    ]  # fmt: skip
    coatings = [results["coating like the standard one"], results["coating cut"], coating]
    used = [relaxed, lowest(coatings), lowest([results["substrate cut"], substrate])]
    energy = used[0].energy - used[1].energy - used[2].energy
    return geometry, -energy / geometry.area * EV_PER_A2, all(r.converged for r in used)


def one_case(
    case: dict[str, Any], chosen: ParentInterface, host: Crystal, cathode: Crystal, settings: Settings
) -> Flow[tuple[ParentInterface, AdhesionOutcome, float]]:
    """Adhesion of the pristine pair with the standard registry on slabs of another size."""
    interface = settings.interface.model_copy(update=case)
    geometry = find_parents(host.atoms, cathode.atoms, cathode.name, interface, settings.seed)[0]
    recipe = {"benchmark": "slab_convergence", "interface": interface.model_dump(mode="json")}
    adhesion = settings.adhesion if interface.parent_hops else settings.adhesion.model_copy(update={"slab_hops": 0})
    parent = yield from relax_parent(
        geometry, chosen.registry, chosen.gap, adhesion, recipe=recipe, interface=interface
    )
    pristine = enumerate_candidates("Mg", "0", host=settings.host).candidates[0]
    search = yield from search_flow(pristine, parent, adhesion, seed=settings.seed)
    outcome = yield from adhesion_flow(search, parent, adhesion, seed=settings.seed)
    rigid = shift(geometry.atoms, *chosen.registry, chosen.gap)
    parts = {"interface": rigid, "substrate": split(rigid)[0], "coating": split(rigid)[1]}
    points = yield from compute(
        {
            name: RelaxTask(recipe={**recipe, "step": "rigid", "part": name}, atoms=atoms, max_steps=0)
            for name, atoms in parts.items()
        }
    )
    energy = points["interface"].energy - points["substrate"].energy - points["coating"].energy
    return parent, outcome, -energy / geometry.area * EV_PER_A2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, default=Path("runs/convergence"))
    parser.add_argument("--potential", default="chgnet")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--json", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.store.mkdir(parents=True, exist_ok=True)
    # one placement and y = 1 are enough: this asks about thickness and vacuum, not about placements
    overrides = {
        "potential": arguments.potential,
        "interface": {"registry_grid": [3, 3], "gaps": [1.6, 2.0, 2.4], "registry_relaxed": 1, "registry_steps": 0},
        "adhesion": {
            "soc": [1.0], "contact_placements": 1, "inner_placements": 0, "prerelax_steps": 0,
        },
    }  # fmt: skip
    settings = load_settings("standard", None, overrides)
    potential = load_potential(settings.potential, "cpu")
    common: dict[str, Any] = {
        "store": RecordStore(arguments.store / "store.db"),
        "workforce": Workforce(
            potential_name=settings.potential,
            device="cpu",
            workers=arguments.workers,
            checkpoint_dir=arguments.store / "checkpoints",
        ),
    }
    crystals = run_flows(
        {
            "host": host_flow(settings.host, settings.bulk),
            "cathode": cathode_flow(settings.cathode, settings.bulk, seed=0),
        },
        **common,
    )
    host, cathode = needed(crystals["host"]), needed(crystals["cathode"])
    # the registry is a matter of the contact planes: it is scanned once, on thin slabs
    scan = {"min_planes": 2, "min_thickness": 0.0, "parent_starts": 1, "parent_hops": 0}
    thin = settings.interface.model_copy(update=scan)
    scanned = run_flows({"parent": parent_flow(host, cathode, thin, settings.adhesion, seed=0)}, **common)
    chosen = needed(scanned["parent"])
    done = run_flows({json.dumps(case): one_case(case, chosen, host, cathode, settings) for case in CASES}, **common)
    potential_id = PotentialId(potential.name, potential.checkpoint_sha256)
    rows = [_row(json.loads(name), outcome, host, cathode, settings, potential_id) for name, outcome in done.items()]
    standard = needed(done[json.dumps({})])[0]
    flows = {json.dumps(case): carried_case(case, standard, host, cathode, settings) for case in THICKER}
    onto = run_flows(flows, **common)
    carried = [_carried_row(json.loads(name), outcome) for name, outcome in onto.items()]
    facts = {"potential": settings.potential, "fmax": settings.adhesion.fmax, "rows": rows, "carried": carried}
    arguments.json.write_text(json.dumps(facts, indent=1) + "\n")


def _carried_row(case: dict[str, Any], outcome: FlowOutcome[tuple[Parent, float, bool]]) -> dict[str, Any]:
    if outcome.failure is not None:
        return {"case": case, "failure": outcome.failure}
    geometry, work, converged = outcome.value
    row = {"case": case, "coating_planes": geometry.coating_planes, "cathode_planes": geometry.cathode_planes}
    row |= {"n_atoms": len(geometry.atoms), "work_of_adhesion_J_m2": work, "converged": converged}
    print(row, flush=True)
    return row


def _row(
    case: dict[str, Any],
    outcome: FlowOutcome[tuple[ParentInterface, AdhesionOutcome, float]],
    host: Crystal,
    cathode: Crystal,
    settings: Settings,
    potential_id: PotentialId,
) -> dict[str, Any]:
    if outcome.failure is not None:
        return {"case": case, "failure": outcome.failure}
    parent, found, rigid = outcome.value
    records = adhesion_records(
        found, pooled_substrates([found]), parent, settings.adhesion,
        bulk=bulk_energies(host, cathode, None, False), potential_id=potential_id, x_requested=0.0, seed=0,
    )  # fmt: skip
    work = next(r for r in records if r.property == "work_of_adhesion")
    facts = parent.geometry.facts()
    names = ("coating_planes", "cathode_planes", "coating_thickness", "cathode_thickness", "n_atoms")
    row = {"case": case, **{name: facts[name] for name in names}}
    row |= {"vacuum": case.get("vacuum", settings.interface.vacuum), "cell_height": float(parent.cut.cell.lengths()[2])}
    row |= {"rigid_J_m2": rigid, "work_of_adhesion_J_m2": work.value}
    row |= {"coating_starts_eV": work.said(AdhesionDetails).coating_starts_eV}
    row |= {"converged": work.converged, "fmax": work.fmax, "n_force_calls": work.n_force_calls}
    print(row, flush=True)
    return row


if __name__ == "__main__":
    main()
