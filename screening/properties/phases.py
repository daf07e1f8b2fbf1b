"""Energies of the competing phases: shipped where they belong to the same checkpoint and facts, computed otherwise.

``python -m screening.properties.phases --potential chgnet --out datasets/energies/chgnet.json`` builds a shipped file;
run again, it continues where it stopped and recomputes only phases whose facts changed.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
from collections.abc import Generator, Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ase import Atoms
from ase.data import covalent_radii

from screening.assets import asset
from screening.config import StabilitySettings
from screening.engine.records import Fidelity, package_versions
from screening.engine.tasks import RelaxTask, Result, Task, recipe_key
from screening.properties.corrections import MP_SCALE, correction
from screening.properties.hull import HullEntry
from screening.structures.phases import PhaseFacts, load_phases, phase_structures, space_group_number

logger = logging.getLogger(__name__)

MAX_VOLUME_CHANGE = 0.08
"""Largest relative difference from the stated volume that passes the gate."""

MIN_DISTANCE = 0.6
"""Shortest distance that passes the gate, in sums of covalent radii."""

PASSED = "passed"
BUILD_SETTINGS = StabilitySettings(fmax=0.02, max_steps=600)


@dataclass(frozen=True, kw_only=True)
class PhaseEnergy(HullEntry):
    """A phase on the hull's energy scale.

    Attributes
    ----------
    energy_per_atom
        eV/atom with `correction_per_atom` included.
    origin
        ``"shipped"``, ``"computed"`` or ``"reference"`` (a gas with a stated energy).
    gate
        ``"passed"``, or why the phase is quarantined.
    volume_per_atom, space_group, ordering
        Of the relaxed cell; which of the structures offered was lowest.
    """

    formula: str
    correction_per_atom: float = 0.0
    origin: str = "computed"
    gate: str = PASSED
    facts_sha256: str = ""
    volume_per_atom: float | None = None
    space_group_stated: int | None = None
    space_group: int | None = None
    ordering: int = 0
    fmax: float | None = None
    n_steps: int = 0
    key: str = ""

    @property
    def usable(self) -> bool:
        return self.gate == PASSED


def gate(facts: PhaseFacts, result: Result) -> str:
    """Check a relaxed phase against its facts; ``"passed"`` or the reason for quarantine."""
    if result.failure is not None:
        return f"failed: {result.failure}"
    if not result.converged:
        return f"not converged: fmax {result.fmax:.3f} eV/A after {result.n_steps} steps"
    atoms = result.atoms
    if _fractions(atoms.get_chemical_symbols()) != _fractions(
        [s for s, n in facts.composition.items() for _ in range(n)]
    ):
        return f"composition became {atoms.get_chemical_formula()}"
    if (ratio := shortest_distance(atoms)) < MIN_DISTANCE:
        return f"shortest distance is {ratio:.2f} of the sum of covalent radii"
    if facts.reference is not None:
        return PASSED  # a molecule in a box has neither a volume nor a space group to keep
    if (found := space_group_number(atoms)) != facts.space_group:
        return f"space group {facts.space_group} became {found}"
    if facts.volume is not None:
        change = atoms.get_volume() / len(atoms) / facts.volume - 1
        if abs(change) > MAX_VOLUME_CHANGE:
            return f"volume differs by {100 * change:+.1f} % from the stated one"
    return PASSED


def _fractions(symbols: Iterable[str]) -> dict[str, float]:
    listed = list(symbols)
    return {s: round(listed.count(s) / len(listed), 9) for s in set(listed)}


def shortest_distance(atoms: Atoms) -> float:
    """Smallest interatomic distance in units of the pair's sum of covalent radii (periodic images included)."""
    from ase.neighborlist import neighbor_list

    i, j, d = neighbor_list("ijd", atoms, cutoff=4.0)
    if len(d) == 0:
        return math.inf
    radii = covalent_radii[atoms.numbers]
    return float((d / (radii[i] + radii[j])).min())


