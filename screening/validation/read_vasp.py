"""Read a VASP calculation: vasprun.xml, or OUTCAR where vasprun.xml is missing or broken."""

from __future__ import annotations

import json
import warnings
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from screening.validation.calculation import Calculation, CalculationUnreadable, Frame
from screening.validation.read_outcar import magnetic_moments, read_outcar
from screening.validation.vasp_marks import Simulation, find_simulation
from screening.validation.vasp_method import method_of_inputs, method_of_vasprun

if TYPE_CHECKING:
    from pymatgen.io.vasp.outputs import Vasprun

KBAR = 0.1 / 160.21766208  # eV/A^3
SUFFIXES = ("", ".gz", ".bz2", ".xz")
SIDE_BY_SIDE = "vasprun.xml", "OUTCAR"
JOB_FILE = "job.json"  # what a job stands for, beside its inputs


def read_vasp(folder: Path) -> list[Calculation]:
    """Calculation of a folder, or one per image of a band, in order.

    Raises
    ------
    CalculationUnreadable
        When the outputs are missing, cut or hold no finished step.
    """
    images = image_folders(folder)
    if images:
        return _read_band(folder, images)
    vasprun, outcar = (present(folder / name) for name in SIDE_BY_SIDE)
    return [read_files(folder, vasprun=vasprun, outcar=outcar)]


def read_files(folder: Path, *, vasprun: Path | None, outcar: Path | None) -> Calculation:
    """Calculation of the given output files; the inputs beside them are in `folder`.

    Raises
    ------
    CalculationUnreadable
        With what is wrong with each of the two files.
    """
    if vasprun is None and outcar is None:
        raise CalculationUnreadable("there is no vasprun.xml and no OUTCAR: the job was not run")
    reasons = []
    if vasprun is not None:
        try:
            return _read_vasprun(folder, vasprun, outcar)
        except CalculationUnreadable as error:
            reasons.append(str(error))
    if outcar is not None:
        try:
            calculation = read_outcar(folder, outcar)
        except CalculationUnreadable as error:
            reasons.append(str(error))
        else:
            calculation.details["warnings"] = [*reasons, "read from OUTCAR"] if reasons else []
            return calculation
    raise CalculationUnreadable("; ".join(reasons))


def image_folders(folder: Path) -> list[Path]:
    """Folders 00, 01, ... of a band, in order; empty when this is no band."""
    found = [path for path in folder.iterdir() if path.is_dir() and path.name.isdigit() and len(path.name) == 2]
    found.sort()
    expected = [f"{i:02d}" for i in range(len(found))]
    return found if len(found) >= 3 and [path.name for path in found] == expected else []


def present(path: Path) -> Path | None:
    """The file itself or a compressed one; None when there is none or it is empty."""
    candidates = (path.with_name(path.name + suffix) for suffix in SUFFIXES)
    return next((p for p in candidates if p.is_file() and p.stat().st_size > 0), None)


def _read_band(folder: Path, images: list[Path]) -> list[Calculation]:
    """Images of a band; VASP computes the inner ones only, the end points are taken from their own jobs."""
    calculations = []
    for position, image in enumerate(images):
        files = {name: present(image / file) for name, file in zip(("vasprun", "outcar"), SIDE_BY_SIDE, strict=True)}
        end = position in (0, len(images) - 1)
        place = _end_job(folder, first=position == 0) if end and not any(files.values()) else None
        try:
            calculation = read_vasp(place)[-1] if place else read_files(image, **files)
        except CalculationUnreadable as error:
            advice = ": it is the end point, put the OUTCAR of its own job there" if end and not place else ""
            raise CalculationUnreadable(f"image {image.name}: {error}{advice}") from error
        real_band = calculation.simulated_by is None and place is None
        calculations.append(_without_band_forces(calculation) if real_band else calculation)
    return calculations


def _end_job(folder: Path, *, first: bool) -> Path | None:
    """Folder of the job that relaxed an end point, from the job.json that lies beside a band's inputs."""
    path = folder / JOB_FILE
    if not path.is_file():
        return None
    try:
        job = json.loads(path.read_text(encoding="utf-8"))
        root = folder.resolve().parents[len(Path(job["name"]).parts) - 1]
        place = root / job["after"][0 if first else -1]
    except (ValueError, KeyError, TypeError, IndexError):
        return None
    return place if place.is_dir() else None


def _without_band_forces(calculation: Calculation) -> Calculation:
    """VASP's forces on an image may hold the springs' part (VTST prints the projected ones): only energies are kept."""
    frames = tuple(Frame(atoms=frame.atoms, energy=frame.energy) for frame in calculation.frames)
    fields = {name: getattr(calculation, name) for name in calculation.__dataclass_fields__}
    return Calculation(**{**fields, "frames": frames})


