"""Manifests and calculations with chosen energies, to follow by hand what records are made of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from screening.engine.running.records import Record
from screening.training_data.calculation import Calculation, Frame, Method
from screening.validation.jobs import Manifest

PBE = Method(engine="vasp", functional="pbe", cutoff=500.0)
MLIP = "mlip:chgnet"
DOPED = "Mg_Li-vLi-1of12"


def atoms_of(formula: str) -> Atoms:
    """Atoms of a formula in a row; only what they are matters here."""
    atoms = Atoms(formula, cell=[50.0, 5.0, 5.0], pbc=True)
    atoms.positions[:, 0] = np.arange(len(atoms)) * 2.0
    return atoms


def calculation(formula: str, energy: float, **fields: Any) -> Calculation:
    fields = {"method": PBE, "electronic_converged": True, "ionic_converged": True, "source": "here", **fields}
    return Calculation(frames=(Frame(atoms=atoms_of(formula), energy=energy),), **fields)


def job(name: str, candidate: str | None, role: str, formula: str = "Li", **fields: Any) -> dict[str, Any]:
    return {"name": name, "candidate": candidate, "role": role, "formula": formula, "details": {}, **fields}


def manifest(jobs: list[dict[str, Any]]) -> Manifest:
    return Manifest(folder=Path("v"), run=Path("r"), settings="kim2026", engine="vasp", mlip_fidelity=MLIP, jobs=jobs)


def record(candidate: str, prop: str, value: float | None, unit: str = "eV", **fields: Any) -> Record:
    fields = {"converged": True, "fidelity": MLIP, "potential": "chgnet", "checkpoint_sha256": "0" * 64, **fields}
    return Record(candidate=candidate, property=prop, value=value, unit=unit, **fields)


PHASES = {
    "Li": ("Li", -2.0),
    "Nb": ("Nb", -10.0),
    "O2": ("O2", -10.0),
    "Mg": ("Mg", -1.6),
    "LiNbO3": ("LiNbO3", -2 - 10 - 3 * 9),
    "Nb2O5": ("Nb2O5", -20 - 5 * 8.5),
    "MgNb2O6": ("MgNb2O6", -1.6 - 20 - 6 * 9),
    "Li3NbO4": ("Li3NbO4", -52.5),
    "NbO2": ("NbO2", -29.0),
}
"""Formula and energy per formula unit, eV."""

BULKS = {DOPED: ("Li10MgNb12O36", -484.0), "LiNbO3": ("Li12Nb12O36", 12 * -39.0)}


def phase_jobs() -> tuple[list[dict[str, Any]], dict[str, list[Calculation]]]:
    jobs = [
        job(f"phases/{name}", None, "phase", formula, details={"phase": name, "formula": formula})
        for name, (formula, _) in PHASES.items()
    ]
    return jobs, {f"phases/{name}": [calculation(*entry)] for name, entry in PHASES.items()}


def bulk_jobs(doped_energy: float) -> tuple[list[dict[str, Any]], dict[str, list[Calculation]]]:
    """Pristine and doped cell of twelve formula units."""
    energies = {"LiNbO3": BULKS["LiNbO3"][1], DOPED: doped_energy}
    jobs = [job(f"{n}/bulk", n, "bulk", BULKS[n][0], details={"n_fu": 12}) for n in energies]
    return jobs, {f"{n}/bulk": [calculation(BULKS[n][0], e, band_gap=3.4)] for n, e in energies.items()}
