"""Whether a calculation may stand for the validation settings: what refuses it, and what is only flagged."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from screening.errors import UserError
from screening.flags import flag
from screening.training_data.calculation import Calculation, Method
from screening.validation.ingest.read_extxyz import UNKNOWN
from screening.validation.programs import available_settings, load_validation_settings
from screening.validation.protocols import ValidationSettings
from screening.validation.vasp.outputs.method import label_symbol

U_TOLERANCE = 0.01  # eV
CUTOFF_TOLERANCE = 1.0  # eV
FIXED_DENSITY = 10  # ICHARG from here on keeps the density that was read


@dataclass(frozen=True)
class Findings:
    """What is wrong with a calculation under some settings.

    Attributes
    ----------
    refusals
        Reasons for which its energy is on another scale or no energy at all: it must not be used.
    flags
        Differences that change numbers little: it may be used, and the difference is kept with it.
    """

    refusals: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


def check_convergence(calculation: Calculation) -> Findings:
    """Refuse what is not converged or not finite; steps that were left out are flagged."""
    refusals, flags = [], []
    if not calculation.electronic_converged:
        refusals.append("the electronic steps did not converge")
    if calculation.ionic_converged is False:
        why = (
            calculation.details.not_relaxed
            or f"{calculation.details.ionic_steps or len(calculation.frames)} ionic steps"
        )
        refusals.append(f"the relaxation did not converge ({why})")
    if (icharg := calculation.details.icharg) >= FIXED_DENSITY:
        refusals.append(f"its density was kept fixed (ICHARG = {icharg}), as for bands and states: not its own energy")
    if "energy" in calculation.final.not_finite:
        refusals.append(f"its energy is {calculation.energy} eV")
    elif calculation.not_finite:
        refusals.append(f"no finite number: {', '.join(calculation.not_finite)}")
    if refusals:  # what was left out while reading is said with the refusal, since its notes are not shown
        refusals += calculation.details.warnings
    dropped = calculation.details.unconverged_steps
    if dropped and calculation.electronic_converged:
        flags.append(flag("left_out_{n}_unconverged_steps", n=dropped))
    return Findings(tuple(refusals), tuple(flags))


def check_method(calculation: Calculation, settings: ValidationSettings, job: dict[str, Any] | None = None) -> Findings:
    """Compare a calculation with what the settings prescribe for its atoms, and with its job in the manifest.

    An energy with other U values, another functional, other POTCARs, a lower cutoff or, where an element has a U,
    without spin is on another scale and refused. A higher cutoff, other k-points, and a missing spin of closed shells
    are flagged. What the files do not say is flagged as unknown.
    """
    expected, found = settings.expected(calculation.atoms), calculation.method
    refusals, flags = [], []
    if expected.engine != found.engine:
        refusals.append(f"it was made with {found.engine}, {settings.name} stands for {expected.engine}")
    if expected.functional != found.functional:
        refusals.append(f"the functional is {found.functional}, {settings.name} has {expected.functional}")
    for element, (wanted, value) in _differences(expected.hubbard, found.hubbard).items():
        refusals.append(f"U of {element} is {value:g} eV, {settings.name} has {wanted:g} eV")
    if expected.basis != found.basis:
        refusals.append(f"the basis is {found.basis}, {settings.name} has {expected.basis}")
    if expected.cutoff is not None and found.cutoff is None:
        flags.append(flag("cutoff_unknown"))
    elif expected.cutoff is not None and found.cutoff is not None:
        if found.cutoff < expected.cutoff - CUTOFF_TOLERANCE:
            refusals.append(f"the cutoff is {found.cutoff:g} eV, {settings.name} has {expected.cutoff:g} eV")
        elif found.cutoff > expected.cutoff + CUTOFF_TOLERANCE:
            flags.append(flag("cutoff_{cutoff}_eV", cutoff=f"{found.cutoff:g}"))
    refusals += _potcar_mismatches(expected, calculation, settings.name)
    if expected.potentials and not found.potentials:
        flags.append(flag("potentials_unknown"))
    if expected.spin and not found.spin:
        reason = "it is not spin-polarised"
        refusals += [reason] if expected.hubbard else []
        flags += [] if expected.hubbard else [flag("no_spin")]
    grid = tuple(job["kpoints"]) if job and job.get("kpoints") else expected.kpoints
    if grid is not None and found.kpoints is not None and tuple(found.kpoints) != grid:
        flags.append(flag("kpoints_{grid}", grid="x".join(map(str, found.kpoints))))
    if job is not None:
        refusals += _job_mismatches(calculation, job)
    return Findings(tuple(refusals), tuple(flags))


def check_settings_name(calculation: Calculation, name: str) -> Findings:
    """Refuse frames of this program's own training set that were made with other settings than those named."""
    if calculation.settings == name:
        return Findings()
    return Findings((f"it is of the settings {calculation.settings}, not of {name}",))


