"""Take finished calculations into the data folder, and into the run that asked for them."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from screening.errors import UserError
from screening.validation.calculation import Calculation, CalculationUnreadable, fidelity_name
from screening.validation.check import (
    Verdict,
    as_settings,
    check_convergence,
    check_method,
    check_settings_name,
    match_settings,
)
from screening.validation.check import own_settings_name as own_name
from screening.validation.find import Found, find_calculations
from screening.validation.jobs import MANIFEST, Manifest, read_manifest
from screening.validation.library import DataLibrary, Outcome
from screening.validation.library_files import Accepted
from screening.validation.read_vasp import JOB_FILE
from screening.validation.settings import ValidationSettings, available_settings, load_validation_settings
from screening.validation.store_records import store_records

logger = logging.getLogger(__name__)

SHOWN = 5  # parts of a file or band that are named in one line

# names that an extended XYZ file would give back as numbers or truth values
LIKE_A_VALUE = re.compile(r"[TF]|true|false|[\d.eE+-]+", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class IngestOptions:
    """How calculations are judged.

    Attributes
    ----------
    settings
        Name or file of the settings they were made with; None to take those of the manifest above them, or else the
        shipped settings they agree with.
    allow_simulated
        Take in what a program that only pretends to be VASP made, as ``mlip:<model>-via-vasp``.
    accept_method
        Take in calculations that agree with no settings, under a name of their own method.
    """

    settings: str | None = None
    allow_simulated: bool = False
    accept_method: bool = False


@dataclass
class IngestReport:
    """What became of everything that was found."""

    refused: list[tuple[str, str]] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    outcome: Outcome = field(default_factory=Outcome)
    n_found: int = 0
    n_records: int = 0
    version: str = ""

    @property
    def useful(self) -> bool:
        """Whether anything was taken in, or was known already."""
        return bool(self.outcome.added or self.outcome.known or self.outcome.duplicates)


@dataclass
class _Seen:
    """A manifest above some of the calculations, and what is usable of its jobs."""

    manifest: Manifest
    accepted: dict[str, list[Accepted]] = field(default_factory=dict)
    read: set[str] = field(default_factory=set)

    def job(self, name: str) -> dict[str, Any] | None:
        return next((job for job in self.manifest.jobs if job["name"] == name), None)


def ingest(paths: Sequence[Path], data: Path, options: IngestOptions) -> IngestReport:
    """Read, check and keep all calculations at and below `paths`.

    Raises
    ------
    UserError
        When a path does not exist, or settings, a manifest or the data folder cannot be read.
    """
    for path in paths:
        if not path.exists():
            raise UserError(f"{path} does not exist; give a folder or file with calculations.")
    if options.settings is not None:
        load_validation_settings(options.settings)
    session = _Session(options)
    for path in paths:
        for found in find_calculations(path, skip=data):
            session.take(found, path)
    library = DataLibrary(data)
    session.report.outcome = library.add(session.accepted)
    session.report.version = library.version if library.calculations() else ""
    for seen in session.manifests.values():
        session.complete(seen)
        session.report.n_records += store_records(
            seen.manifest, _undisputed(seen.accepted, library), session.report.notes
        )
    return session.report


class _Session:
    """One call of `ingest`."""

    def __init__(self, options: IngestOptions) -> None:
        self.options = options
        self.report = IngestReport()
        self.accepted: list[Accepted] = []
        self.manifests: dict[Path, _Seen] = {}

    def take(self, found: Found, root: Path) -> None:
        """Read and check one thing that was found, and note what becomes of it."""
        self.report.n_found += 1
        seen = self._manifest_above(found.path)
        name = _relative(found.path, root)
        try:
            accepted = self._judge(found, name, seen)
        except CalculationUnreadable as error:
            self.report.refused.append((name, str(error)))
            return
        self.accepted += accepted

    def complete(self, seen: _Seen) -> None:
        """Read the jobs of a manifest that lie outside the named paths: records need all parts of a property."""
        folder, notes = seen.manifest.folder, len(self.report.notes)
        for name in seen.manifest.names:
            if name not in seen.read and (folder / name).is_dir():
                for found in find_calculations(folder / name):
                    if found.path == folder / name:
                        try:
                            self._judge(found, name, seen)
                        except CalculationUnreadable as error:
                            logger.info("%s is not used: %s", folder / name, error)
        del self.report.notes[notes:]
        for job in seen.manifest.jobs:  # computed once for all that are the same
            if job.get("same_as") in seen.accepted:
                seen.accepted.setdefault(job["name"], seen.accepted[job["same_as"]])

    def _judge(self, found: Found, name: str, seen: _Seen | None) -> list[Accepted]:
        job_name = _relative_to(found.path, seen.manifest.folder) if seen else ""
        job = seen.job(job_name) if seen else _own_job(found.path)
        if seen is not None:
            seen.read.add(job_name)
        calculations = _read(found)
        accepted: list[Accepted] = []
        reasons: dict[str, list[str]] = {}
        for number, calculation in enumerate(calculations):
            part = f"{name}:{number:02d}" if len(calculations) > 1 else name
            try:
                accepted.append(self._accept(calculation, part, seen, job))
            except CalculationUnreadable as error:
                reasons.setdefault(str(error), []).append(f"{number:02d}")
        if reasons:
            summary = _summary(reasons, len(calculations))
            if job is not None or not accepted:  # a band is whole or nothing
                raise CalculationUnreadable(summary)
            self.report.refused.append((name, summary))
        if seen is not None and seen.job(job_name) is not None:
            seen.accepted[job_name] = accepted
        return accepted

    def _accept(self, calculation: Calculation, name: str, seen: _Seen | None, job: dict[str, Any] | None) -> Accepted:
        verdict = check_convergence(calculation)
        settings, settings_name = self._settings(calculation, seen, job)
        if calculation.simulated_by is not None and not self.options.allow_simulated:
            raise CalculationUnreadable(_simulated_reason(calculation))
        own_fidelity = str(calculation.details.get("fidelity") or "")
        if own_fidelity:
            verdict = _merged(verdict, check_settings_name(calculation, settings_name))
        elif settings is not None:
            calculation = as_settings(calculation, settings)
            try:
                verdict = _merged(verdict, check_method(calculation, settings, job))
            except UserError as error:  # the settings do not know one of its elements
                raise CalculationUnreadable(str(error).rstrip(".")) from error
        if verdict.refusals:
            raise CalculationUnreadable("; ".join(verdict.refusals))
        notes = [*calculation.details.get("warnings", []), *(flag.replace("_", " ") for flag in verdict.flags)]
        if notes:
            self.report.notes.append((name, "; ".join(notes)))
        if job is not None and calculation.simulated_by is not None:
            calculation = replace(calculation, charge=float(job.get("charge") or 0.0))
        return Accepted(
            calculation=replace(calculation, settings=settings_name),
            fidelity=own_fidelity or fidelity_name(calculation.method, settings_name, calculation.simulated_by),
            settings=settings_name,
            source=name,
            candidate=str((job or {}).get("candidate") or calculation.details.get("candidate") or ""),
            role=str((job or {}).get("role") or ""),
            job=str((job or {}).get("name") or ""),
            flags=verdict.flags,
        )

    def _settings(
        self, calculation: Calculation, seen: _Seen | None, job: dict[str, Any] | None
    ) -> tuple[ValidationSettings | None, str]:
        """Settings a calculation is held against: the user's, the manifest's, its own, or those it agrees with."""
        named = self.options.settings or (seen.manifest.settings if seen else (job or {}).get("settings"))
        if named is not None:
            settings = load_validation_settings(named)
            return settings, settings.name
        if calculation.simulated_by is not None:
            return None, calculation.settings or "simulated"
        if calculation.details.get("fidelity"):  # a frame of this program's own training set was judged when it came in
            return None, str(calculation.settings)
        if calculation.settings in available_settings():
            settings = load_validation_settings(str(calculation.settings))
            return settings, settings.name
        matched, reason = match_settings(calculation)
        if matched is not None:
            return matched, matched.name
        if self.options.accept_method and "--accept-method" in reason:
            return None, own_name(calculation.method)
        raise CalculationUnreadable(reason)

    def _manifest_above(self, path: Path) -> _Seen | None:
        for folder in (path, *path.resolve().parents):
            if (folder / MANIFEST).is_file():
                key = folder.resolve()
                if key not in self.manifests:
                    self.manifests[key] = _Seen(read_manifest(key))
                return self.manifests[key]
        return None


def _read(found: Found) -> list[Calculation]:
    """Calculations of what was found; whatever a strange file does to a parser, the rest of the batch goes on."""
    try:
        return found.read()
    except (CalculationUnreadable, UserError):
        raise
    except Exception as error:
        logger.debug("%s", found.path, exc_info=True)
        raise CalculationUnreadable(f"it cannot be read ({type(error).__name__}: {error})") from error


def _merged(one: Verdict, other: Verdict) -> Verdict:
    return Verdict(one.refusals + other.refusals, one.flags + other.flags)


def _own_job(path: Path) -> dict[str, Any] | None:
    """The job.json beside the inputs of a job whose manifest is elsewhere; other programs have files of that name."""
    file = (path if path.is_dir() else path.parent) / JOB_FILE
    if not file.is_file():
        return None
    try:
        job = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CalculationUnreadable(f"{file} is damaged; remove it and name the settings with --settings") from error
    ours = isinstance(job, dict) and isinstance(job.get("settings"), str) and isinstance(job.get("name"), str)
    return job if ours else None


def _undisputed(accepted: dict[str, list[Accepted]], library: DataLibrary) -> dict[str, list[Accepted]]:
    bad = {entry["id"] for entry in library.disputed()}
    return {job: items for job, items in accepted.items() if items and not any(item.id in bad for item in items)}


def _simulated_reason(calculation: Calculation) -> str:
    marks = ", ".join(calculation.details.get("simulation_marks", [])) or "its own label"
    return (
        f"it was not made by VASP but by the potential {calculation.simulated_by} (seen from: {marks}); such energies "
        "are no DFT and are only taken with --allow-simulated"
    )


def _summary(reasons: dict[str, list[str]], total: int) -> str:
    """Each reason once, with the parts it holds for unless these are all."""
    lines = []
    for reason, parts in reasons.items():
        shown = ", ".join(parts[:SHOWN]) + (", ..." if len(parts) > SHOWN else "")
        lines.append(reason if len(parts) == total else f"{shown}: {reason}")
    return "; ".join(lines)


def _relative(path: Path, root: Path) -> str:
    """Path below what the user named, starting with its last part."""
    base = root.resolve()
    inside = path.resolve().relative_to(base) if base.is_dir() else Path()
    name = str(Path(base.name) / inside) if base.name else str(inside)
    return f"./{name}" if LIKE_A_VALUE.fullmatch(name) else name


def _relative_to(path: Path, folder: Path) -> str:
    return path.resolve().relative_to(folder.resolve()).as_posix()
