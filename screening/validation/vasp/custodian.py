"""Run VASP in a folder under custodian, and say in words why it failed."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from screening.process.threads import users_environment
from screening.validation.protocols import CalculationFailed, EngineUnusable
from screening.validation.vasp.outputs.bands import image_folders

if TYPE_CHECKING:
    from custodian.custodian import Custodian, ErrorHandler
    from custodian.vasp.jobs import VaspJob


LOG, STDERR = "vasp.out", "std_err.txt"
MAX_ERRORS = 5  # corrections of one job before it is given up; atomate2's default
POLL_SECONDS = 1.0
MONITOR_EVERY = 30  # polls between two looks at a running job
WORDS = 200
NOT_STARTED = (126, 127)  # exit codes by which shells and launchers say that a program may not be run, or is not there


class Died(Exception):
    """The command ended before VASP did, and none of custodian's handlers knows why."""


def check_custodian() -> None:
    """See whether custodian can be imported.

    Raises
    ------
    EngineUnusable
        When it cannot.
    """
    try:
        import custodian.vasp.jobs  # noqa: F401
    except ImportError as error:
        raise EngineUnusable("running VASP needs custodian: pip install 'coatscreen[dft]'.") from error


def run_custodian(folder: Path, command: Sequence[str]) -> None:
    """One custodian run of the inputs in `folder`.

    Raises
    ------
    Died
        When the command ended without complete outputs: killed, out of memory, wrong command.
    CalculationFailed
        When VASP reported an error that custodian could not correct.
    EngineUnusable
        When custodian is not installed, or the command cannot be started.
    """
    check_custodian()
    from custodian.custodian import Custodian, CustodianError, ReturnCodeError, ValidationError
    from custodian.vasp.jobs import VaspJob, VaspNEBJob
    from custodian.vasp.validators import VaspFilesValidator, VasprunXMLValidator

    band = bool(image_folders(folder))
    options: dict[str, Any] = {"output_file": LOG, "stderr_file": STDERR, "backup": False, "auto_gamma": False}
    job = VaspNEBJob(command, auto_npar=False, **options) if band else VaspJob(command, **options)
    custodian = Custodian(
        _handlers(band=band),
        [job],
        # VASP writes a band's outputs into its image folders, where the caller looks for them
        validators=[] if band else [VasprunXMLValidator(LOG, STDERR), VaspFilesValidator()],
        max_errors=MAX_ERRORS,
        polling_time_step=POLL_SECONDS,
        monitor_freq=MONITOR_EVERY,
        skip_over_errors=True,
        directory=str(folder),
    )
    try:
        with _quiet(), _ended_with_us(job), users_environment():
            custodian.run()
    except (ReturnCodeError, ValidationError) as error:
        words = _last_words(folder, job)
        if _exit_code(job) in NOT_STARTED:
            raise EngineUnusable(f"{words}; a program in it is missing or not executable.") from error
        raise Died(words) from error
    except CustodianError as error:
        raise CalculationFailed(_reason(custodian, error)) from error
    except OSError as error:
        if str(error.filename or "") != str(command[0]):  # a file of the job
            raise
        raise EngineUnusable(f"the VASP command {command[0]!r} cannot be started ({error.strerror}).") from error
    if _uncorrected(custodian):
        raise CalculationFailed(_reason(custodian, None))


@contextmanager
def _ended_with_us(job: VaspJob) -> Iterator[None]:
    """Let VASP not outlive this process when that is stopped: it has a session of its own, which no signal reaches."""
    try:
        yield
    except Exception:
        raise  # custodian's own, after VASP has ended
    except BaseException:
        if getattr(job, "_vasp_process", None) is not None:
            job.terminate()
        raise


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep custodian's tracebacks and pymatgen's warnings off the screen: the reason is raised in words."""
    loggers = [logging.getLogger(name) for name in ("custodian", "VasprunXMLValidator")]
    levels = [each.level for each in loggers]
    try:
        for each in loggers:
            each.setLevel(logging.CRITICAL)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for each, level in zip(loggers, levels, strict=True):
            each.setLevel(level)


def _handlers(*, band: bool) -> list[ErrorHandler]:
    """Handlers that repair a run without changing what it stands for.

    Those that change smearing or k-point spacing on their own (IncorrectSmearing, LargeSigma, KspacingMetal) are left
    out: energies that are subtracted must share these.
    """
    from custodian.vasp import handlers

    general = [handlers.VaspErrorHandler(LOG), handlers.FrozenJobErrorHandler(LOG), handlers.StdErrHandler(STDERR)]
    if band:  # the others look for vasprun.xml, OSZICAR and OUTCAR beside INCAR, where a band has none
        return general
    return [
        *general,
        handlers.MeshSymmetryErrorHandler(LOG),
        handlers.UnconvergedErrorHandler(),
        handlers.NonConvergingErrorHandler(),
        handlers.PotimErrorHandler(),
        handlers.PositiveEnergyErrorHandler(),
    ]


def _uncorrected(custodian: Custodian) -> bool:
    """Whether custodian gave up without raising, as it does for handlers that do not insist."""
    return any(entry.get("handler") is not None for entry in custodian.run_log)


def _reason(custodian: Custodian, error: Exception | None) -> str:
    """What the handlers saw, by name, for example ``VASP reported brmix (VaspErrorHandler)``."""
    seen: list[str] = []
    for entry in custodian.run_log:
        for correction in entry["corrections"]:
            if not correction.get("skipped"):
                names = ", ".join(map(str, correction["errors"]))
                seen.append(f"{names} ({type(correction['handler']).__name__})")
    what = "; ".join(dict.fromkeys(seen)) or str(error)
    count = f", after {len(seen)} attempts to correct it" if len(seen) > 1 else ""
    return f"VASP reported {what}{count}"


def _exit_code(job: Any) -> int | None:
    process = getattr(job, "_vasp_process", None)
    return process.returncode if process is not None else None


def _last_words(folder: Path, job: Any) -> str:
    """How the command ended, and the last line it printed."""
    code = _exit_code(job)
    how = f"was killed by signal {-code}" if code is not None and code < 0 else f"ended with exit code {code}"
    for name in (STDERR, LOG):
        path = folder / name
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n") if path.is_file() else []
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        if last:
            return f"the VASP command {how} before its outputs were complete; its last words: {last[:WORDS]}"
    return f"the VASP command {how} before its outputs were complete, without a word"
