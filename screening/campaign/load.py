"""Read a run's folder back: what was asked for and what was computed, without computing anything."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from screening.campaign.summary import candidate_from_dict, read_summary_file
from screening.chemistry.candidate import Candidate
from screening.config import Settings
from screening.engine.running.records import Record
from screening.engine.running.runlock import is_held
from screening.engine.running.whereabouts import STORE, SUMMARY, store_location
from screening.errors import UserError

if TYPE_CHECKING:
    from ase import Atoms

STRUCTURES = "structures"
RUNNING, STOPPED, FINISHED, FAILED = "running", "stopped", "finished", "failed"
"""What summary.yaml says of a run: stopped is one that the same command continues."""
INTERRUPTED = "interrupted"
"""What is said of a run that was killed; it is written nowhere."""


@dataclass(frozen=True, kw_only=True)
class StoredRun:
    """Settings, candidates and records of a run; `skipped` and `summary` as in summary.yaml."""

    folder: Path
    settings: Settings
    candidates: list[Candidate]
    records: list[Record]
    skipped: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        status = self.summary.get("status", "status unknown")
        return f"<run of {len(self.candidates)} candidates in {self.folder}, {status}, {len(self.records)} records>"

    def structures(self) -> dict[str, Atoms]:
        """Relaxed cells by name, ``<candidate>/bulk``, ``<candidate>/interface-y1-order0``, ...; none before its end.

        They are read from the CIF files in the run's structures/, whose numbers have about 5 decimals.

        Raises
        ------
        UserError
            When the folder of the run is gone, or a file cannot be read; names it.
        """
        from screening.structures.files.structure_file import read_structure

        if not self.folder.is_dir():
            raise UserError(f"{self.folder} is not there (any more); load the run again, from where it is.")
        top = self.folder / STRUCTURES
        return {str(path.relative_to(top).with_suffix("")): read_structure(path) for path in sorted(top.rglob("*.cif"))}


def campaign_identity(dopants: str, x: str, settings: Settings) -> dict[str, Any]:
    """What makes two runs the same campaign: everything that decides a number, but not how it is ranked."""
    return {"dopants": dopants, "x": x, "settings": settings.model_dump(mode="json", exclude={"ranking"})}


def find_run(name: Path, runs: Path = Path("runs")) -> Path:
    """Folder of a run given by its path or by its name below runs/.

    Raises
    ------
    UserError
        When neither holds a summary.
    """
    for folder in (name, runs / name):
        if (folder / SUMMARY).is_file():
            return folder
    names = sorted(p.parent.name for p in runs.glob(f"*/{SUMMARY}"))
    known = f"; there are {', '.join(names)}" if names else ""
    raise UserError(f"there is no run at {name}: give the folder that `screen` wrote, such as runs/NAME{known}")


def read_summary(folder: Path) -> dict[str, Any]:
    """Content of a run folder's summary.yaml.

    Raises
    ------
    UserError
        When the file is missing or is not the summary of a run.
    """
    path = folder / SUMMARY
    if not path.is_file():
        raise UserError(f"{folder} is not the folder of a run: it has no {SUMMARY}")
    return read_summary_file(path)


def run_status(folder: Path, summary: dict[str, Any]) -> str:
    """What became of a run; one that says ``running`` and that no process holds was killed without a last word."""
    status = str(summary.get("status", "status unknown"))
    return INTERRUPTED if status == RUNNING and not is_held(folder) else status


def load_run(folder: Path) -> StoredRun:
    """Read summary.yaml and the record store of a run.

    Raises
    ------
    UserError
        When the folder is not a run, or its summary or store cannot be read.
    """
    from screening.engine.running.store import RecordStore

    summary = read_summary(folder)
    summary["status"] = run_status(folder, summary)
    try:
        settings = Settings(**summary["settings"])
        candidates = [candidate_from_dict(c) for c in summary["candidates"]]
    except (KeyError, TypeError, ValidationError) as error:
        raise UserError(
            f"{folder / SUMMARY} does not state the settings and candidates of a run; was it edited?"
        ) from error
    store = store_location(folder, summary.get("store"))
    if isinstance(store, Path) and not store.is_file():
        raise UserError(f"{folder} has no record store ({STORE}); nothing has been computed there yet")
    records = RecordStore.for_reading(store).records()
    return StoredRun(
        folder=folder,
        settings=settings,
        candidates=candidates,
        records=records,
        skipped=list(summary.get("skipped") or []),
        summary=summary,
    )
