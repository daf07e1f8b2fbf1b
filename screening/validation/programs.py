"""Validation settings by name: configs/vasp/*.yaml, configs/gpaw/*.yaml, or a user's own file."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from screening.assets import asset
from screening.errors import UserError
from screening.names import nearest
from screening.typed.yaml_file import read_yaml
from screening.validation.protocols import Engine, ValidationSettings

if TYPE_CHECKING:
    from screening.validation.gpaw.settings import GpawSettings
    from screening.validation.vasp.settings import VaspSettings

ENGINES = ("vasp", "gpaw")


def available_settings() -> dict[str, Path]:
    """Shipped settings by name."""
    return {path.stem: path for engine in ENGINES for path in sorted(asset("configs").glob(f"{engine}/*.yaml"))}


def load_validation_settings(name: str) -> ValidationSettings:
    """Read settings by their name, or a YAML file by its path.

    Raises
    ------
    UserError
        For an unknown name, a file that is malformed, or one that has the name of shipped settings and computes
        otherwise: fidelities have that name, so that values of both would pass for those of one method.
    """
    known = available_settings()
    path = known.get(name, Path(name))
    if not path.is_file():
        raise UserError(
            f"there are no validation settings {name!r}; {nearest(name, list(known))}, or give a YAML file."
        )
    settings = _read_current(path)
    shipped = known.get(settings.name)
    if name not in known and shipped is not None and _values(_read_current(shipped)) != _values(settings):
        raise UserError(
            f"{path} calls itself {settings.name!r}, as shipped settings of other values do; give it a name of its own."
        )
    return settings


def _values(settings: VaspSettings | GpawSettings) -> Any:
    """What is computed with, as plain data: without the reasons for it."""

    def stripped(part: Any) -> Any:
        if isinstance(part, dict):
            return {key: stripped(value) for key, value in part.items() if key != "why"}
        return part

    return stripped(settings.model_dump(mode="json"))


def _read_current(path: Path) -> VaspSettings | GpawSettings:
    status = path.stat()
    return _read_settings(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=64)
def _read_settings(path: Path, size: int, changed: int) -> VaspSettings | GpawSettings:
    """Settings of a file; thousands of calculations are held against the same ones."""
    try:
        data = read_yaml(path, "correct it or give --settings a name")
        engine = data["engine"]
    except (KeyError, TypeError) as error:
        raise UserError(f"{path} does not hold validation settings: it needs at least name and engine.") from error
    try:
        if engine == "vasp":
            from screening.validation.vasp.settings import VaspSettings

            return VaspSettings(**data)
        if engine == "gpaw":
            from screening.validation.gpaw.settings import GpawSettings

            return GpawSettings(**data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UserError(f"{path}: {where}: {first['msg']}.") from error
    raise UserError(f"{path}: the engine is {engine!r}; use {' or '.join(ENGINES)}.")


def make_engine(settings: ValidationSettings, *, command: str | None = None) -> Engine:
    """Engine for these settings.

    Parameters
    ----------
    command
        Command that starts VASP (``vasp`` only).

    Raises
    ------
    UserError
        When the packages it needs are not installed.
    """
    if settings.engine == "vasp":
        from screening.validation.vasp.engine import VaspEngine
        from screening.validation.vasp.settings import VaspSettings

        assert isinstance(settings, VaspSettings)
        return VaspEngine(settings, command=command)
    if command is not None:
        raise UserError("--command starts VASP; the engine of these settings is gpaw.")
    from screening.validation.gpaw.engine import GpawEngine
    from screening.validation.gpaw.settings import GpawSettings

    assert isinstance(settings, GpawSettings)
    return GpawEngine(settings)
