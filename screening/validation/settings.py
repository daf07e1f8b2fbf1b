"""Validation settings by name: configs/vasp/*.yaml, configs/gpaw/*.yaml, or a user's own file."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Protocol

from ase import Atoms
from pydantic import ValidationError

from screening.assets import asset
from screening.errors import UserError
from screening.names import nearest
from screening.validation.calculation import Method
from screening.yaml_file import read_yaml

ENGINES = ("vasp", "gpaw")


class ValidationSettings(Protocol):
    """What all settings have: a name that is part of the fidelity, an engine, and the method they stand for."""

    @property
    def name(self) -> str: ...

    @property
    def engine(self) -> str: ...

    def expected(self, atoms: Atoms) -> Method:
        """Method of a calculation of `atoms` with these settings; a `None` or empty field is not prescribed."""
        ...


def available_settings() -> dict[str, Path]:
    """Shipped settings by name."""
    return {path.stem: path for engine in ENGINES for path in sorted(asset("configs").glob(f"{engine}/*.yaml"))}


def load_validation_settings(name: str) -> ValidationSettings:
    """Read settings by their name, or a YAML file by its path.

    Raises
    ------
    UserError
        For an unknown name, or a file that is malformed.
    """
    known = available_settings()
    path = known.get(name, Path(name))
    if not path.is_file():
        raise UserError(
            f"there are no validation settings {name!r}; {nearest(name, list(known))}, or give a YAML file."
        )
    status = path.stat()
    return _read_settings(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=64)
def _read_settings(path: Path, size: int, changed: int) -> ValidationSettings:
    """Settings of a file; thousands of calculations are held against the same ones."""
    try:
        data = read_yaml(path, "correct it or give --settings a name")
        engine = data["engine"]
    except (KeyError, TypeError) as error:
        raise UserError(f"{path} does not hold validation settings: it needs at least name and engine.") from error
    try:
        if engine == "vasp":
            from screening.validation.vasp_settings import VaspSettings

            return VaspSettings(**data)
        if engine == "gpaw":
            from screening.validation.gpaw_settings import GpawSettings

            return GpawSettings(**data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UserError(f"{path}: {where}: {first['msg']}.") from error
    raise UserError(f"{path}: the engine is {engine!r}; use {' or '.join(ENGINES)}.")
