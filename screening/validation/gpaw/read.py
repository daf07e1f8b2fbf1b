"""Read GPAW calculations: the folders this program writes, and other people's ``.gpw`` files."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.io import read
from ase.stress import voigt_6_to_full_3x3_stress

from screening.files import read_received
from screening.training_data.calculation import Calculation, CalculationDetails, CalculationUnreadable, Frame, Method
from screening.training_data.frame_choice import keep_steps
from screening.validation.gpaw.settings import GpawSettings


def read_gpw(path: Path) -> Calculation:
    """Calculation of a ``.gpw`` file. GPAW's logs are not read: ASE's parser does not know their present form.

    Raises
    ------
    CalculationUnreadable
        When it cannot be read or holds no converged energy.
    """
    from ase.io import read
    from ase.io.ulm import Reader
    from ase.stress import voigt_6_to_full_3x3_stress

    try:
        atoms: Any = read(path, format="gpw")
        with Reader(path) as file:
            parameters: dict[str, Any] = file.parameters.asdict()
            version = str(file.gpaw_version)
            converged = bool(getattr(getattr(file, "scf", None), "converged", True))
        results = atoms.calc.results
        energy = float(results["energy"])
    except Exception as error:  # ulm and ASE raise whatever the broken place happens to raise
        raise CalculationUnreadable(f"{path.name} is no finished .gpw file ({error})") from error
    stress = voigt_6_to_full_3x3_stress(results["stress"]) if results.get("stress") is not None else None
    moments = results.get("magmoms")
    bare = atoms.copy()
    bare.calc = None
    # GPAW raises KohnShamConvergenceError where it does not converge; a file may have been written before that
    kept = keep_steps(
        [Frame(atoms=bare, energy=energy, forces=results.get("forces"), stress=stress)], [converged], relaxation=False
    )
    return Calculation(
        source=str(path),
        method=_method(parameters),
        frames=kept.frames,
        electronic_converged=kept.electronic_converged,
        charge=float(parameters.get("charge") or 0.0),
        magnetic_moments=moments if parameters.get("spinpol") or _is_magnetic(moments) else None,
        details=CalculationDetails(version=version, files=(str(path),)),
    )


def hubbard_of_setups(setups: Any) -> dict[str, float]:
    """U in eV of GPAW setups such as ``{"Co": ":d,3.4,0"}``; empty for setups without U."""
    found = {}
    for element, setup in setups.items() if isinstance(setups, dict) else ():
        match = re.match(r"[^:]*:[spdf],([-\d.]+)", str(setup))
        if match:
            found[str(element)] = float(match.group(1))
    return found


def _method(parameters: dict[str, Any]) -> Method:
    mode, functional, kpoints = (parameters.get(name) or {} for name in ("mode", "xc", "kpts"))
    mode = mode if isinstance(mode, dict) else {"name": str(mode)}
    name = functional.get("name", "") if isinstance(functional, dict) else str(functional)
    size = kpoints.get("size") if isinstance(kpoints, dict) else kpoints
    grid = [int(n) for n in size] if size is not None and len(size) == 3 else None
    lcao = mode.get("name") == "lcao"
    return Method(
        engine="gpaw",
        functional=(name or "lda").lower(),
        hubbard=hubbard_of_setups(parameters.get("setups")),
        basis=f"lcao:{parameters.get('basis') or 'sz'}" if lcao else "pw",
        cutoff=float(mode["ecut"]) if not lcao and "ecut" in mode else None,
        kpoints=(grid[0], grid[1], grid[2]) if grid else None,
        spin=bool(parameters.get("spinpol")),
    )


def _is_magnetic(moments: Any) -> bool:
    return moments is not None and float(abs(moments).max()) > 1e-3


JOB, START, STEPS, RESULT, LOG = "calculation.json", "start.extxyz", "steps.extxyz", "result.json", "gpaw.txt"


def read_gpaw_folder(folder: Path) -> list[Calculation]:
    """Calculations of a folder that `GpawEngine` wrote: one, or one per image of a band.

    Raises
    ------
    CalculationUnreadable
        When it has not ended, or its files are broken.
    """
    try:
        job, results = _read_json(folder / JOB), _read_json(folder / RESULT)
        settings = GpawSettings(**job["settings"])
        images = list(read(folder / START, ":"))
        found = []
        for index in range(len(images)):
            if str(index) not in results:
                raise CalculationUnreadable(f"image {index} of {len(images)} has no result; run it again to go on")
            frames = tuple(_frame(a) for a in read(_steps(folder, index), ":"))
            found.append(_calculation(folder, index, job, settings, results[str(index)], frames))
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise CalculationUnreadable(f"no finished GPAW calculation ({error}); run it again") from error
    return found


def _calculation(
    folder: Path,
    index: int,
    job: dict[str, Any],
    settings: GpawSettings,
    result: dict[str, Any],
    frames: tuple[Frame, ...],
) -> Calculation:
    relaxation = job["relax"] != "none"
    kept = keep_steps(frames, [True] * len(frames), relaxation=relaxation)  # GPAW raises where it does not converge
    atoms = kept.frames[-1].atoms
    method: Method = replace(settings.expected(atoms), kpoints=tuple(job["kpoints"]))
    return Calculation(
        source=str(folder),
        method=method,
        frames=kept.frames,
        electronic_converged=kept.electronic_converged,
        ionic_converged=bool(result["ionic_converged"]) if relaxation else None,
        charge=float(job["charge"]),
        band_gap=_finite(result["band_gap"]),
        settings=settings.name,
        details=CalculationDetails(
            wall_s=float(result["wall_s"]),
            versions=result["versions"],
            ionic_steps=len(frames),
            files=tuple(str(folder / name) for name in (JOB, RESULT, _steps(folder, index).name)),
            unconverged_steps=kept.unconverged_steps,
            warnings=kept.warnings,
        ),
    )


def _finite(value: float | None) -> float | None:
    """None for a by-product that is no finite number."""
    return float(value) if value is not None and np.isfinite(value) else None


def _frame(atoms: Atoms) -> Frame:
    values = atoms.calc.results
    stress = voigt_6_to_full_3x3_stress(values["stress"]) if values.get("stress") is not None else None
    bare = atoms.copy()
    forces = np.array(values["forces"]) if "forces" in values else None
    return Frame(atoms=bare, energy=float(values["energy"]), forces=forces, stress=stress)


def _steps(folder: Path, index: int) -> Path:
    return folder / (STEPS if index == 0 else f"steps-{index:02d}.extxyz")


def _read_json(path: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(read_received(path))
    return data
