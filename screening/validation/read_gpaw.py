"""Read GPAW calculations: the folders this program writes, and other people's ``.gpw`` files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from screening.validation.calculation import Calculation, CalculationUnreadable, Frame, Method
from screening.validation.frame_choice import keep_steps

OWN_INPUT = "calculation.json"


def read_gpaw(folder: Path) -> list[Calculation]:
    """Calculations of a folder that this program's GPAW engine wrote.

    Raises
    ------
    CalculationUnreadable
        When the job did not end.
    """
    from screening.validation.gpaw_engine import read_gpaw_folder

    return list(read_gpaw_folder(folder))


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
        details={"version": version, "files": [str(path)]},
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
