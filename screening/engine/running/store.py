"""The record store: engine results and records in an `ase.db` database, keyed by recipe."""

from __future__ import annotations

import math
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.db import connect

from screening.engine.running.records import Record, package_versions
from screening.engine.running.runlock import has_locks
from screening.engine.running.serialise import from_json, pack_atoms, structure_hash, to_json, unpack_atoms
from screening.engine.running.whereabouts import is_url
from screening.engine.tasks import Result
from screening.errors import UserError
from screening.process.trouble import StoreUnusable

# ase.db refuses strings that look like numbers, which a hexadecimal key may do.
_PREFIX = "key-"

SERVERS = ("postgresql://", "postgres://", "mysql://", "mariadb://")
"""How the address of a store that is no file begins."""

# What ase.db's decoder raises on bytes that are not its own.
_DECODING_ERRORS = (ValueError, KeyError, IndexError, TypeError, AttributeError, EOFError, AssertionError)


_REMEDIES = {
    "readonly": "give a run folder that can be written",
    "full": "free some space, then run the same command again; it continues where it was",
    "locked": "another process uses it; wait for it to end, or work on a disk with file locks",
    "locking protocol": "its file system gives no locks; work on a local disk",
    "unable to open": "check that its folder exists and that you may write there",
    "disk I/O": "the disk or the network drive does not work; check it, its quota and its file locks",
}


def _remedy(reason: str) -> str:
    """What to do about a complaint of SQLite."""
    return next((what for word, what in _REMEDIES.items() if word in reason), "check its disk, rights and URL")


@dataclass(frozen=True, kw_only=True)
class ResultSummary:
    """What the store knows about one result without its structures."""

    key: str
    step: str
    candidate: str
    formula: str
    n_atoms: int
    energy: float
    fmax: float
    converged: bool
    failure: str | None
    n_steps: int
    n_force_calls: int
    wall_s: float
    created: str


