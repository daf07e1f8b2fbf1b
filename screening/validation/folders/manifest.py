"""Write the manifest of a validation folder: which jobs, what they depend on, what they will cost."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import yaml
from ase import Atoms

from screening.engine.running.serialise import structure_hash
from screening.errors import UserError
from screening.files import write_text
from screening.validation.folders.cost import STATEMENT, core_hours, rounded
from screening.validation.jobs import MANIFEST, Job, Manifest, read_manifest
from screening.validation.protocols import ValidationSettings
from screening.validation.valence import valence_electrons

_ELECTRONS_LIKE = "PBE_54"
"""POTCAR release whose valence counts stand in for those of an engine that does not state its own."""


def plain_job(job: Job) -> dict[str, Any]:
    """The fields of a job that are plain data."""
    return {
        "name": job.name,
        "candidate": job.candidate,
        "role": job.role,
        "relax": job.relax,
        "charge": job.charge,
        "kpoints": list(job.kpoints),
        "slab": job.slab,
        "after": list(job.after),
        "details": job.details.to_details(),
        "mlip_energy": None if job.mlip_energy is None else float(job.mlip_energy),
        "n_images": len(job.images),
        "n_atoms": len(job.atoms),
        "formula": job.atoms.get_chemical_formula(),
    }


def write_manifest(
    folder: Path,
    jobs: Sequence[Job],
    *,
    run: Path,
    settings: ValidationSettings,
    mlip_fidelity: str,
    missing: Sequence[str] = (),
    kept: Collection[str] = (),
) -> Manifest:
    """Write or extend validation.yaml; jobs that an earlier call listed and this one does not stay.

    Parameters
    ----------
    run
        Folder of the run that is validated.
    missing
        What could not be planned, in words; replaces that of an earlier call.
    kept
        Jobs whose folder was left as an earlier call wrote it, because they were started; they are listed as they were.

    Raises
    ------
    UserError
        When the folder belongs to other settings or to another run.
    """
    twins = find_twins(jobs)
    rows = {job.name: _row(job, settings, twins.get(job.name)) for job in jobs}
    if (folder / MANIFEST).is_file():
        earlier = read_manifest(folder)
        check_manifest(earlier, run=run, settings=settings)
        before = {row["name"]: row for row in earlier.jobs}
        rows = before | {name: row for name, row in rows.items() if name not in kept or name not in before}
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "run": os.path.relpath(run.resolve(), folder.resolve()),
        "settings": settings.name,
        "engine": settings.engine,
        "mlip_fidelity": mlip_fidelity,
        "estimate": STATEMENT,
        "core_hours": rounded(sum(row["core_hours"] for row in rows.values() if "same_as" not in row)),
        "missing": list(missing),
        "jobs": list(rows.values()),
    }
    write_text(folder / MANIFEST, yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120))
    return read_manifest(folder)


def check_manifest(manifest: Manifest, *, run: Path, settings: ValidationSettings) -> None:
    """Refuse a folder that holds the jobs of another run or of other settings.

    Raises
    ------
    UserError
        Says which.
    """
    if manifest.settings != settings.name or manifest.engine != settings.engine:
        raise UserError(
            f"{manifest.folder} holds jobs of the settings {manifest.settings}; give this one another --out."
        )
    if manifest.run != run.resolve():
        raise UserError(f"{manifest.folder} validates the run {manifest.run}; give this one another --out.")


def find_twins(jobs: Sequence[Job]) -> dict[str, str]:
    """Jobs that compute the same as an earlier one, by name; every candidate has the same cathode slab, for example."""
    first: dict[str, str] = {}
    twins: dict[str, str] = {}
    for job in jobs:
        original = first.setdefault(_identity(job), job.name)
        if original != job.name:
            twins[job.name] = original
    return twins


def _identity(job: Job) -> str:
    """Hash of all that decides the result of a job."""
    structures: list[Atoms] = [job.atoms, *job.images]
    fixed = [sorted(int(i) for c in job.atoms.constraints for i in getattr(c, "index", []))]
    facts: list[Any] = [job.role, job.relax, job.charge, list(job.kpoints), job.slab, list(job.after), fixed]
    facts.append(job.phase)
    text = json.dumps([facts, [structure_hash(a) for a in structures]])
    return hashlib.sha256(text.encode()).hexdigest()


def _row(job: Job, settings: ValidationSettings, twin: str | None) -> dict[str, Any]:
    electrons = count_electrons_of(job.atoms, settings) - job.charge
    cutoff = settings.expected(job.atoms).cutoff or 400.0
    row = plain_job(job)
    row["electrons"] = round(float(electrons), 3)
    row["core_hours"] = rounded(core_hours(job, electrons, cutoff))
    return row if twin is None else {**row, "same_as": twin}


def count_electrons_of(atoms: Atoms, settings: ValidationSettings) -> float:
    """Valence electrons of the neutral cell, by the settings' own potentials where they count them."""
    own = getattr(settings, "electrons", None)
    if own is not None:
        return float(own(atoms))
    from pymatgen.io.vasp.sets import MPScanRelaxSet

    labels: dict[str, str] = MPScanRelaxSet.CONFIG["POTCAR"]
    return sum(valence_electrons(labels[s], _ELECTRONS_LIKE) for s in atoms.get_chemical_symbols())
