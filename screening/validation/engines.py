"""The protocol of what computes jobs: write inputs, run them (again), read the result."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from screening.errors import UserError
from screening.validation.calculation import Calculation
from screening.validation.jobs import Job
from screening.validation.settings import ValidationSettings


class CalculationFailed(Exception):
    """A job that could not be computed; the text is a reason a user can act on."""


class CommandDied(CalculationFailed):
    """The command that computes a job ended before it had computed anything."""


class EngineUnusable(UserError):
    """What computes jobs cannot be started at all: no job can be computed, whatever it is."""


class Engine(Protocol):
    """A program that computes jobs in folders. Nothing that was computed is ever deleted."""

    name: str

    def check(self) -> None:
        """See whether jobs can be computed here at all, before anything is written or started.

        Raises
        ------
        EngineUnusable
            When a program, package or data set is missing.
        """
        ...

    def write(self, job: Job, folder: Path) -> None:
        """Write all inputs of a job into `folder`."""
        ...

    def run(self, folder: Path) -> None:
        """Compute what `write` put there, or go on with what a killed run left; a finished job is left alone.

        Raises
        ------
        CalculationFailed
            With the reason in words.
        EngineUnusable
            When no other job can be computed either.
        """
        ...

    def is_finished(self, folder: Path) -> bool:
        """Whether the job ended well."""
        ...

    def read(self, folder: Path) -> list[Calculation]:
        """Calculations of a finished job: one, or one per image of a band, in order.

        Raises
        ------
        CalculationUnreadable
            When files are missing or broken.
        """
        ...


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
        from screening.validation.vasp_engine import VaspEngine
        from screening.validation.vasp_settings import VaspSettings

        assert isinstance(settings, VaspSettings)
        return VaspEngine(settings, command=command)
    if command is not None:
        raise UserError("--command starts VASP; the engine of these settings is gpaw.")
    from screening.validation.gpaw_engine import GpawEngine
    from screening.validation.gpaw_settings import GpawSettings

    assert isinstance(settings, GpawSettings)
    return GpawEngine(settings)
