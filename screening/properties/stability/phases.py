"""Competing phases on the hull's energy scale: their relaxations and the gate that each has to pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from ase import Atoms

from screening.engine.tasks import RelaxTask, Result
from screening.properties.stability.corrections import correction
from screening.properties.stability.hull import HullEntry, normalised
from screening.structures.crystals.closeness import MIN_DISTANCE_IN_RADII, shortest_distance_in_radii
from screening.structures.crystals.phases import PhaseFacts, phase_structures, space_group_number

MAX_VOLUME_CHANGE = 0.08
"""Largest relative difference from the stated volume that passes the gate."""

PASSED = "passed"

FMAX = 0.02
"""Forces (eV/A) to which every phase is relaxed, whatever the preset: small cells, computed once and kept."""

MAX_STEPS = 600


@dataclass(frozen=True, kw_only=True)
class PhaseEnergy(HullEntry):
    """A phase on the hull's energy scale.

    Attributes
    ----------
    energy_per_atom
        eV/atom with `correction_per_atom` included.
    origin
        ``"shipped"``, ``"computed"``, ``"reference"`` (a gas with a stated energy), ``"mp:..."`` or ``"file:..."``.
    substituted
        Predicted by ionic substitution, no known crystal.
    gate
        ``"passed"``, or why the phase is quarantined.
    volume_per_atom, space_group, ordering
        Of the relaxed cell; which of the structures offered was lowest.
    """

    formula: str
    correction_per_atom: float = 0.0
    origin: str = "computed"
    gate: str = PASSED
    substituted: bool = False
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


def same_composition(one: Mapping[str, float], other: Mapping[str, float]) -> bool:
    """Whether two compositions are the same up to their scale."""
    a, b = normalised(one), normalised(other)
    return a.keys() == b.keys() and all(abs(a[s] - b[s]) < 1e-6 for s in a)


def gate(facts: PhaseFacts, result: Result) -> str:
    """Check a relaxed phase against its facts; ``"passed"`` or the reason for quarantine."""
    if result.failure is not None:
        return f"failed: {result.failure}"
    if not result.converged:
        return f"not converged: fmax {result.fmax:.3f} eV/A after {result.n_steps} steps"
    atoms = result.atoms
    if not same_composition(Counter(atoms.get_chemical_symbols()), facts.composition):
        return f"composition became {atoms.get_chemical_formula()}"
    if (ratio := shortest_distance_in_radii(atoms)) < MIN_DISTANCE_IN_RADII:
        return f"shortest distance is {ratio:.2f} of the sum of covalent radii"
    if facts.reference is not None:
        return PASSED  # a molecule in a box has neither a volume nor a space group to keep
    if facts.substituted:
        return PASSED
    if (found := space_group_number(atoms)) != facts.space_group:
        return f"space group {facts.space_group} became {found}"
    if facts.volume is not None:
        change = atoms.get_volume() / len(atoms) / facts.volume - 1
        if abs(change) > MAX_VOLUME_CHANGE:
            return f"volume differs by {100 * change:+.1f} % from the stated one"
    return PASSED


def phase_task(facts: PhaseFacts, ordering: int, atoms: Atoms, **recipe: str) -> RelaxTask:
    """Relaxation of one structure of a phase; `recipe` adds to what its key is made of."""
    # PBE has no dispersion: left free, layers and molecules drift apart by tens of per cent
    held = facts.reference is not None or facts.cell_held
    return RelaxTask(
        recipe={
            "step": "phase/relax",
            "phase": facts.name,
            "facts": facts.facts_sha256,
            "ordering": ordering,
            **recipe,
        },
        atoms=atoms,
        cell="fixed" if held else "full",
        fmax=FMAX,
        max_steps=MAX_STEPS,
    )


def phase_tasks(facts: PhaseFacts) -> list[RelaxTask]:
    """One relaxation (cell and atoms) per structure on offer."""
    return [phase_task(facts, index, atoms) for index, atoms in enumerate(phase_structures(facts))]


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
        substituted=facts.substituted,
        facts_sha256=facts.facts_sha256,
        volume_per_atom=None if failed else best.atoms.get_volume() / len(best.atoms),
        space_group_stated=None if facts.substituted else facts.space_group,
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
