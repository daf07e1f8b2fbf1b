"""The best candidates of a run to DFT: inputs written, and jobs run where wanted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from screening.defaults import VALIDATION
from screening.door.given import checked
from screening.door.keywords import takes
from screening.door.load import AnyRun, load_run
from screening.door.typed import Names, PathLike, as_text, comma_separated
from screening.errors import UserError

if TYPE_CHECKING:
    from screening.campaign.load import StoredRun
    from screening.validation.folders.folders import Write
    from screening.validation.jobs import Manifest
    from screening.validation.plan.screened import Plan
    from screening.validation.protocols import Engine, ValidationSettings
    from screening.validation.runner import Event, JobOutcome

GPAW_MAX_ATOMS = 60
"""Largest cell that is computed here with GPAW unless `max_atoms` says otherwise."""


@dataclass(frozen=True)
class ValidateOptions:
    """What `validate` takes; its docstring says what each means."""

    run: AnyRun
    _: KW_ONLY
    top: int | None = None
    candidates: Names | None = None
    only: Names | None = None
    settings: PathLike | None = None
    engine: str | None = None
    static: bool = False
    out: PathLike | None = None
    run_jobs: bool = False
    command: str | None = None
    max_atoms: int | None = None
    on_written: Callable[[Validation], None] | None = None
    on_event: Callable[[Event], None] | None = None


@dataclass(frozen=True, kw_only=True)
class Validation:
    """What was written, and what became of it.

    Attributes
    ----------
    folder
        Job folders and validation.yaml, the manifest.
    missing
        What could not be planned, with the reasons.
    kept
        Jobs that were started or edited before and are as they were.
    outcomes
        One for each job that was to be run; empty where none was.
    """

    folder: Path
    manifest: Manifest
    missing: list[str]
    kept: list[str]
    outcomes: list[JobOutcome] = field(default_factory=list)

    @property
    def failed(self) -> list[JobOutcome]:
        """Jobs that came to no result."""
        return [outcome for outcome in self.outcomes if outcome.status == "failed"]


@checked()
@takes(ValidateOptions)
def validate(options: ValidateOptions) -> Validation:
    """Write everything DFT needs for the best candidates of a run, and run it if wanted; as `screen validate`.

    Called again it goes on: jobs that were started or edited are left alone, those that start from a finished one take
    its result.

    Parameters
    ----------
    run
        See `load_run`.
    top
        Best ranked doped candidates; 3 when None.
    candidates
        Names instead of `top`.
    only
        Some of ``"bulk"``, ``"interface"``, ``"hops"``, ``"vacancy"``, ``"phases"``; all when None.
    settings
        ``"kim2026"``, ``"mp"``, ``"gpaw-pbe"``, or a YAML file; kim2026 when None, gpaw-pbe with GPAW.
    engine
        ``"vasp"`` (None) or ``"gpaw"``.
    static
        Single points on the potential's structures.
    out
        Folder of the jobs; ``RUN/validation/<settings>`` when None.
    run_jobs
        Run the jobs here, in order.
    command
        Starts VASP, for example ``"mpirun -n 32 vasp_std"``; only with `run_jobs`.
    max_atoms
        Skip larger cells; None skips none, with GPAW those above 60 atoms.
    on_written
        Called when all inputs are written, before any job is run.
    on_event
        Called when a job begins and ends.

    Raises
    ------
    UserError
        For every kind of bad input, before anything is written.
    """
    from screening.campaign.validate import choose, plan_validation
    from screening.engine.running.runlock import run_lock
    from screening.validation.plan.plan import roles_of
    from screening.validation.runner import run_jobs

    roles = None if options.only is None else roles_of(comma_separated(options.only))
    program = _program(options)
    settings = program.settings
    stored = load_run(options.run)
    chosen = choose(stored, names=split_names(options.candidates), top=options.top)
    root = Path(options.out) if options.out is not None else stored.folder / "validation" / settings.name
    check_root(root, stored.folder, settings)
    plan = plan_validation(stored, settings, chosen, only=roles, static=options.static)
    with run_lock(root):
        written = _write(plan, root, stored, program)
        if options.on_written is not None:
            options.on_written(written)
        if program.engine is not None:
            is_limited = options.max_atoms is None and settings.engine == "gpaw"
            limit = GPAW_MAX_ATOMS if is_limited else options.max_atoms
            outcomes = run_jobs(plan.jobs, program.engine, root, max_atoms=limit, on_event=options.on_event)
            written.outcomes.extend(outcomes)
    return written


@dataclass(frozen=True)
class _Program:
    """What computes: its settings, what writes the inputs of one job, and what runs jobs, where that is wanted."""

    settings: ValidationSettings
    write: Write
    engine: Engine | None


def _program(options: ValidateOptions) -> _Program:
    """What computes, found before anything is written: what is missing must leave no folder half written."""
    from screening.validation.programs import make_engine

    if options.top is not None and options.candidates is not None:
        raise UserError("--top and --candidates both choose candidates; give one of them.")
    settings = pick_settings(as_text(options.settings), options.engine)
    if options.command is not None and not options.run_jobs:
        raise UserError("--command starts VASP, which only --run does; add --run or leave --command out.")
    engine = make_engine(settings, command=options.command) if options.run_jobs else None
    if engine is not None:
        engine.check()
    return _Program(settings, _writer(settings, engine), engine)


def split_names(names: Names | None) -> list[str]:
    """Names of a comma-separated text or of a list.

    Raises
    ------
    UserError
        When it is there but empty.
    """
    if names is None:
        return []
    found = [name.strip() for name in comma_separated(names).split(",") if name.strip()]
    if not found:
        raise UserError("--candidates names none; see `screen rank RUN` for the names, or use --top.")
    return found


def pick_settings(name: str | None, engine: str | None) -> ValidationSettings:
    """Settings by name, or the engine's default ones.

    Raises
    ------
    UserError
        For an unknown engine or name, or settings of another engine.
    """
    from screening.names import nearest
    from screening.validation.programs import ENGINES, load_validation_settings

    if engine is not None and engine not in ENGINES:
        raise UserError(f"there is no engine {engine!r}; {nearest(engine, ENGINES)}.")
    settings = load_validation_settings(name or VALIDATION[engine or "vasp"])
    if engine is not None and settings.engine != engine:
        raise UserError(
            f"the settings {settings.name} are for {settings.engine}, not {engine}; leave one of the two out."
        )
    return settings


def check_root(root: Path, run: Path, settings: ValidationSettings) -> None:
    """Refuse a folder that holds something else than this validation, before anything is written.

    Raises
    ------
    UserError
        Says what it holds.
    """
    from screening.validation.folders.manifest import check_manifest
    from screening.validation.jobs import MANIFEST, read_manifest

    if root.exists() and not root.is_dir():
        raise UserError(f"{root} is a file; give --out a folder.")
    if (root / MANIFEST).is_file():
        check_manifest(read_manifest(root), run=run, settings=settings)
    elif root.is_dir() and any(path.name != ".lock" for path in root.iterdir()):
        raise UserError(f"{root} is not empty and is no validation folder; choose another --out.")


def _write(plan: Plan, root: Path, stored: StoredRun, program: _Program) -> Validation:
    """Write job folders and the manifest."""
    from screening.campaign.validate import potential_records
    from screening.validation.folders.folders import state_of
    from screening.validation.folders.manifest import write_manifest
    from screening.validation.programs import make_engine
    from screening.validation.runner import write_jobs

    kept = [job.name for job in plan.jobs if state_of(root / job.name) in ("started", "edited")]
    # the manifest first: without it a folder that a kill left half written would not be known again
    manifest = write_manifest(
        root,
        plan.jobs,
        run=stored.folder,
        settings=program.settings,
        mlip_fidelity=potential_records(stored)[0].fidelity,
        missing=plan.missing,
        kept=kept,
    )
    write_jobs(plan.jobs, root, program.write, lambda: program.engine or make_engine(program.settings))
    return Validation(folder=root, manifest=manifest, missing=plan.missing, kept=kept)


def _writer(settings: ValidationSettings, engine: Engine | None) -> Write:
    """What writes the inputs of one job; VASP's need no engine and none of its packages."""
    from screening.validation.programs import make_engine
    from screening.validation.vasp.inputs import write_vasp_inputs
    from screening.validation.vasp.settings import VaspSettings

    if isinstance(settings, VaspSettings):
        return lambda job, folder: write_vasp_inputs(job, settings, folder)
    return (engine or make_engine(settings)).write
