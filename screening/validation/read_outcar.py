"""Read a complete OUTCAR: the fallback where vasprun.xml is missing or broken."""

from __future__ import annotations

import logging
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from screening.validation.calculation import Calculation, CalculationUnreadable, Frame, Method
from screening.validation.vasp_marks import find_simulation
from screening.validation.vasp_method import U_TOLERANCE, functional_name, method_of_inputs, potcar_labels

logger = logging.getLogger(__name__)

END_MARK = "General timing and accounting informations"
ELECTRONIC_DONE = "aborting loop because EDIFF is reached"
IONIC_DONE = "reached required accuracy"
STEP_ENERGY = "FREE ENERGIE OF THE ION-ELECTRON SYSTEM"


def read_outcar(folder: Path, path: Path) -> Calculation:
    """Calculation of an OUTCAR that VASP ended itself; a cut one is refused, since its last step may be half a step.

    Raises
    ------
    CalculationUnreadable
        When OUTCAR is incomplete or cannot be parsed.
    """
    text = _text(path)
    if END_MARK not in text:
        raise CalculationUnreadable(f"{path.name} is incomplete: VASP was stopped before it ended")
    simulation = find_simulation(folder, outcar=path)
    frames = _frames(path)
    tags = _tags(text)
    inputs = method_of_inputs(folder.parent if folder.name.isdigit() else folder)
    method = inputs if simulation else _method(text, tags, inputs)
    done = simulation is not None or text.count(ELECTRONIC_DONE) >= len(frames)
    moves = int(tags.get("NSW", 0)) > 1 and int(tags.get("IBRION", -1)) in (1, 2, 3)
    if simulation is not None:
        moves = False
    return Calculation(
        source=str(folder),
        method=method,
        frames=frames,
        electronic_converged=done,
        ionic_converged=(IONIC_DONE in text) if moves else None,
        charge=_charge(text, tags),
        magnetic_moments=magnetic_moments(path, len(frames[-1].atoms)) if method.spin and not simulation else None,
        simulated_by=simulation.model if simulation else None,
        details={
            "ionic_steps": len(frames),
            "simulation_marks": list(simulation.marks) if simulation else [],
            "files": [str(path)],
        },
    )


def magnetic_moments(outcar: Path | None, n_atoms: int) -> NDArray[Any] | None:
    """Moment of each atom, Bohr magnetons, (N,); None when OUTCAR does not list them."""
    from pymatgen.io.vasp.outputs import Outcar

    if outcar is None:
        return None
    try:
        rows = Outcar(outcar).magnetization
    except Exception as error:  # the moments are a by-product: pymatgen's complaint must not cost the calculation
        logger.warning("%s: the magnetic moments cannot be read (%s)", outcar, error)
        return None
    moments = np.array([float(row["tot"]) for row in rows if not isinstance(row["tot"], str)])
    return moments if len(moments) == n_atoms else None


def _text(path: Path) -> str:
    from monty.io import zopen

    try:
        with zopen(path, mode="rb") as file:
            return bytes(file.read()).decode("utf-8", errors="replace")
    except (OSError, EOFError) as error:
        raise CalculationUnreadable(f"{path.name} cannot be read ({error})") from error


def _frames(path: Path) -> tuple[Frame, ...]:
    from ase.io import read

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            images = read(path, index=":", format="vasp-out")
        frames = []
        for image in images:
            results = image.calc.results
            stress = image.get_stress(voigt=False) if results.get("stress") is not None else None
            atoms = image.copy()
            atoms.calc = None
            frames.append(Frame(atoms=atoms, energy=float(results["energy"]), forces=results["forces"], stress=stress))
    except Exception as error:  # ASE raises whatever the broken place happens to raise
        raise CalculationUnreadable(f"{path.name} cannot be parsed ({error})") from error
    if not frames:
        raise CalculationUnreadable(f"{path.name} holds no finished ionic step")
    return tuple(frames)


def _tags(text: str) -> dict[str, Any]:
    """The parameters OUTCAR prints that decide the method; the first value of each counts."""
    names = "ENCUT|ISPIN|NSW|IBRION|NELECT|GGA|METAGGA|IVDW|LHFCALC|HFSCREEN|NELM"
    found: dict[str, Any] = {}
    for name, value in re.findall(rf"^\s*({names})\s*=\s*([^\s;]+)", text, re.MULTILINE):
        try:
            found.setdefault(name, float(value))
        except ValueError:
            found.setdefault(name, value.upper().startswith(("T", ".T")) if name == "LHFCALC" else value)
    return found


def _method(text: str, tags: dict[str, Any], inputs: Method) -> Method:
    titles = [line.strip() for line in dict.fromkeys(re.findall(r"^\s*TITEL\s*=\s*(.+)$", text, re.MULTILINE))]
    if not titles:
        titles = list(dict.fromkeys(title.strip() for title in re.findall(r"^ POTCAR:\s+(.+)$", text, re.MULTILINE)))
    symbols = list(potcar_labels(titles))
    values = re.search(r"LDAUU\s*=\s*([-\d. \t]+)", text)
    exchange = re.search(r"LDAUJ\s*=\s*([-\d. \t]+)", text)
    us = [float(u) for u in values.group(1).split()] if values else []
    js = [float(j) for j in exchange.group(1).split()] if exchange else [0.0] * len(us)
    net = {symbol: u - j for symbol, u, j in zip(symbols, us, js, strict=False)}
    return Method(
        engine="vasp",
        functional=functional_name(tags, titles),
        hubbard={symbol: u for symbol, u in net.items() if abs(u) > U_TOLERANCE},
        cutoff=float(tags["ENCUT"]) if "ENCUT" in tags else None,
        potentials=potcar_labels(titles),
        kpoints=inputs.kpoints,
        spin=int(tags.get("ISPIN", 1)) == 2,
    )


def _charge(text: str, tags: dict[str, Any]) -> float:
    """Net charge from NELECT, the valences (ZVAL) and the number of ions of each type; 0 when one is not printed."""
    counts = re.search(r"ions per type =\s*([\d ]+)", text)
    valences = re.search(r"Ionic Valenz\s*\n\s*ZVAL\s*=\s*([\d. ]+)", text)
    if counts is None or valences is None or "NELECT" not in tags:
        return 0.0
    pairs = zip(valences.group(1).split(), counts.group(1).split(), strict=False)
    charge = sum(float(valence) * int(count) for valence, count in pairs) - float(tags["NELECT"])
    return 0.0 if abs(charge) < 1e-4 else round(charge, 4)
