"""The manifests above calculations that are ingested, and the job that a calculation belongs to."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from screening.errors import UserError
from screening.files import read_received
from screening.training_data.calculation import CalculationUnreadable
from screening.training_data.library_files import Accepted, in_words
from screening.typed.shown_names import holds, plain_name
from screening.validation.jobs import MANIFEST, Manifest, read_manifest
from screening.validation.vasp.outputs.bands import JOB_FILE

logger = logging.getLogger(__name__)


@dataclass
class SeenManifest:
    """A manifest above some of the calculations, and what is usable of its jobs."""

    manifest: Manifest
    accepted: dict[str, list[Accepted]] = field(default_factory=dict)
    read: set[str] = field(default_factory=set)

    @cached_property
    def jobs(self) -> dict[str, dict[str, Any]]:
        """Jobs by name."""
        return {job["name"]: job for job in self.manifest.jobs}


class Manifests:
    """Manifests by their folder, each read once.

    Parameters
    ----------
    refused
        Gets a line for each that is damaged; its jobs are read as if there were none.
    """

    def __init__(self, refused: list[tuple[str, str]]) -> None:
        self._refused = refused
        self._seen: dict[Path, SeenManifest | None] = {}

    @property
    def usable(self) -> list[SeenManifest]:
        """Those that were seen and can be used."""
        return [seen for seen in self._seen.values() if seen is not None]

    def above(self, path: Path) -> tuple[SeenManifest | None, str]:
        """The manifest of the jobs that `path` belongs to and the job's name.

        The path as it was named comes first, then where its links lead: a job's folder may be a link to where it ran.
        """
        for place in (Path(os.path.abspath(path)), Path(os.path.realpath(path))):  # noqa: PTH100  (follows no link)
            for folder in (place, *place.parents):
                if holds(folder / MANIFEST, "is_file"):
                    return self._read(Path(os.path.realpath(folder))), place.relative_to(folder).as_posix()
        return None, ""

    def _read(self, folder: Path) -> SeenManifest | None:
        if folder not in self._seen:
            self._seen[folder] = None
            try:
                manifest = read_manifest(folder)
                if not all(isinstance(job, dict) and isinstance(job.get("name"), str) for job in manifest.jobs):
                    raise UserError("it does not list jobs; write it again with `screen validate RUN`.")
                self._seen[folder] = SeenManifest(manifest)
            except Exception as error:
                logger.debug("%s", folder, exc_info=True)
                name = plain_name(str(folder / MANIFEST))
                reason = in_words(error).replace(f"{folder / MANIFEST} is", "it is")
                self._refused.append((name, f"{reason}; its jobs are read without it and give no records"))
        return self._seen[folder]


def own_job(path: Path) -> dict[str, Any] | None:
    """The job.json beside the inputs of a job whose manifest is elsewhere; other programs have files of that name.

    Raises
    ------
    CalculationUnreadable
        When it is damaged: it may say the charge or the settings.
    """
    file = (path if holds(path, "is_dir") else path.parent) / JOB_FILE
    if not holds(file, "is_file"):
        return None
    try:
        job = json.loads(read_received(file))
    except (OSError, ValueError, RecursionError) as error:
        raise CalculationUnreadable(
            f"its {JOB_FILE} is damaged; remove it and name the settings with --settings"
        ) from error
    ours = isinstance(job, dict) and isinstance(job.get("settings"), str) and isinstance(job.get("name"), str)
    return job if ours else None
