"""Read a vasprun.xml, whole or not at all."""

from __future__ import annotations

import tempfile
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from screening.errors import first_line
from screening.training_data.calculation import (
    Calculation,
    CalculationDetails,
    CalculationUnreadable,
    Frame,
    Method,
    NotFinite,
)
from screening.training_data.frame_choice import Kept, keep_steps
from screening.validation.vasp.outputs.bands import without_band_forces
from screening.validation.vasp.outputs.marks import Simulation, find_simulation
from screening.validation.vasp.outputs.method import method_of_inputs, method_of_vasprun
from screening.validation.vasp.outputs.outcar_summary import OutcarSummary
from screening.validation.vasp.outputs.read_outcar import magnetic_moments
from screening.validation.vasp.outputs.relaxation import (
    ALL_USED,
    KBAR,
    RelaxationGoal,
    how_far,
    relaxation_of,
    was_asked_to_stop,
    why_not_relaxed,
    word_counts,
)
from screening.validation.vasp.outputs.switches import is_on, read_incar, real, reported_tags, whole
from screening.validation.vasp.outputs.vasprun_text import has_stars, text_of_vasprun, with_nan

if TYPE_CHECKING:
    from pymatgen.io.vasp.outputs import Vasprun

NELM = 60  # VASP's default
SAME = 1e-6  # eV
LINEAR_RESPONSE = (7, 8)  # IBRION
PHONONS = (5, 6, 7, 8)  # IBRION; steps and energies are not listed alike in both outputs


def read_vasprun(folder: Path, path: Path, outcar: Path | None, summary: OutcarSummary | None = None) -> Calculation:
    """Calculation of a vasprun.xml; the inputs beside it are in `folder`.

    Parameters
    ----------
    outcar
        OUTCAR of the same run, for the magnetic moments and for its word on how the run ended.
    summary
        What was read of that OUTCAR.

    Raises
    ------
    CalculationUnreadable
        When it is cut or broken, or holds no finished step.
    NotFinite
        When the numbers that count are ``****`` or NaN.
    """
    run = _parse(path)
    tags = reported_tags(run.parameters, run.incar)
    simulation = find_simulation(folder, generator=run.generator, parameters=tags, outcar=outcar)
    relaxation = relaxation_of(_with_goal(tags, folder))
    stopped = was_asked_to_stop(tags, folder, summary.ending if summary else "")
    steps = run.ionic_steps
    kept = keep_steps(
        [_frame(step, run) for step in steps],
        _electronic(steps, tags, simulation, stopped=stopped),
        relaxation=relaxation is not None,
    )
    not_relaxed = None
    if relaxation is not None:
        reason = _why_not_relaxed(run, relaxation, kept, summary, band=whole(tags, "IMAGES", 0) > 0)
        if reason is not None:
            not_relaxed = how_far(relaxation, reason, len(steps), stopped=stopped)
    details = CalculationDetails(
        version=str(run.vasp_version).strip(),
        ionic_steps=len(steps),
        free_energy=float(steps[-1]["e_fr_energy"]),
        icharg=whole(tags, "ICHARG", 0),
        pressure=real(tags, "PSTRESS", 0.0),
        ordinary=tags.get("ALGO") != "Exact" and whole(tags, "IBRION", -1) not in PHONONS,
        electronic_steps=sum(len(step["electronic_steps"]) for step in steps),
        simulation_marks=tuple(simulation.marks) if simulation else (),
        files=tuple(str(p) for p in (path, outcar) if p is not None),
        unconverged_steps=kept.unconverged_steps,
        warnings=kept.warnings,
        not_relaxed=not_relaxed,
    )
    calculation = Calculation(
        source=str(folder),
        method=_method(folder, run, simulation),
        frames=kept.frames,
        electronic_converged=kept.electronic_converged,
        ionic_converged=None if relaxation is None else not_relaxed is None,
        charge=_charge(path, run),
        band_gap=_band_gap(run),
        magnetic_moments=_moments(run, simulation, outcar, kept),
        simulated_by=simulation.model if simulation else None,
        details=details,
    )
    return without_band_forces(calculation) if whole(tags, "IMAGES", 0) > 0 else calculation


def _why_not_relaxed(
    run: Vasprun, relaxation: RelaxationGoal, kept: Kept, summary: OutcarSummary | None, *, band: bool
) -> str | None:
    """What is missing to the goal; for images and after the last of NSW steps OUTCAR's word counts, too."""
    energies = [float(step["e_fr_energy"]) for step in run.ionic_steps[: kept.positions[-1] + 1]]
    reason = why_not_relaxed(relaxation, kept.frames[-1], energies, _free(run))
    reached = summary is not None and summary.reached_accuracy
    if reason is None and not reached and len(run.ionic_steps) >= relaxation.max_steps:
        return ALL_USED
    if reached and (band or word_counts(relaxation, kept.frames[-1], _free(run))):
        return None  # the forces of an image may hold what the springs do
    return reason


