"""Read a complete OUTCAR: the fallback where vasprun.xml is missing or broken."""

from __future__ import annotations

import io
import logging
import math
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from screening.training_data.calculation import (
    Calculation,
    CalculationDetails,
    CalculationUnreadable,
    Frame,
    Method,
    NotFinite,
)
from screening.training_data.frame_choice import keep_steps
from screening.validation.vasp.outputs.bands import without_band_forces
from screening.validation.vasp.outputs.marks import find_simulation
from screening.validation.vasp.outputs.method import (
    element_of,
    functional_name,
    hubbard_of_tags,
    method_of_inputs,
    potcar_labels,
)
from screening.validation.vasp.outputs.outcar_summary import OutcarSummary, outcar_text, summarize
from screening.validation.vasp.outputs.relaxation import (
    ALL_USED,
    RelaxationGoal,
    how_far,
    relaxation_of,
    was_asked_to_stop,
    why_not_relaxed,
    word_counts,
)
from screening.validation.vasp.outputs.switches import whole

logger = logging.getLogger(__name__)

TAGS = (
    "ENCUT|ISPIN|NSW|IBRION|ISIF|PSTRESS|EDIFF|EDIFFG|NELECT|GGA|METAGGA|IVDW|LVDW|LUSE_VDW|LHFCALC|HFSCREEN|NELM"
    "|IMAGES|LDAU|ICHARG"
)
LISTS = "LDAUL|LDAUU|LDAUJ"
U_BLOCK = "LDA+U is selected"
HALF_DIGIT = 0.051  # eV; half of the last digit that VASP lists
STARS = re.compile(r"\*{2,}")
COLUMNS = 6  # of a row of positions and forces, of a lattice vector and its reciprocal, of a stress


class _NamedText(io.StringIO):
    """Text with the name that ASE asks a file for; a folder of it does not exist, so that ASE looks nowhere else."""

    name = "none/OUTCAR"


def read_outcar(folder: Path, path: Path) -> Calculation:
    """Calculation of an OUTCAR that VASP ended itself; a cut one is refused, since its last step may be half a step.

    Raises
    ------
    CalculationUnreadable
        When OUTCAR is incomplete or cannot be parsed.
    NotFinite
        When the numbers that count are ``****`` or NaN.
    """
    text = outcar_text(path)
    summary = summarize(text)
    if not summary.complete:
        raise CalculationUnreadable(f"{path.name} is incomplete: VASP was stopped before it ended")
    simulation = find_simulation(folder, outcar=path)
    tags = _tags(text)
    inputs = _inputs(folder, needed=simulation is not None)
    method = inputs if simulation else _method(text, summary, tags, inputs)
    relaxation = None if simulation is not None else relaxation_of(tags)
    frames = _frames(path, text)
    if len(frames) != len(summary.electronic):
        raise CalculationUnreadable(
            f"{path.name} holds {len(frames)} structures and {len(summary.electronic)} energies"
        )
    electronic = [True] * len(frames) if simulation is not None else list(summary.electronic)
    kept = keep_steps(frames, electronic, relaxation=relaxation is not None)
    not_relaxed = None
    if relaxation is not None:
        energies = list(summary.free_energies[: kept.positions[-1] + 1])
        reason = _why_not_relaxed(relaxation, kept.frames[-1], energies, folder, summary, tags)
        if reason is not None:
            stopped = was_asked_to_stop(tags, folder, summary.ending)
            not_relaxed = how_far(relaxation, reason, len(frames), stopped=stopped)
    calculation = Calculation(
        source=str(folder),
        method=method,
        frames=kept.frames,
        electronic_converged=kept.electronic_converged,
        ionic_converged=None if relaxation is None else not_relaxed is None,
        charge=_charge(text, tags),
        magnetic_moments=magnetic_moments(path, len(frames[-1].atoms)) if method.spin and not simulation else None,
        simulated_by=simulation.model if simulation else None,
        details=CalculationDetails(
            ionic_steps=len(frames),
            icharg=whole(tags, "ICHARG", 0),
            simulation_marks=tuple(simulation.marks) if simulation else (),
            files=(str(path),),
            unconverged_steps=kept.unconverged_steps,
            warnings=kept.warnings,
            not_relaxed=not_relaxed,
        ),
    )
    return without_band_forces(calculation) if whole(tags, "IMAGES", 0) > 0 else calculation


