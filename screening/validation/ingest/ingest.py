"""Take finished calculations into the data folder, and into the run that asked for them."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from screening.errors import UserError
from screening.training_data.calculation import Calculation, CalculationUnreadable
from screening.training_data.library import DataLibrary, Intake
from screening.training_data.library_files import LIST, Accepted, in_words
from screening.typed.shown_names import holds, name_below, names_of_roots
from screening.validation.ingest.check import (
    Findings,
    as_settings,
    check_convergence,
    check_method,
    check_settings_name,
    match_settings,
)
from screening.validation.ingest.check import own_settings_name as own_name
from screening.validation.ingest.find import Found, find_calculations
from screening.validation.ingest.manifests_above import Manifests, SeenManifest, own_job
from screening.validation.ingest.store_records import store_records
from screening.validation.programs import available_settings, load_validation_settings
from screening.validation.protocols import ValidationSettings

logger = logging.getLogger(__name__)

SHOWN = 5  # parts of a file or band, and reasons, that are named in one line


@dataclass(frozen=True, kw_only=True)
class IngestRules:
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
    outcome: Intake = field(default_factory=Intake)
    unwritten: list[tuple[str, str]] = field(default_factory=list)
    n_found: int = 0
    n_records: int = 0
    version: str = ""

    @property
    def useful(self) -> bool:
        """Whether anything was taken in, or was known already."""
        return bool(self.outcome.added or self.outcome.known or self.outcome.duplicates)


def ingest(paths: Sequence[Path], data: Path, options: IngestRules) -> IngestReport:
    """Read, check and keep all calculations at and below `paths`.

    Whatever one file, folder, manifest or run does costs only itself, with its reason in the report.

    Raises
    ------
    UserError
        When a path does not exist, or the named settings or the data folder cannot be read.
    """
    check_paths(paths, data)
    if options.settings is not None:
        load_validation_settings(options.settings)
    library = DataLibrary(data)
    library.check()
    session = _Session(options)
    for root, name in names_of_roots(paths).items():
        for found in _found_below(root, data):
            session.take(found, name_below(root, name, found.path))
    report = session.report
    report.outcome = library.add(session.accepted)
    report.refused += report.outcome.unusable
    report.version = library.version if (library.folder / LIST).is_file() else ""
    disputed = {entry["id"] for entry in library.disputed()}
    for seen in session.manifests.usable:
        session.write_records(seen, disputed)
    return report


def check_paths(paths: Sequence[Path], data: Path) -> None:
    """Refuse what is no path of anything, before anything is read.

    Raises
    ------
    UserError
        Says which.
    """
    for path in paths:
        if not os.path.lexists(path):
            raise UserError(f"{path} does not exist; give a folder or file with calculations.")
        if not holds(path, "exists"):
            raise UserError(f"{path} is a link to nothing, or may not be opened; give a folder or file.")
    if os.path.lexists(data) and not holds(data, "is_dir"):
        raise UserError(f"{data} is no folder; give --data a folder.")


class _Session:
    """One call of `ingest`."""

    def __init__(self, options: IngestRules) -> None:
        self.options = options
        self.report = IngestReport()
        self.accepted: list[Accepted] = []
        self.manifests = Manifests(self.report.refused)

    def take(self, found: Found, name: str) -> None:
        """Read and check one thing that was found, and note what becomes of it."""
        self.report.n_found += 1
        try:
            seen, job_name = self.manifests.above(found.path)
            self.accepted += self._judge(found, name, seen, job_name)
        except (CalculationUnreadable, UserError) as error:
            self.report.refused.append((name, str(error).rstrip(".")))
        except Exception as error:
            logger.debug("%s", found.path, exc_info=True)
            self.report.refused.append((name, f"it cannot be judged ({in_words(error)})"))

    def write_records(self, seen: SeenManifest, disputed: set[str]) -> None:
        """Write what the jobs of a manifest say into their run; the calculations are kept already."""
        usable = {}
        try:
            self.complete(seen)
            for job, items in seen.accepted.items():
                if items and not any(item.id in disputed for item in items):
                    usable[job] = items
            self.report.n_records += store_records(seen.manifest, usable, self.report.notes)
        except Exception as error:
            logger.debug("%s", seen.manifest.folder, exc_info=True)
            self.report.unwritten.append((str(seen.manifest.run), in_words(error)))

    def complete(self, seen: SeenManifest) -> None:
        """Read the jobs of a manifest that lie outside the named paths: records need all parts of a property."""
        folder, notes = seen.manifest.folder, len(self.report.notes)
        for name in seen.manifest.names:
            if name not in seen.read and holds(folder / name, "is_dir"):
                for found in _found_below(folder / name, None):
                    if found.path == folder / name:
                        try:
                            self._judge(found, name, seen, name)
                        except Exception as error:
                            logger.info("%s is not used: %s", folder / name, error)
        del self.report.notes[notes:]
        for job in seen.manifest.jobs:  # computed once for all that are the same
            if job.get("same_as") in seen.accepted:
                seen.accepted.setdefault(job["name"], seen.accepted[job["same_as"]])

    def _judge(self, found: Found, name: str, seen: SeenManifest | None, job_name: str) -> list[Accepted]:
        if seen is not None:
            job = seen.jobs.get(job_name)
            seen.read.add(job_name)
        else:
            job = own_job(found.path)
        calculations = _read(found)
        accepted: list[Accepted] = []
        reasons: dict[str, list[str]] = {}
        notes: dict[str, list[str]] = {}
        for number, calculation in enumerate(calculations):
            part = f"{name}:{number:02d}" if len(calculations) > 1 else name
            try:
                item, note = self._accept(calculation, part, seen, job)
            except (CalculationUnreadable, UserError) as error:
                reasons.setdefault(str(error).rstrip("."), []).append(f"{number:02d}")
                continue
            accepted.append(item)
            if note:
                notes.setdefault(note, []).append(f"{number:02d}")
        if reasons:
            summary = _summary(reasons, len(calculations))
            if job is not None or not accepted:  # a band is whole or nothing
                raise CalculationUnreadable(summary)
            self.report.refused.append((name, summary))
        if notes:
            self.report.notes.append((name, _summary(notes, len(calculations))))
        if seen is not None and job is not None:
            seen.accepted[job_name] = accepted
        return accepted

    def _accept(
        self, calculation: Calculation, name: str, seen: SeenManifest | None, job: dict[str, Any] | None
    ) -> tuple[Accepted, str]:
        """The calculation as it is kept, and what is worth telling of it."""
        verdict = check_convergence(calculation)
        settings, settings_name = self._settings(calculation, seen, job)
        if calculation.simulated_by is not None and not self.options.allow_simulated:
            raise CalculationUnreadable(_simulated_reason(calculation))
        own_fidelity = calculation.details.fidelity
        if own_fidelity:
            verdict = _merged(verdict, check_settings_name(calculation, settings_name))
        elif settings is not None:
            calculation = as_settings(calculation, settings)
            verdict = _merged(verdict, check_method(calculation, settings, job))
        if verdict.refusals:
            raise CalculationUnreadable("; ".join(verdict.refusals))
        notes = [*calculation.details.warnings, *(flag.replace("_", " ") for flag in verdict.flags)]
        if job is not None and calculation.simulated_by is not None:
            calculation = replace(calculation, charge=float(job.get("charge") or 0.0))
        accepted = Accepted(
            calculation=replace(calculation, settings=settings_name),
            fidelity=own_fidelity or calculation.method.fidelity(settings_name, calculation.simulated_by),
            settings=settings_name,
            source=name,
            candidate=str((job or {}).get("candidate") or calculation.details.candidate),
            role=str((job or {}).get("role") or ""),
            job=str((job or {}).get("name") or ""),
            flags=verdict.flags,
        )
        return accepted, "; ".join(notes)

    def _settings(
        self, calculation: Calculation, seen: SeenManifest | None, job: dict[str, Any] | None
    ) -> tuple[ValidationSettings | None, str]:
        """Settings a calculation is held against: the user's, the manifest's, its own, or those it agrees with."""
        named = self.options.settings or (seen.manifest.settings if seen else (job or {}).get("settings"))
        if named is not None:
            settings = load_validation_settings(named)
            return settings, settings.name
        if calculation.simulated_by is not None:
            return None, calculation.settings or "simulated"
        if calculation.details.fidelity:  # a frame of this program's own training set was judged when it came in
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


def _found_below(root: Path, data: Path | None) -> Iterator[Found]:
    """`find_calculations`; where the search itself fails, what was found until then counts."""
    try:
        yield from find_calculations(root, skip=data)
    except Exception as error:
        logger.debug("%s", root, exc_info=True)
        reason = f"the search below it ended early ({in_words(error)}); name its folders one by one"

        def fail() -> list[Calculation]:
            raise CalculationUnreadable(reason)

        yield Found(root, fail)


def _read(found: Found) -> list[Calculation]:
    """Calculations of what was found; whatever a strange file does to a parser, the rest of the batch goes on."""
    try:
        return found.read()
    except (CalculationUnreadable, UserError):
        raise
    except Exception as error:
        logger.debug("%s", found.path, exc_info=True)
        raise CalculationUnreadable(f"it cannot be read ({in_words(error)})") from error


def _merged(one: Findings, other: Findings) -> Findings:
    return Findings(one.refusals + other.refusals, one.flags + other.flags)


def _simulated_reason(calculation: Calculation) -> str:
    marks = ", ".join(calculation.details.simulation_marks) or "its own label"
    return (
        f"it was not made by VASP but by the potential {calculation.simulated_by} (seen from: {marks}); such energies "
        "are no DFT and are only taken with --allow-simulated"
    )


def _summary(texts: dict[str, list[str]], total: int) -> str:
    """Each reason or note once, with the parts it holds for unless these are all."""
    lines = []
    for text, parts in list(texts.items())[:SHOWN]:
        shown = ", ".join(parts[:SHOWN]) + (f", ... ({len(parts)} of {total})" if len(parts) > SHOWN else "")
        lines.append(text if len(parts) == total else f"{shown}: {text}")
    left = sum(len(parts) for parts in list(texts.values())[SHOWN:])
    return "; ".join([*lines, f"and others for {left} more"] if left else lines)
