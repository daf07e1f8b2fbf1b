"""DFT without a licence: GPAW in this process, one folder per job, restartable.

Folder of a job: ``calculation.json`` (what is computed, settings), ``start.extxyz`` (all images of a band); while it
runs ``gpaw.txt`` and ``steps.extxyz`` (every evaluated ionic step); at the end ``result.json``.
Mortensen et al., J. Chem. Phys. 160, 092503 (2024), doi:10.1063/5.0182685.
"""

from __future__ import annotations

import json
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import read, write

from screening.errors import UserError, first_line
from screening.files import write_text
from screening.process.trouble import stops_the_run
from screening.training_data.calculation import Calculation
from screening.validation.gpaw.read import JOB, LOG, RESULT, START, _read_json, _steps, read_gpaw_folder
from screening.validation.gpaw.settings import GpawSettings
from screening.validation.jobs import Job
from screening.validation.protocols import CalculationFailed, EngineUnusable


class GpawEngine:
    """Follows the protocol `screening.validation.protocols.Engine`."""

    name = "gpaw"

    def __init__(self, settings: GpawSettings) -> None:
        if find_spec("gpaw") is None:
            raise EngineUnusable(
                "GPAW is not installed: apt-get install libxc-dev libopenblas-dev g++, then "
                "CC=g++ pip install 'coatscreen[gpaw]'."
            )
        self.settings = settings

    def check(self) -> None:
        """See whether GPAW can be loaded and has PAW data sets.

        Raises
        ------
        EngineUnusable
            Says what is missing.
        """
        try:
            from gpaw import setup_paths
        except Exception as error:  # a missing library is an OSError or ImportError, a wrong one anything
            raise EngineUnusable(
                f"GPAW is installed but cannot be loaded ({first_line(error)}); install it again for this machine."
            ) from error
        if find_spec("gpaw_data") is None and not any(Path(path).is_dir() for path in setup_paths):
            raise EngineUnusable(
                "GPAW has no PAW data sets: pip install gpaw-data, or set GPAW_SETUP_PATH to a folder that holds them."
            )

    def write(self, job: Job, folder: Path) -> None:
        """Write ``start.extxyz`` and ``calculation.json``; the latter last, so that a folder with it is complete.

        Hops are single points on the potential's end points and path, never relaxed: an image that relaxes on its own
        falls into its minimum, and relaxed end points below an unrelaxed saddle would raise the barrier.
        """
        folder.mkdir(parents=True, exist_ok=True)
        structures = [_bare(atoms) for atoms in (job.images or (job.atoms,))]
        write(folder / START, structures, format="extxyz")
        data = {
            "engine": self.name,
            "name": job.name,
            "candidate": job.candidate,
            "role": job.role,
            "relax": "none" if job.role in ("end", "band") else job.relax,
            "charge": job.charge,
            "kpoints": list(job.kpoints),
            "slab": job.slab,
            "details": job.details.to_details(),
            "settings": self.settings.model_dump(),
        }
        _write_json(folder / JOB, data)

    def run(self, folder: Path) -> None:
        """Compute every image that has no result yet."""
        job = _read_json(folder / JOB)
        settings = GpawSettings(**job["settings"])
        results = self._results(folder)
        images = list(read(folder / START, ":"))
        for index, start in enumerate(images):
            if _is_done(results.get(str(index))):
                continue
            began = time.time()
            frames, converged = _compute(start, job, settings, folder, index)
            final = frames[-1]
            results[str(index)] = {
                "n_steps": len(frames),
                "ionic_converged": converged,
                "band_gap": final.info.get("band_gap"),
                "wall_s": round(time.time() - began, 1),
                "versions": _versions(),
            }
            _write_json(folder / RESULT, results)
            if not converged:
                raise CalculationFailed(
                    f"forces are not below {settings.fmax:g} eV/A after {len(frames)} steps; run it again to go on"
                )

    def is_finished(self, folder: Path) -> bool:
        if not (folder / JOB).is_file() or not (folder / RESULT).is_file():
            return False
        results = self._results(folder)
        return all(_is_done(results.get(str(index))) for index in range(len(read(folder / START, ":"))))

    def read(self, folder: Path) -> list[Calculation]:
        return read_gpaw_folder(folder)

    def _results(self, folder: Path) -> dict[str, Any]:
        return _read_json(folder / RESULT) if (folder / RESULT).is_file() else {}