def _with_goal(tags: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The tags with EDIFFG of the INCAR beside them, which other programs than VASP leave out of their vasprun.xml."""
    if "EDIFFG" in tags:
        return tags
    incar = read_incar(folder) or read_incar(folder.parent if folder.name.isdigit() else folder)
    return {**{name: incar[name] for name in ("EDIFF", "EDIFFG") if name in incar}, **tags}


def _electronic(
    steps: Sequence[dict[str, Any]], tags: dict[str, Any], simulation: Simulation | None, *, stopped: bool
) -> list[bool]:
    """Whether the electrons of each step converged: an electronic loop that used all of NELM did not."""
    if tags.get("ALGO") == "Exact" or simulation is not None:
        return [True] * len(steps)
    limit = whole(tags, "NELM", NELM)
    done = [len(step["electronic_steps"]) < limit for step in steps]
    energies = [float(loop.get("e_fr_energy", np.nan)) for loop in steps[-1]["electronic_steps"][-2:]]
    if stopped and len(energies) == 2 and abs(energies[1] - energies[0]) > real(tags, "EDIFF", 1e-4):
        done[-1] = False  # LABORT ends an electronic loop wherever it is
    return done


def _method(folder: Path, run: Vasprun, simulation: Simulation | None) -> Method:
    if simulation is not None and simulation.model != "vasp-ml-ff":
        return method_of_inputs(folder.parent if folder.name.isdigit() else folder)
    return method_of_vasprun(run)


def _parse(path: Path) -> Vasprun:
    try:
        run = _vasprun(path)
    except Exception as error:  # pymatgen raises whatever the broken place happens to raise
        run = _parse_with_nan(path, error)
    whole_steps = [step for step in run.ionic_steps if step.get("electronic_steps") and "forces" in step]
    if not whole_steps or "e_fr_energy" not in whole_steps[-1]:
        raise CalculationUnreadable(f"{path.name} holds no finished ionic step")
    run.ionic_steps = whole_steps
    tags = reported_tags(run.parameters, run.incar)
    if whole(tags, "IBRION", -1) in LINEAR_RESPONSE or any(is_on(tags.get(name)) for name in ("LEPSILON", "LCALCEPS")):
        for step in whole_steps:
            step["electronic_steps"] = _ground_state(step)
    return run


def _ground_state(step: dict[str, Any]) -> list[dict[str, Any]]:
    """The electronic loop of an ionic step without those of the linear response, which VASP lists behind it.

    Its last iteration is the one whose free energy the step has.
    """
    loops: list[dict[str, Any]] = step["electronic_steps"]
    energy = float(step.get("e_fr_energy", np.nan))
    own = [n for n, loop in enumerate(loops, start=1) if abs(float(loop.get("e_fr_energy", np.nan)) - energy) < SAME]
    return loops[: own[-1]] if own else loops


def _parse_with_nan(path: Path, error: Exception) -> Vasprun:
    """A second try where ``****`` may be what pymatgen stumbled over."""
    broken = CalculationUnreadable(f"{path.name} is cut or broken ({first_line(error)})")
    try:
        text = text_of_vasprun(path)
    except (OSError, EOFError):
        raise broken from error
    if not has_stars(text):
        raise broken from error
    with tempfile.TemporaryDirectory() as place:
        copy = Path(place) / "vasprun.xml"
        copy.write_bytes(with_nan(text).encode("iso-8859-1"))
        try:
            return _vasprun(copy)
        except SyntaxError as second:  # of the XML: it ends too early, and OUTCAR may be whole
            raise CalculationUnreadable(f"{path.name} is cut or broken ({second})") from second
        except Exception as second:
            raise NotFinite(f"{path.name} holds **** where a number is needed, or is broken ({second})") from error


def _vasprun(path: Path) -> Vasprun:
    from pymatgen.io.vasp.outputs import Vasprun

    class _Unjudged(Vasprun):
        """Without pymatgen's own word on convergence, which only warns and which an ALGO given as a number breaks."""

        converged = True

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _Unjudged(path, parse_dos=False, parse_eigen=True, parse_potcar_file=False)


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
    atoms.set_constraint()
    stress = step.get("stress")
    return Frame(
        atoms=atoms,
        energy=float(step["e_fr_energy"]) + entropy - pressure * float(structure.volume),
        forces=np.array(step["forces"], dtype=float),
        stress=None if stress is None or len(stress) == 0 else -np.array(stress, dtype=float) * KBAR,
    )


def _free(run: Vasprun) -> NDArray[np.bool_] | None:
    """Selective dynamics (N, 3), which vasprun.xml carries with its structures; None without."""
    flags = run.ionic_steps[-1]["structure"].site_properties.get("selective_dynamics")
    if flags is None:
        flags = run.initial_structure.site_properties.get("selective_dynamics")
    return None if flags is None else np.array(flags, dtype=bool)


def _moments(run: Vasprun, simulation: Simulation | None, outcar: Path | None, kept: Kept) -> NDArray[Any] | None:
    if simulation is not None or not run.is_spin:
        return None
    return magnetic_moments(outcar, len(kept.frames[-1].atoms))


def _band_gap(run: Vasprun) -> float | None:
    """None without eigenvalues, and where no empty band was computed, so that the gap is open upwards."""
    if not run.eigenvalues:
        return None
    gap = run.eigenvalue_band_properties[0]
    assert not isinstance(gap, tuple)  # a pair only with separate_spins; the whole number 0 for a metal
    return float(gap) if np.isfinite(gap) else None


def _charge(path: Path, run: Vasprun) -> float:
    """Net charge from NELECT and the valences that vasprun.xml lists; 0 when it lists none."""
    electrons = run.parameters.get("NELECT")
    valences = _valences(path)
    if electrons is None or not any(valences):
        return 0.0
    charge = sum(valences) - float(electrons)
    if not np.isfinite(charge):
        raise NotFinite(f"the number of electrons in {path.name} is no number, so that the charge is unknown")
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