class RecordStore:
    """Results (engine) and records (properties) of one or several campaigns.

    Parameters
    ----------
    path_or_url
        SQLite file, created when absent, or ``postgresql://...`` (needs the package ase-db-backends).

    Raises
    ------
    UserError
        When the file is damaged or is no store of this kind. Nothing is ever deleted or repaired.
    """

    def __init__(self, path_or_url: str | Path) -> None:
        self.location = str(path_or_url)
        self._sqlite = not is_url(self.location)
        if not self._sqlite and not self.location.startswith(SERVERS):
            # ase.db would take anything else for a path, and the summary of a received run may say anything
            raise UserError(
                f"the store {self.location} is no database server's address ({', '.join(SERVERS)}); correct `store` in "
                "the run's summary.yaml, or remove it to use the store.db beside it"
            )
        if self._sqlite:
            Path(self.location).parent.mkdir(parents=True, exist_ok=True)
            self._check_file(Path(self.location))
        self._results: dict[str, int] = {}
        self._records: dict[str, int] = {}
        self._copy: tempfile.TemporaryDirectory[str] | None = None  # lives as long as the store that reads it
        with self._guard():
            # No lock file: run_lock keeps a second run away, and a lock file would survive a killed process.
            options: dict[str, Any] = {"type": "db", "use_lock_file": False} if self._sqlite else {}
            self._db = connect(self.location, **options)
            if self._sqlite and not has_locks(Path(self.location)):
                # run_lock has warned; SQLite would wait for its locks in vain and call the database locked
                self._db._connect = partial(_connect_without_locks, Path(self.location))
            for row in self._db.select(include_data=False):
                self._index(row.key_value_pairs, row.id)

    @classmethod
    def for_reading(cls, path_or_url: str | Path) -> RecordStore:
        """A store that is only read; of a file that cannot be opened where it lies, a copy is.

        SQLite wants to write even for reading where a killed run left a journal, which a read-only folder refuses.

        Raises
        ------
        UserError
            When the file is damaged or is no store of this kind, or is in use, or a server does not answer.
        """
        try:
            return cls(path_or_url)
        except StoreUnusable as error:
            if is_url(str(path_or_url)) or "locked" in str(error):
                raise
        path = Path(path_or_url)
        copy = tempfile.TemporaryDirectory(prefix="coatscreen-")
        for suffix in ("", "-journal", "-wal"):
            if (source := path.with_name(path.name + suffix)).is_file():
                shutil.copyfile(source, Path(copy.name) / source.name)
        store = cls(Path(copy.name) / path.name)
        store.location, store._copy = str(path), copy
        return store

    # -- results ----------------------------------------------------------------------------------------------------

    def get(self, key: str) -> Result | None:
        """The result stored under `key`, bit for bit as it was put, or None."""
        if key not in self._results:
            return None
        with self._guard():
            data = self._db.get(id=self._results[key]).data
            result = _unpack_result(key, data)
            if structure_hash(result.atoms) != data["structure_hash"]:
                raise sqlite3.DatabaseError(f"the structure of {key} does not match its hash")
        return result

    def put(self, result: Result, recipe: dict[str, Any]) -> None:
        """Store `result`; an older one under the same key is replaced."""
        pairs = {"kind": "result", "result_key": _PREFIX + result.key, "converged": bool(result.converged)}
        data = _pack_result(result) | {
            "recipe": to_json(recipe),
            "structure_hash": structure_hash(result.atoms),
            "versions": to_json(package_versions()),
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        self._results[result.key] = self._write(_view(result), pairs, data, self._results.get(result.key))

    def recipe(self, key: str) -> dict[str, Any] | None:
        """The recipe that the result under `key` was computed from."""
        if key not in self._results:
            return None
        with self._guard():
            found: dict[str, Any] = from_json(self._db.get(id=self._results[key]).data["recipe"])
            return found

    def results(self) -> list[ResultSummary]:
        """A summary of every stored result, oldest first."""
        summaries = []
        with self._guard():
            for row in self._db.select(kind="result"):
                data, recipe = row.data, from_json(row.data["recipe"])
                summaries.append(
                    ResultSummary(
                        key=row.result_key.removeprefix(_PREFIX),
                        step=str(recipe.get("step", "")),
                        candidate=str(recipe.get("candidate", "")),
                        formula=row.formula,
                        n_atoms=row.natoms,
                        failure=data["failure"],
                        created=data["created"],
                        **{name: data[name] for name in _SCALARS},
                    )
                )
        return summaries

    # -- records ----------------------------------------------------------------------------------------------------

    def put_record(self, record: Record) -> None:
        """Store `record`; the newest one of a candidate, property, fidelity and recipe wins."""
        identity = _record_identity(record)
        pairs = {"kind": "record", "record_key": _PREFIX + identity}
        self._records[identity] = self._write(
            Atoms(), pairs, {"record": to_json(record.to_dict())}, self._records.get(identity)
        )

    def records(self) -> list[Record]:
        """Every record, in the order in which they were first stored."""
        with self._guard():
            return [Record.from_dict(from_json(row.data["record"])) for row in self._db.select(kind="record")]

    # -- the database -----------------------------------------------------------------------------------------------

    def _write(self, atoms: Atoms, pairs: dict[str, Any], data: dict[str, Any], row_id: int | None) -> int:
        with self._guard(reading=False):
            return int(self._db.write(atoms, key_value_pairs=pairs, data=data, id=row_id))

    def _index(self, pairs: dict[str, Any], row_id: int) -> None:
        if "result_key" in pairs:
            self._results[pairs["result_key"].removeprefix(_PREFIX)] = row_id
        elif "record_key" in pairs:
            self._records[pairs["record_key"].removeprefix(_PREFIX)] = row_id

    def _check_file(self, path: Path) -> None:
        if not path.exists() or path.stat().st_size == 0:
            return
        with self._guard():
            connection = sqlite3.connect(path) if has_locks(path) else _connect_without_locks(path)
            try:
                verdict = connection.execute("PRAGMA quick_check").fetchone()[0]
                tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")}
            finally:
                connection.close()
            if verdict != "ok":
                raise sqlite3.DatabaseError(verdict)
            if tables and "systems" not in tables:
                raise sqlite3.DatabaseError("it is a database of another program")

    @contextmanager
    def _guard(self, *, reading: bool = True) -> Iterator[None]:
        """Turn what the database raises into one sentence; what cannot be decoded on `reading` is damage."""
        try:
            yield
        except sqlite3.OperationalError as error:
            text = str(error)
            if "malformed" in text or "no such table" in text:
                raise self._damaged(error) from error
            raise StoreUnusable(f"the store {self.location} cannot be used ({text}): {_remedy(text)}") from error
        except sqlite3.DatabaseError as error:
            raise self._damaged(error) from error
        except _DECODING_ERRORS as error:
            if not reading:
                raise
            raise self._damaged(error) from error
        except ModuleNotFoundError as error:
            raise UserError(
                f"the store {self.location} needs a database driver: pip install ase-db-backends"
            ) from error

    def _damaged(self, error: Exception) -> UserError:
        return UserError(
            f"the store {self.location} is damaged ({error}): move it away or put a backup in its place, then run the "
            "same command again"
        )


_SCALARS = ("energy", "fmax", "converged", "n_steps", "n_force_calls", "wall_s")


def _connect_without_locks(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?vfs=unix-none", uri=True, timeout=20)


def _pack_result(result: Result) -> dict[str, Any]:
    return {
        "atoms": pack_atoms(result.atoms),
        "energy": float(result.energy),
        "fmax": float(result.fmax),
        "converged": bool(result.converged),
        "n_steps": int(result.n_steps),
        "n_force_calls": int(result.n_force_calls),
        "wall_s": float(result.wall_s),
        "failure": result.failure,
        "images": [pack_atoms(image) for image in result.images],
        "image_energies": [float(energy) for energy in result.image_energies],
    }


def _unpack_result(key: str, data: dict[str, Any]) -> Result:
    return Result(
        key=key,
        atoms=unpack_atoms(data["atoms"]),
        failure=data["failure"],
        images=[unpack_atoms(image) for image in data["images"]],
        image_energies=[float(energy) for energy in data["image_energies"]],
        **{name: data[name] for name in _SCALARS},
    )


def _view(result: Result) -> Atoms:
    """What the `ase db` command line shows: the bare structure with its energy."""
    atoms = Atoms(result.atoms.numbers, result.atoms.positions, cell=result.atoms.cell, pbc=result.atoms.pbc)
    if math.isfinite(result.energy):
        atoms.calc = SinglePointCalculator(atoms, energy=float(result.energy))
    return atoms


def _record_identity(record: Record) -> str:
    return "|".join((record.candidate, record.property, record.fidelity, record.recipe_hash))