def _is_done(result: dict[str, Any] | None) -> bool:
    return result is not None and bool(result["ionic_converged"])


def _compute(
    start: Atoms, job: dict[str, Any], settings: GpawSettings, folder: Path, index: int
) -> tuple[list[Atoms], bool]:
    """Single point or relaxation of one structure; what an earlier run evaluated is where it goes on."""
    steps = _steps(folder, index)
    earlier = list(read(steps, ":")) if steps.is_file() else []
    atoms = start.copy()
    if earlier:
        atoms.set_cell(earlier[-1].cell)
        atoms.positions = earlier[-1].positions
    if job["slab"]:
        atoms.pbc[2] = False  # what GPAW's dipole layer asks for
    moments = settings.initial_moments(atoms)
    if job["details"].get("molecule") and atoms.get_chemical_symbols() == ["O", "O"]:
        moments = [1.0, 1.0]  # the ground state is a triplet
    if moments is not None:
        atoms.set_initial_magnetic_moments(moments)

    def record() -> None:
        frame = _bare(atoms)
        frame.pbc = start.pbc
        frame.calc = SinglePointCalculator(frame, **_results_of(atoms, settings))
        frame.info["band_gap"] = _gap(atoms.calc)
        write(steps, frame, format="extxyz", append=True)

    try:
        atoms.calc = calculator(settings, job, folder / LOG)
        converged = _relax(atoms, job["relax"], settings, record)
    except UserError:
        raise
    except Exception as error:  # GPAW's own errors share no base class
        if stops_the_run(error):
            raise
        raise CalculationFailed(f"GPAW stopped: {first_line(error)} (see {folder / LOG})") from error
    return list(read(steps, ":")), converged


def _relax(atoms: Atoms, relax: str, settings: GpawSettings, record: Any) -> bool:
    from ase.filters import FrechetCellFilter
    from ase.optimize import BFGS

    if relax == "none":
        atoms.get_potential_energy()
        record()
        return True
    if not settings.forces:
        raise UserError(f"{settings.name} computes no forces; relax with gpaw-pbe, or write the jobs with --static.")
    target: Any = FrechetCellFilter(atoms) if relax == "cell" else atoms
    optimizer = BFGS(target, logfile=None, maxstep=0.1)
    optimizer.attach(record)
    return bool(optimizer.run(fmax=settings.fmax, steps=settings.max_steps))


def calculator(settings: GpawSettings, job: dict[str, Any], log: Path) -> Any:
    """GPAW calculator of a job."""
    from gpaw import GPAW

    options: dict[str, Any] = {
        "xc": settings.functional.upper(),
        "kpts": {"size": tuple(job["kpoints"]), "gamma": True},
        "occupations": {"name": "fermi-dirac", "width": settings.smearing},
        "convergence": {"density": settings.density_convergence},
        "maxiter": settings.max_iterations,
        "charge": job["charge"],
        "txt": str(log),
    }
    if settings.basis == "pw":
        options["mode"] = {"name": "pw", "ecut": settings.cutoff}
        if job["slab"]:
            options["poissonsolver"] = {"dipolelayer": "xy"}
    else:
        options |= {"mode": "lcao", "basis": "dzp", "h": settings.grid_spacing}
    if settings.hubbard:
        options["setups"] = {symbol: f":d,{u}" for symbol, u in settings.hubbard.items()}
    return GPAW(**options)


def _results_of(atoms: Atoms, settings: GpawSettings) -> dict[str, Any]:
    found: dict[str, Any] = {"energy": atoms.get_potential_energy()}
    if settings.forces:
        found["forces"] = atoms.get_forces(apply_constraint=False)
    if settings.basis == "pw" and (settings.cutoff or 0) >= STRESS_CUTOFF:
        found["stress"] = atoms.get_stress()
    return found


STRESS_CUTOFF = 800.0
"""eV; below, the stress of oxides is off by GPa for want of plane waves (docs/dft.md), and is not kept."""


def _gap(calc: Any) -> float | None:
    homo, lumo = calc.get_homo_lumo()
    gap = float(lumo - homo)
    return round(max(gap, 0.0), 4) if np.isfinite(gap) else None


def _bare(atoms: Atoms) -> Atoms:
    bare = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    bare.set_constraint(atoms.constraints)
    return bare


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in ("gpaw", "gpaw-data", "ase")}


def _write_json(path: Path, data: dict[str, Any]) -> None:
    write_text(path, json.dumps(data, indent=1) + "\n")