def phase_tasks(facts: PhaseFacts, settings: StabilitySettings) -> list[RelaxTask]:
    """One relaxation (cell and atoms) per structure on offer."""
    box = facts.reference is not None
    return [
        RelaxTask(
            recipe={"step": "phase/relax", "phase": facts.name, "facts": facts.facts_sha256, "ordering": index},
            atoms=atoms,
            cell="fixed" if box else "full",
            fmax=settings.fmax,
            max_steps=settings.max_steps,
        )
        for index, atoms in enumerate(phase_structures(facts))
    ]


def phase_energy(facts: PhaseFacts, results: list[Result], corrections: str) -> PhaseEnergy:
    """The lowest structure that passes the gate; the lowest one with its verdict when none does."""
    graded = [(gate(facts, r), r.energy / len(r.atoms), index, r) for index, r in enumerate(results)]
    verdict, energy, ordering, best = min(graded, key=lambda g: (g[0] != PASSED, g[3].failure is not None, g[1]))
    failed = best.failure is not None
    shift = 0.0 if failed else correction(best.atoms, corrections) / len(best.atoms)
    return PhaseEnergy(
        name=facts.name,
        formula=facts.formula,
        composition=facts.composition,
        energy_per_atom=energy + shift,
        correction_per_atom=shift,
        gate=verdict,
        facts_sha256=facts.facts_sha256,
        volume_per_atom=None if failed else best.atoms.get_volume() / len(best.atoms),
        space_group_stated=facts.space_group,
        space_group=None if failed else space_group_number(best.atoms),
        ordering=ordering,
        fmax=best.fmax,
        n_steps=best.n_steps,
        key=best.key,
    )


def reference_energy(facts: PhaseFacts) -> PhaseEnergy:
    """A gas with the energy its facts state (eV/atom, Materials Project scale)."""
    assert facts.reference is not None
    return PhaseEnergy(
        name=facts.name,
        formula=facts.formula,
        composition=facts.composition,
        energy_per_atom=float(facts.reference["energy_per_atom"]),
        origin="reference",
        facts_sha256=facts.facts_sha256,
    )


def shipped_energies(fidelity: Fidelity, path: Path | None = None) -> dict[str, PhaseEnergy]:
    """Shipped energies of this potential by phase name; empty when there are none for this very checkpoint."""
    if path is None:
        try:
            path = asset("datasets", "energies", f"{fidelity.potential}.json")
        except FileNotFoundError:
            return {}
    data = json.loads(path.read_text())
    if data["checkpoint_sha256"] != fidelity.checkpoint_sha256:
        logger.warning("%s belongs to another checkpoint; phases are computed again", path.name)
        return {}
    return {name: PhaseEnergy(**{**row, "origin": "shipped"}) for name, row in data["phases"].items()}


def phases_flow(
    elements: set[str], settings: StabilitySettings, *, fidelity: Fidelity, potential_corrections: str
) -> Generator[list[Task], list[Result], list[PhaseEnergy]]:
    """Energies of all listed phases of a chemical system that pass the gate.

    Parameters
    ----------
    elements
        Chemical system; Li is added, because voltages need its metal.
    potential_corrections
        `Potential.corrections` of the potential behind `fidelity`.

    An element without listed phases is left out with a warning; `stability_flow` then refuses its candidates only.
    """
    listed = {symbol for facts in load_phases() for symbol in facts.composition}
    if unknown := sorted(elements - listed):
        logger.warning("no competing phases are listed for %s", ", ".join(unknown))
    facts = load_phases((elements & listed) | {"Li"})
    shipped = shipped_energies(fidelity)
    energies: dict[str, PhaseEnergy] = {}
    pending: list[tuple[PhaseFacts, list[RelaxTask]]] = []
    for phase in facts:
        known = shipped.get(phase.name)
        if phase.reference is not None and potential_corrections in MP_SCALE:
            energies[phase.name] = reference_energy(phase)
        elif known is not None and known.facts_sha256 == phase.facts_sha256:
            energies[phase.name] = known
        else:
            pending.append((phase, phase_tasks(phase, settings)))
    if pending:
        results = yield [task for _, tasks in pending for task in tasks]
        for phase, tasks in pending:
            energies[phase.name] = phase_energy(phase, results[: len(tasks)], potential_corrections)
            results = results[len(tasks) :]
    for energy in energies.values():
        if not energy.usable:
            logger.warning("phase %s is quarantined and not used: %s", energy.name, energy.gate)
    return [energies[phase.name] for phase in facts if energies[phase.name].usable]


