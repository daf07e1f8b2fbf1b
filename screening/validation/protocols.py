"""The protocol of what computes jobs: write inputs, run them (again), read the result."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from ase import Atoms

from screening.errors import UserError
from screening.training_data.calculation import Calculation, Method
from screening.validation.jobs import Job


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


class ValidationSettings(Protocol):
    """What all settings have: a name that is part of the fidelity, an engine, and the method they stand for."""

    @property
    def name(self) -> str: ...

    @property
    def engine(self) -> str: ...

    def expected(self, atoms: Atoms) -> Method:
        """Method of a calculation of `atoms` with these settings; a `None` or empty field is not prescribed."""
        ...