def _read_vasprun(folder: Path, path: Path, outcar: Path | None) -> Calculation:
    run = _parse(path)
    tags: dict[str, Any] = {**run.parameters, **run.incar}
    simulation = find_simulation(folder, generator=run.generator, parameters=tags, outcar=outcar)
    limit = int(run.parameters.get("NELM", 60))
    done = [len(step["electronic_steps"]) < limit for step in run.ionic_steps]
    if tags.get("ALGO") == "Exact" or simulation is not None:
        done = [True] * len(done)
    steps = [step for step, converged in zip(run.ionic_steps, done, strict=True) if converged] or run.ionic_steps[-1:]
    frames = tuple(_frame(step, run) for step in steps)
    relaxes = int(tags.get("NSW", 0)) > 1 and int(tags.get("IBRION", -1)) in (1, 2, 3)
    moments = None if simulation is not None or not run.is_spin else magnetic_moments(outcar, len(frames[-1].atoms))
    return Calculation(
        source=str(folder),
        method=_method(folder, run, simulation),
        frames=frames,
        electronic_converged=done[-1],
        ionic_converged=bool(run.converged_ionic) if relaxes else None,
        charge=_charge(path, run),
        band_gap=_band_gap(run),
        magnetic_moments=moments,
        simulated_by=simulation.model if simulation else None,
        details={
            "version": str(run.vasp_version).strip(),
            "ionic_steps": len(run.ionic_steps),
            "electronic_steps": sum(len(step["electronic_steps"]) for step in run.ionic_steps),
            "unconverged_steps": done.count(False),
            "simulation_marks": list(simulation.marks) if simulation else [],
            "files": [str(p) for p in (path, outcar) if p is not None],
        },
    )


def _method(folder: Path, run: Vasprun, simulation: Simulation | None) -> Any:
    if simulation is not None and simulation.model != "vasp-ml-ff":
        return method_of_inputs(folder.parent if folder.name.isdigit() else folder)
    return method_of_vasprun(run)


def _parse(path: Path) -> Vasprun:
    from pymatgen.io.vasp.outputs import Vasprun

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            run = Vasprun(path, parse_dos=False, parse_eigen=True, parse_potcar_file=False)
    except Exception as error:  # pymatgen raises whatever the broken place happens to raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CalculationUnreadable(f"{path.name} is cut or broken ({reason})") from error
    whole = [step for step in run.ionic_steps if step.get("electronic_steps") and "forces" in step]
    if not whole or "e_fr_energy" not in whole[-1]:
        raise CalculationUnreadable(f"{path.name} holds no finished ionic step")
    run.ionic_steps = whole
    return run


def _frame(step: dict[str, Any], run: Vasprun) -> Frame:
    """Structure, energy (sigma -> 0), forces and stress of one ionic step.

    VASP writes a wrong ``e_0_energy`` per ionic step in some versions (pymatgen's `Vasprun.final_energy` explains
    it), so that the entropy term comes from the last electronic step; PSTRESS adds a pressure-volume term to it.
    """
    from pymatgen.io.ase import AseAtomsAdaptor

    last, structure = step["electronic_steps"][-1], step["structure"]
    entropy = float(last.get("e_0_energy", 0.0)) - float(last.get("e_fr_energy", 0.0))
    pressure = float(run.parameters.get("PSTRESS") or 0.0) * KBAR
    atoms = AseAtomsAdaptor.get_atoms(structure, msonable=False)
    atoms.info.clear()
    stress = step.get("stress")
    return Frame(
        atoms=atoms,
        energy=float(step["e_fr_energy"]) + entropy - pressure * float(structure.volume),
        forces=np.array(step["forces"], dtype=float),
        stress=None if stress is None or len(stress) == 0 else -np.array(stress, dtype=float) * KBAR,
    )


def _band_gap(run: Vasprun) -> float | None:
    if not run.eigenvalues:
        return None
    gap = run.eigenvalue_band_properties[0]
    assert isinstance(gap, float)  # a pair only with separate_spins
    return float(gap)


def _charge(path: Path, run: Vasprun) -> float:
    """Net charge from NELECT and the valences that vasprun.xml lists; 0 when it lists none."""
    electrons = run.parameters.get("NELECT")
    valences = _valences(path)
    if electrons is None or not any(valences):
        return 0.0
    charge = sum(valences) - float(electrons)
    return 0.0 if abs(charge) < 1e-4 else round(charge, 4)


def _valences(path: Path) -> list[float]:
    """Valence of each atom; pymatgen does not read this column of ``atomtypes``."""
    from lxml import etree
    from monty.io import zopen

    types: list[float] = []
    counts: Counter[int] = Counter()
    with zopen(path, mode="rb") as file:
        for _, element in etree.iterparse(file, events=["end"], tag=["atominfo"]):
            for row in element.findall("array[@name='atoms']/set/rc"):
                cells = row.findall("c")
                counts[int(cells[1].text) if len(cells) > 1 else 0] += 1
            types = [float(row.findall("c")[3].text) for row in element.findall("array[@name='atomtypes']/set/rc")]
            break
    return [valence for kind, valence in enumerate(types, start=1) for _ in range(counts[kind])]