def _inputs(folder: Path, *, needed: bool) -> Method:
    """Method of the inputs beside an OUTCAR, which says more itself: broken ones cost nothing unless `needed`."""
    try:
        return method_of_inputs(folder.parent if folder.name.isdigit() else folder)
    except CalculationUnreadable as error:
        if needed:
            raise
        logger.debug("the inputs in %s are not used: %s", folder, error)
        return Method(engine="vasp", functional="")


def magnetic_moments(outcar: Path | None, n_atoms: int) -> NDArray[Any] | None:
    """Moment of each atom, Bohr magnetons, (N,); None when OUTCAR does not list them as numbers."""
    from pymatgen.io.vasp.outputs import Outcar

    if outcar is None:
        return None
    try:
        rows = Outcar(outcar).magnetization
        moments = np.array([float(row["tot"]) for row in rows if not isinstance(row["tot"], str)])
    except Exception as error:  # the moments are a by-product: pymatgen's complaint must not cost the calculation
        logger.warning("%s: the magnetic moments cannot be read (%s)", outcar, error)
        return None
    return moments if len(moments) == n_atoms and np.isfinite(moments).all() else None


def _frames(path: Path, text: str) -> list[Frame]:
    from ase.io import read
    from ase.stress import voigt_6_to_full_3x3_stress

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            images = read(_NamedText(_with_nan(text)), index=":", format="vasp-out")
        frames = []
        for image in images:
            results = image.calc.results
            stress = results.get("stress")
            stress = None if stress is None else voigt_6_to_full_3x3_stress(stress)
            atoms = image.copy()
            atoms.calc = None
            frames.append(Frame(atoms=atoms, energy=float(results["energy"]), forces=results["forces"], stress=stress))
    except Exception as error:  # ASE raises whatever the broken place happens to raise
        raise CalculationUnreadable(f"{path.name} cannot be parsed ({error})") from error
    if not frames:
        raise CalculationUnreadable(f"{path.name} holds no finished ionic step")
    return frames


def _with_nan(text: str) -> str:
    """The same text with NaN for ``****``, of which two columns may touch: such a row becomes NaN as a whole."""
    if "**" not in text:
        return text
    lines = text.split("\n")
    table = False
    for number, line in enumerate(lines):
        if "POSITION  " in line or "direct lattice vectors" in line:
            table = True
        elif table and line.strip() and not re.fullmatch(r"[-\s]*|[-+.\d\sEe*]*|.*nan.*", line, re.IGNORECASE):
            table = False
        if "**" in line:
            lines[number] = STARS.sub(" nan ", line)
            if table and len(lines[number].split()) < COLUMNS:
                lines[number] = " nan" * COLUMNS
            elif "in kB" in line:
                lines[number] = "  in kB " + " nan" * COLUMNS
    return "\n".join(lines)


def _why_not_relaxed(
    relaxation: RelaxationGoal,
    final: Frame,
    energies: list[float],
    folder: Path,
    summary: OutcarSummary,
    tags: dict[str, Any],
) -> str | None:
    """OUTCAR says itself whether the goal was reached; forces far above it are another word than that."""
    free = _selective_dynamics(folder, len(final.atoms))
    reason = why_not_relaxed(relaxation, final, energies, free)
    if not summary.reached_accuracy:
        return reason or (ALL_USED if len(summary.electronic) >= relaxation.max_steps else None)
    if reason is None or whole(tags, "IMAGES", 0) > 0 or word_counts(relaxation, final, free):
        return None
    known = free is not None or any((folder / name).is_file() for name in ("CONTCAR", "POSCAR"))
    return f"{reason}, although OUTCAR says that it reached the required accuracy" if known else None