def as_settings(calculation: Calculation, settings: ValidationSettings) -> Calculation:
    """A calculation whose file does not name its method, taken on the user's word as made with `settings`."""
    if calculation.method.functional != UNKNOWN:
        return calculation
    told = "its file does not say the method: taken as told"
    method = settings.expected(calculation.atoms)
    return replace(calculation.warned(told), method=method, settings=settings.name)


def match_settings(calculation: Calculation) -> tuple[ValidationSettings | None, str]:
    """Shipped settings that a calculation agrees with, or None and the reason.

    With several, those with the fewest flags count; a tie is left to the user.
    """
    if calculation.method.functional == UNKNOWN:
        return None, "its file does not say the method; name the settings it was made with: --settings NAME"
    verdicts: list[tuple[ValidationSettings, Findings]] = []
    for name in available_settings():
        settings = load_validation_settings(name)
        if settings.engine == calculation.method.engine:
            try:
                verdicts.append((settings, check_method(calculation, settings)))
            except UserError as error:
                verdicts.append((settings, Findings((str(error).rstrip("."),))))
    good = sorted((len(v.flags), s.name, s) for s, v in verdicts if not v.refusals)
    if len(good) > 1 and good[0][0] == good[1][0]:
        names = " and ".join(name for flags, name, _ in good if flags == good[0][0])
        return None, f"it agrees with {names}; choose with --settings NAME"
    if good:
        return good[0][2], ""
    reasons = "; ".join(v.refusals[0] for _, v in verdicts)
    told = f" ({reasons})" if reasons else ""
    advice = "give your settings file with --settings, or keep it under its own method with --accept-method"
    return None, f"it agrees with no known settings{told}; {advice}"


def own_settings_name(method: Method) -> str:
    """Name for a method that no settings stand for: ``own-`` and a hash of what decides its energy scale."""
    decisive = [method.engine, method.functional, method.basis, method.cutoff]
    text = json.dumps([*decisive, sorted(method.hubbard.items()), sorted(method.potentials.items()), method.spin])
    return "own-" + hashlib.sha256(text.encode()).hexdigest()[:8]


def _differences(wanted: dict[str, float], found: dict[str, float]) -> dict[str, tuple[float, float]]:
    pairs = {element: (wanted.get(element, 0.0), found.get(element, 0.0)) for element in sorted({*wanted, *found})}
    return {element: pair for element, pair in pairs.items() if abs(pair[0] - pair[1]) > U_TOLERANCE}


def _potcar_mismatches(expected: Method, calculation: Calculation, name: str) -> list[str]:
    found = calculation.method.potentials
    present = set(calculation.atoms.get_chemical_symbols())
    return [
        f"the POTCAR of {element} is {found[element]}, {name} has {label}"
        for element, label in sorted(expected.potentials.items())
        if element in present and element in found and not _same_label(label, found[element])
    ]


def _same_label(one: str, other: str) -> bool:
    """Whole titles are compared where both are whole; a bare symbol such as ``Li_sv`` stands for any release."""
    words: Sequence[list[str]] = [one.split(), other.split()]
    if min(map(len, words)) > 1:
        return all(a == b for a, b in zip(*words, strict=False))
    return label_symbol(one) == label_symbol(other)


def _job_mismatches(calculation: Calculation, job: dict[str, Any]) -> list[str]:
    reasons = []
    formula = calculation.atoms.get_chemical_formula()
    if job.get("n_atoms") is not None and int(job["n_atoms"]) != len(calculation.atoms):
        reasons.append(f"it has {len(calculation.atoms)} atoms ({formula}), its job {job['n_atoms']}")
    if calculation.simulated_by is None and abs(float(job.get("charge") or 0) - calculation.charge) > 1e-3:
        reasons.append(f"its charge is {calculation.charge:g}, its job has {job.get('charge') or 0:g}")
    return reasons
