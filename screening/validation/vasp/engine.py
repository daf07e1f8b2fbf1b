"""VASP as an engine: custodian around the user's command, restarts from what a killed run left, and reading."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from screening.training_data.calculation import Calculation, CalculationUnreadable
from screening.validation.jobs import Job
from screening.validation.protocols import CalculationFailed, CommandDied, EngineUnusable
from screening.validation.vasp.custodian import Died, check_custodian, run_custodian
from screening.validation.vasp.outputs.read_vasp import read_vasp
from screening.validation.vasp.restart import keep_inputs, prepare_restart
from screening.validation.vasp.start_command import start_words

if TYPE_CHECKING:
    from screening.validation.vasp.settings import VaspSettings

logger = logging.getLogger(__name__)

COMMAND_VARIABLE = "COATSCREEN_VASP"
STARTS = 2  # a job that died without a word (node, memory, network) is started once more; twice is no accident


class VaspEngine:
    """Computes jobs with VASP, or with whatever reads the same files.

    Parameters
    ----------
    settings
        How inputs are written; only `write` and the name in `read` need them.
    command
        Command that starts VASP in the job's folder, for example ``mpirun -n 64 vasp_std``; by default the environment
        variable COATSCREEN_VASP, or pymatgen's PMG_VASP_EXE.
    """

    name = "vasp"

    def __init__(self, settings: VaspSettings, command: str | None = None) -> None:
        self.settings = settings
        self._command = command

    def check(self) -> None:
        """See whether there is a command, its programs and custodian.

        Raises
        ------
        EngineUnusable
            Says what is missing.
        """
        vasp_command(self._command)
        check_custodian()

    def write(self, job: Job, folder: Path) -> None:
        """Write INCAR, KPOINTS, POSCAR and POTCAR or POTCAR.spec into `folder`."""
        from screening.validation.vasp.inputs import write_vasp_inputs

        write_vasp_inputs(job, self.settings, folder)

    def run(self, folder: Path) -> None:
        """Run VASP in `folder` under custodian; a killed job goes on from its CONTCAR, a finished one is left alone.

        Outputs of an earlier start are kept in ``earlier.N.tar``, packed or not, the inputs as written in ``*.orig``.

        Raises
        ------
        CalculationFailed
            With custodian's reason in words.
        EngineUnusable
            When there is no command, or no custodian.
        """
        run_vasp_job(folder, vasp_command(self._command))

    def is_finished(self, folder: Path) -> bool:
        """Whether all of the job (every image of a band) converged."""
        return is_finished(folder)

    def read(self, folder: Path) -> list[Calculation]:
        """The calculation, or those of all images of a band, in order.

        Raises
        ------
        CalculationUnreadable
            When outputs are missing or broken.
        """
        return [replace(calculation, settings=self.settings.name) for calculation in read_vasp(folder)]


def run_vasp_job(folder: Path, command: list[str]) -> None:
    """Run the inputs in `folder`; see `VaspEngine.run`."""
    if is_finished(folder):
        return
    if not (folder / "INCAR").is_file():
        raise CalculationFailed(f"{folder} holds no INCAR: write it with `screen validate`")
    keep_inputs(folder)
    for start in range(1, STARTS + 1):
        if prepare_restart(folder):
            logger.info("%s goes on from what an earlier start left", folder)
        try:
            run_custodian(folder, command)
        except Died as error:
            if start == STARTS:
                failure = CalculationFailed if _has_computed(folder) else CommandDied
                raise failure(f"{error}{_potcar_hint(folder)}") from error
            logger.warning("%s died (%s) and is started again", folder, error)
            continue
        break
    try:
        calculations = read_vasp(folder)
    except CalculationUnreadable as error:
        raise CalculationFailed(f"VASP ended, but its outputs cannot be used: {error}") from error
    if not all(calculation.converged for calculation in calculations):
        raise CalculationFailed("VASP ended without converging; more ionic or electronic steps are needed")


def is_finished(folder: Path) -> bool:
    """Whether the outputs in `folder` are complete and converged."""
    try:
        return folder.is_dir() and all(calculation.converged for calculation in read_vasp(folder))
    except CalculationUnreadable as error:
        logger.debug("%s is not finished: %s", folder, error)
        return False


def vasp_command(command: str | None) -> list[str]:
    """Words of the command that starts VASP; a program named by a relative path is looked for from here.

    Raises
    ------
    EngineUnusable
        When none is known, or its program does not exist.
    """
    from pymatgen.core import SETTINGS

    text = command or os.environ.get(COMMAND_VARIABLE) or SETTINGS.get("PMG_VASP_EXE") or ""
    if not text.strip():
        raise EngineUnusable(f"no command starts VASP; give --command, or set {COMMAND_VARIABLE}.")
    return start_words(text)


def _has_computed(folder: Path) -> bool:
    """Whether an electronic step was written, by a band in one of its images."""
    return any(path.is_file() and path.stat().st_size for path in (*folder.glob("OSZICAR"), *folder.glob("*/OSZICAR")))


def _potcar_hint(folder: Path) -> str:
    if (folder / "POTCAR").is_file():
        return ""
    return " (there is no POTCAR: make one of the labels in POTCAR.spec, or set PMG_VASP_PSP_DIR and write again)"
