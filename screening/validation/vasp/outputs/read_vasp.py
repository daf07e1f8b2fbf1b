"""Read a VASP calculation: vasprun.xml, or OUTCAR where vasprun.xml is missing or broken."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path

from screening.files import read_received
from screening.inside import is_below, lies_in
from screening.training_data.calculation import Calculation, CalculationUnreadable, NotFinite
from screening.validation.vasp.outputs.bands import (
    JOB_FILE,
    OUTPUTS,
    image_folders,
    present,
    why_no_band,
    without_band_forces,
)
from screening.validation.vasp.outputs.other_outputs import why_no_output
from screening.validation.vasp.outputs.outcar_summary import OutcarSummary, outcar_text, summarize
from screening.validation.vasp.outputs.read_outcar import read_outcar
from screening.validation.vasp.outputs.read_vasprun import read_vasprun
from screening.validation.vasp.outputs.relaxation import KBAR

SAME_ENERGY = 1e-3  # eV; both files hold at least five decimals of the same number


def read_vasp(folder: Path) -> list[Calculation]:
    """Calculation of a folder, or one per image of a band, in order.

    Raises
    ------
    CalculationUnreadable
        When the outputs are missing, cut or hold no finished step.
    """
    if (reason := why_no_band(folder)) is not None:
        raise CalculationUnreadable(reason)
    images = image_folders(folder)
    if images:
        return _read_band(folder, images)
    vasprun, outcar = (present(folder / name) for name in OUTPUTS)
    return [read_files(folder, vasprun=vasprun, outcar=outcar)]


def read_files(folder: Path, *, vasprun: Path | None, outcar: Path | None) -> Calculation:
    """Calculation of the given output files; the inputs beside them are in `folder`.

    Raises
    ------
    CalculationUnreadable
        With what is wrong with each of the two files, or with how they differ.
    """
    if vasprun is None and outcar is None:
        raise CalculationUnreadable(
            why_no_output(folder) or "there is no vasprun.xml and no OUTCAR: the job was not run"
        )
    reasons = []
    if vasprun is not None:
        try:
            return _read_both(folder, vasprun, outcar)
        except NotFinite:
            raise  # OUTCAR holds the same numbers in fewer digits
        except CalculationUnreadable as error:
            if outcar is None or isinstance(error, FilesDisagree):
                raise
            reasons.append(str(error))
    assert outcar is not None
    try:
        calculation = read_outcar(folder, outcar)
    except CalculationUnreadable as error:
        raise CalculationUnreadable("; ".join([*reasons, str(error)])) from error
    if reasons:
        return calculation.warned(*reasons, "read from OUTCAR", first=True)
    return calculation


class FilesDisagree(CalculationUnreadable):
    """A vasprun.xml and an OUTCAR that are not of one run."""


def _read_both(folder: Path, vasprun: Path, outcar: Path | None) -> Calculation:
    """The calculation of vasprun.xml, held against the OUTCAR beside it."""
    summary, note = None, ""
    if outcar is not None:
        try:
            summary = summarize(outcar_text(outcar))
        except CalculationUnreadable as error:
            note = f"{error}; only {vasprun.name} was used"
    calculation = read_vasprun(folder, vasprun, outcar, summary)
    if calculation.simulated_by is not None or outcar is None:
        return calculation
    notes = [note] if note else []
    if summary is not None and not summary.complete:
        notes.append(f"{outcar.name} beside it is incomplete and was not compared")
    elif summary is not None:
        differences = _differences(calculation, summary)
        if differences:
            raise FilesDisagree(
                f"{vasprun.name} and {outcar.name} are of different runs: {'; '.join(differences)}; "
                "keep those of one run together"
            )
        notes += _other_words(calculation, summary, outcar.name)
    return calculation.warned(*notes)


def _differences(calculation: Calculation, summary: OutcarSummary) -> list[str]:
    """In what the two files of a run differ, the number in vasprun.xml first."""
    found = []
    atoms = calculation.atoms
    composition = Counter(atoms.get_chemical_symbols())
    if summary.composition and composition != summary.composition:
        found.append(f"species {_formula(composition)} and {_formula(summary.composition)}")
    if not calculation.details.ordinary:
        return found
    steps = calculation.details.ionic_steps
    if steps != len(summary.free_energies):
        found.append(f"{steps} and {len(summary.free_energies)} ionic steps")
    mine, other = calculation.details.free_energy, (summary.free_energies or (math.nan,))[-1]
    work = calculation.details.pressure * KBAR * float(atoms.get_volume())
    if min(abs(mine - other), abs(mine - work - other)) > SAME_ENERGY:
        found.append(f"final energies {mine:.6f} and {other:.6f} eV")
    if calculation.electronic_converged and summary.electronic and not summary.electronic[-1]:
        found.append("the electrons of the last step converged and did not converge")
    if calculation.ionic_converged is False and summary.reached_accuracy:
        reason = calculation.details.not_relaxed or ""
        found.append(f"the relaxation did not converge ({reason}) and reached the required accuracy")
    return found


def _other_words(calculation: Calculation, summary: OutcarSummary, name: str) -> list[str]:
    if calculation.ionic_converged and not summary.reached_accuracy:
        return [f"{name} does not say that the relaxation reached the required accuracy; its numbers do"]
    return []


def _formula(composition: Counter[str]) -> str:
    return "".join(f"{symbol}{count if count > 1 else ''}" for symbol, count in sorted(composition.items()))


def _read_band(folder: Path, images: list[Path]) -> list[Calculation]:
    """Images of a band; VASP computes the inner ones only, the end points are taken from their own jobs."""
    calculations = []
    for position, image in enumerate(images):
        files = {name: present(image / file) for name, file in zip(("vasprun", "outcar"), OUTPUTS, strict=True)}
        end = position in (0, len(images) - 1)
        place = _end_job(folder, first=position == 0) if end and not any(files.values()) else None
        try:
            calculation = read_vasp(place)[-1] if place else read_files(image, **files)
        except CalculationUnreadable as error:
            advice = ": it is the end point, put the OUTCAR of its own job there" if end and not place else ""
            raise CalculationUnreadable(f"image {image.name}: {error}{advice}") from error
        real_band = calculation.simulated_by is None and place is None
        calculations.append(without_band_forces(calculation) if real_band else calculation)
    return calculations


def _end_job(folder: Path, *, first: bool) -> Path | None:
    """Folder of the job that relaxed an end point, from the job.json that lies beside a band's inputs."""
    path = folder / JOB_FILE
    if not path.is_file():
        return None
    try:
        job = json.loads(read_received(path))
        name, after = job["name"], job["after"][0 if first else -1]
        root = folder.resolve().parents[len(Path(name).parts) - 1]
        # a received job.json must not lead to what was not received
        if not (is_below(name) and lies_in(root, after)):
            return None
    except (ValueError, KeyError, TypeError, IndexError):
        return None
    return root / after if (root / after).is_dir() else None