def build_energies(
    potential_name: str, out: Path, *, device: str = "auto", settings: StabilitySettings = BUILD_SETTINGS
) -> dict[str, Any]:
    """Relax every listed phase and write the shipped file; phases already in `out` with the same facts are kept."""
    from screening.engine.run import discard_checkpoint, run_tasks
    from screening.potentials.registry import load_potential

    potential = load_potential(potential_name, device)
    fidelity = Fidelity(potential_name, potential.checkpoint_sha256)
    energies = shipped_energies(fidelity, out) if out.exists() else {}
    in_flight = out.parent / f".{out.stem}-checkpoints"
    phases = load_phases()
    energies = {p.name: energies[p.name] for p in phases if p.name in energies}
    for facts in phases:
        known = energies.get(facts.name)
        if known is not None and known.facts_sha256 == facts.facts_sha256:
            continue
        keys: list[str] = []
        if facts.reference is not None and potential.corrections in MP_SCALE:
            energies[facts.name] = reference_energy(facts)
        else:
            tasks: list[Task] = list(phase_tasks(facts, settings))
            keys = [recipe_key(task, potential.checkpoint_sha256) for task in tasks]
            in_flight.mkdir(parents=True, exist_ok=True)
            results = run_tasks(tasks, keys, potential, in_flight)
            energies[facts.name] = phase_energy(facts, results, potential.corrections)
        found = energies[facts.name]
        logger.info("%s: %.4f eV/atom, %s", facts.name, found.energy_per_atom, found.gate)
        _write(out, fidelity, potential.corrections, settings, energies)
        for key in keys:
            discard_checkpoint(in_flight, key)
    if in_flight.exists() and not any(in_flight.iterdir()):
        in_flight.rmdir()
    return json.loads(out.read_text())


def _write(
    out: Path, fidelity: Fidelity, corrections: str, settings: StabilitySettings, energies: dict[str, PhaseEnergy]
) -> None:
    """Write the shipped file in one step."""
    rows = {name: asdict(energy) for name, energy in sorted(energies.items())}
    for row in rows.values():
        row.pop("origin")
    data = {
        "potential": fidelity.potential,
        "checkpoint_sha256": fidelity.checkpoint_sha256,
        "corrections": corrections,
        "command": f"python -m screening.properties.phases --potential {fidelity.potential} --out {out.as_posix()}",
        "date": datetime.now(UTC).date().isoformat(),
        "versions": package_versions(),
        "settings": {"fmax": settings.fmax, "max_steps": settings.max_steps, "max_volume_change": MAX_VOLUME_CHANGE},
        "units": {"energy_per_atom": "eV/atom, correction included", "volume_per_atom": "A^3/atom", "fmax": "eV/A"},
        "quarantined": {name: e.gate for name, e in sorted(energies.items()) if not e.usable},
        "phases": rows,
    }
    partial = out.with_suffix(".partial")
    partial.write_text(json.dumps(data, indent=1) + "\n")
    partial.replace(out)


def main(argv: list[str] | None = None) -> None:
    """Command line of `build_energies`."""
    parser = argparse.ArgumentParser(description="Relax all competing phases with a potential and ship their energies.")
    parser.add_argument("--potential", default="chgnet")
    parser.add_argument("--out", type=Path, required=True, help="JSON file; continued when it exists")
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    build_energies(arguments.potential, arguments.out, device=arguments.device)


if __name__ == "__main__":
    main()