def _selective_dynamics(folder: Path, n_atoms: int) -> NDArray[np.bool_] | None:
    """Flags (N, 3) of the structure beside an OUTCAR, which does not repeat them; None without."""
    from pymatgen.io.vasp.inputs import Poscar

    for name in ("CONTCAR", "POSCAR"):
        path = folder / name
        try:
            flags = Poscar.from_file(path, check_for_potcar=False).selective_dynamics if path.is_file() else None
        except Exception as error:  # pymatgen raises whatever the broken place happens to raise
            logger.debug("%s is not used: %s", path, error)
            continue
        if flags is not None and np.shape(flags) == (n_atoms, 3):
            return np.array(flags, dtype=bool)
    return None


def _tags(text: str) -> dict[str, Any]:
    """The parameters OUTCAR prints that decide the method; the first value of each counts.

    U values count where VASP says that it uses them: an OUTCAR may begin with the INCAR and its switched-off values.
    """
    found: dict[str, Any] = {}
    for name, value in re.findall(rf"^\s*({TAGS})\s*=\s*([^\s;]+)", text, re.MULTILINE):
        try:
            found.setdefault(name, float(value))
        except ValueError:
            found.setdefault(name, value)
    return {**found, **_lists(text)}


def _lists(text: str) -> dict[str, Any]:
    """U values: the first that are listed, with LDAU on where VASP says so itself."""
    found: dict[str, Any] = {"LDAU": True} if U_BLOCK in text else {}
    for name, values in re.findall(rf"\b({LISTS})\s*=\s*([-+\d.*eE \t]+)", text):
        found.setdefault(name, values.strip())
    return found


def _hubbard(text: str, tags: dict[str, Any], symbols: list[str], inputs: Method) -> dict[str, float]:
    """U that VASP says it uses; its listing has one decimal, so that an INCAR which agrees with it is more exact."""
    start = text.find(U_BLOCK)
    if start < 0:
        return hubbard_of_tags(tags, symbols)
    used = hubbard_of_tags(_lists(text[start:]), symbols)
    exact = inputs.hubbard
    if any(abs(u - _echoed(tags, symbols).get(symbol, math.inf)) < HALF_DIGIT for symbol, u in used.items()):
        exact = _echoed(tags, symbols)
    return {
        symbol: exact[symbol] if abs(u - exact.get(symbol, math.inf)) < HALF_DIGIT else u for symbol, u in used.items()
    }


def _echoed(tags: dict[str, Any], symbols: list[str]) -> dict[str, float]:
    try:
        return hubbard_of_tags(tags, symbols)
    except CalculationUnreadable as error:
        logger.debug("the INCAR in OUTCAR is not used: %s", error)
        return {}


def _method(text: str, summary: OutcarSummary, tags: dict[str, Any], inputs: Method) -> Method:
    return Method(
        engine="vasp",
        functional=functional_name(tags, summary.titles),
        hubbard=_hubbard(text, tags, [element_of(title) for title in summary.titles], inputs),
        cutoff=float(tags["ENCUT"]) if "ENCUT" in tags else None,
        potentials=potcar_labels(summary.titles),
        kpoints=inputs.kpoints,
        spin=whole(tags, "ISPIN", 1) == 2,
    )


def _charge(text: str, tags: dict[str, Any]) -> float:
    """Net charge from NELECT, the valences (ZVAL) and the number of ions of each type; 0 when one is not printed."""
    counts = re.search(r"ions per type =\s*([\d ]+)", text)
    valences = re.search(r"Ionic Valenz\s*\n\s*ZVAL\s*=\s*([\d. ]+)", text)
    if counts is None or valences is None or "NELECT" not in tags:
        return 0.0
    try:
        electrons = float(tags["NELECT"])
    except ValueError as error:
        raise NotFinite(f"NELECT is {tags['NELECT']} in OUTCAR, so that the charge is unknown") from error
    pairs = zip(valences.group(1).split(), counts.group(1).split(), strict=False)
    charge = sum(float(valence) * int(count) for valence, count in pairs) - electrons
    return 0.0 if abs(charge) < 1e-4 else round(charge, 4)
