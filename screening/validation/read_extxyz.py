"""Read calculations from extended XYZ files: our own training sets, and those of other people."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ase import Atoms

from screening.validation.calculation import Calculation, CalculationUnreadable, Frame, Method

FIDELITY = re.compile(r"dft:(?P<engine>[a-z]+)-(?P<functional>[^:]+?)(?P<hubbard>\+u)?:(?P<settings>.+)")
SIMULATED = re.compile(r"mlip:(?P<model>.+)-via-vasp")
UNKNOWN = "unknown"


def read_extxyz(path: Path) -> list[Calculation]:
    """Calculations of a file: frames that share ``info["calculation"]`` are one, any other frame is one of its own.

    What decides the energy scale is taken from ``info``: ``fidelity`` as this program writes it, or ``functional``,
    ``cutoff``, ``engine`` and ``spin`` with ``hubbard`` as a mapping. A file that says none of it gets the functional
    ``unknown``, and only the user can say which settings it was made with.

    Raises
    ------
    CalculationUnreadable
        When the file is no extended XYZ, or one of its frames has no energy.
    """
    from ase.io import read

    try:
        images = read(path, index=":", format="extxyz")
    except Exception as error:  # ASE raises whatever the broken place happens to raise
        raise CalculationUnreadable(f"{path.name} is no extended XYZ file, or is cut ({error})") from error
    if not images:
        raise CalculationUnreadable(f"{path.name} holds no structure")
    groups: dict[str, list[Atoms]] = {}
    for number, atoms in enumerate(images, start=1):
        if atoms.calc is None or "energy" not in atoms.calc.results:
            raise CalculationUnreadable(f"frame {number} of {path.name} has no energy: it is no calculation")
        groups.setdefault(str(atoms.info.get("calculation", f"frame {number}")), []).append(atoms)
    return [_calculation(path, name, group) for name, group in groups.items()]


def _calculation(path: Path, name: str, images: Sequence[Atoms]) -> Calculation:
    info = images[-1].info
    fidelity = str(info.get("fidelity", ""))
    simulated, known = SIMULATED.fullmatch(fidelity), FIDELITY.fullmatch(fidelity)
    return Calculation(
        source=f"{path}:{name}" if len(name) else str(path),
        method=_method(info, known),
        frames=tuple(_frame(atoms) for atoms in images),
        electronic_converged=bool(info.get("converged", True)),
        charge=float(info.get("charge", 0.0)),
        band_gap=float(info["band_gap"]) if "band_gap" in info else None,
        simulated_by=_simulator(fidelity, simulated),
        settings=known["settings"] if known else None,
        details={
            "files": [str(path)],
            "candidate": str(info.get("candidate") or ""),
            # the file does not repeat the U values, which the fidelity stands for
            "fidelity": fidelity if known else "",
        },
    )


def _simulator(fidelity: str, simulated: re.Match[str] | None) -> str | None:
    if simulated:
        return simulated["model"]
    return fidelity.removeprefix("mlip:") if fidelity.startswith("mlip:") else None


def _method(info: dict[str, Any], known: re.Match[str] | None) -> Method:
    hubbard = info.get("hubbard")
    return Method(
        engine=known["engine"] if known else str(info.get("engine", "extxyz")).lower(),
        functional=known["functional"] if known else str(info.get("functional", UNKNOWN)).lower(),
        hubbard={str(k): float(v) for k, v in hubbard.items()} if isinstance(hubbard, dict) else {},
        cutoff=float(info["cutoff"]) if "cutoff" in info else None,
        spin=bool(info.get("spin", False)),
    )


def _frame(atoms: Atoms) -> Frame:
    results = atoms.calc.results
    bare = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    return Frame(
        atoms=bare,
        energy=float(results["energy"]),
        forces=results.get("forces"),
        stress=atoms.get_stress(voigt=False) if results.get("stress") is not None else None,
    )
