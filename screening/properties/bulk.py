"""Bulk crystals: the host, the cathode at y = 1, and the doped host of a candidate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ase import Atoms

from screening.chemistry.arrangements.orderings import ranked_orderings
from screening.chemistry.candidate import Candidate
from screening.chemistry.compensation import rescale
from screening.config import BulkSettings
from screening.engine.flows import Flow
from screening.engine.tasks import RelaxTask, Result, lowest, require
from screening.errors import CandidateFailed
from screening.structures.crystals.crystals import formula_units, load_crystal
from screening.structures.hops.supercells import isotropic_supercell
from screening.structures.hops.voids import octahedral_voids
from screening.structures.interfaces.cathode import cathode_bulk, layered_cell


@dataclass(kw_only=True)
class Crystal:
    """A relaxed crystal in its conventional cell; `energy_fu` in eV per formula unit."""

    name: str
    atoms: Atoms
    energy_fu: float
    result: Result


@dataclass(kw_only=True)
class DopedBulk:
    """The lowest relaxed ordering of a candidate."""

    candidate: Candidate
    result: Result


def host_flow(name: str, settings: BulkSettings) -> Flow[Crystal]:
    """Relax the host in its conventional cell (cell and atoms)."""
    atoms = load_crystal(name)
    task = RelaxTask(
        recipe={"step": "crystal/host", "crystal": name},
        atoms=atoms,
        cell="full",
        fmax=min(settings.fmax, 0.03),
        max_steps=settings.max_steps,
    )
    (result,) = yield [task]
    require(result, f"bulk {name}")
    return Crystal(name=name, atoms=result.atoms, energy_fu=result.energy / formula_units(atoms), result=result)


def cathode_flow(name: str, settings: BulkSettings, *, seed: int) -> Flow[Crystal]:
    """Relax the ordered cathode at y = 1; its mean lattice and oxygen height make the R-3m conventional cell.

    Averaging over the in-plane directions keeps the cell of the interface independent of how the minority metals are
    arranged.
    """
    start = cathode_bulk(name, seed)
    task = RelaxTask(
        recipe={"step": "crystal/cathode", "crystal": name, "seed": seed},
        atoms=start,
        cell="full",
        fmax=min(settings.fmax, 0.05),
        max_steps=settings.max_steps,
    )
    (result,) = yield [task]
    require(result, f"bulk {name}")
    conventional = layered_cell(name, result.atoms, seed)
    n_fu = result.atoms.get_chemical_symbols().count("Li")
    return Crystal(name=name, atoms=conventional, energy_fu=result.energy / n_fu, result=result)


def bulk_flow(candidate: Candidate, host: Crystal, n_fu: int, settings: BulkSettings, *, seed: int) -> Flow[DopedBulk]:
    """Relax the lowest-Ewald orderings of a candidate in a cell of `n_fu` formula units and keep the lowest.

    Parameters
    ----------
    host
        Relaxed host; its result is the parent of every ordering.

    Raises
    ------
    CandidateFailed
        When no ordering could be relaxed.
    """
    scaled = rescale(candidate, n_fu)
    supercell = isotropic_supercell(host.atoms, n_fu)
    voids = octahedral_voids(supercell) if scaled.defects.li_interstitials else None
    orderings = ranked_orderings(
        supercell, scaled.defects, k=settings.n_relaxed, n_draws=settings.n_draws, seed=seed, voids=voids
    )
    recipe: dict[str, Any] = {
        "step": "bulk/relax",
        "candidate": scaled.name,
        "seed": seed,
        "n_draws": settings.n_draws,
        "parents": [host.result.key],
    }
    results = yield [
        RelaxTask(
            recipe={**recipe, "ordering": index},
            atoms=ordering.atoms,
            cell="full",
            fmax=settings.fmax,
            max_steps=settings.max_steps,
        )
        for index, ordering in enumerate(orderings)
    ]
    usable = [r for r in results if r.failure is None]
    if not usable:
        raise CandidateFailed(f"no ordering of the doped bulk could be relaxed ({results[0].failure})")
    return DopedBulk(candidate=scaled, result=lowest(usable))
