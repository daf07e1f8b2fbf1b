"""`screen validate RUN`: send the best candidates of a run to DFT."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from screening.cli.own_name import own_command
from screening.cli.progress import sign_of_life
from screening.errors import UserError

VPMDK = "vpmdk"
"""Stands in for VASP; what it computes is taken in with --allow-simulated only."""

if TYPE_CHECKING:
    from rich.console import Console

    from screening.validation.jobs import Manifest
    from screening.validation.plan.screened import Plan
    from screening.validation.protocols import Engine, ValidationSettings
    from screening.validation.runner import Event, Outcome

WHAT, HOW, RUN = "What is validated", "How it is computed", "Running it here"

DEFAULT_SETTINGS = {"vasp": "kim2026", "gpaw": "gpaw-pbe"}
GPAW_MAX_ATOMS = 60
"""Largest cell that `--run` computes with GPAW unless --max-atoms says otherwise."""


def validate_command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run, or its name below runs/.")],
    top: Annotated[
        int | None,
        typer.Option("--top", min=1, help="Best ranked doped candidates.", show_default="3", rich_help_panel=WHAT),
    ] = None,
    candidates: Annotated[
        str | None, typer.Option("--candidates", help="Names instead of --top, comma-separated.", rich_help_panel=WHAT)
    ] = None,
    only: Annotated[
        str | None,
        typer.Option(
            "--only", help="Some of bulk,interface,hops,vacancy,phases.", show_default="all", rich_help_panel=WHAT
        ),
    ] = None,
    settings: Annotated[
        str | None,
        typer.Option(
            "--settings",
            help="kim2026, mp, gpaw-pbe, or a YAML file.",
            show_default="kim2026, gpaw-pbe with gpaw",
            rich_help_panel=HOW,
        ),
    ] = None,
    engine: Annotated[
        str | None, typer.Option("--engine", help="vasp or gpaw.", show_default="vasp", rich_help_panel=HOW)
    ] = None,
    static: Annotated[
        bool, typer.Option("--static", help="Single points on the potential's structures.", rich_help_panel=HOW)
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="Folder of the jobs.", show_default="RUN/validation/<settings>", rich_help_panel=HOW
        ),
    ] = None,
    run_now: Annotated[bool, typer.Option("--run", help="Run the jobs here, in order.", rich_help_panel=RUN)] = False,
    command: Annotated[
        str | None, typer.Option("--command", help="Starts VASP: 'mpirun -n 32 vasp_std'.", rich_help_panel=RUN)
    ] = None,
    max_atoms: Annotated[
        int | None,
        typer.Option(
            "--max-atoms", min=1, help="Skip larger cells.", show_default="none; gpaw: 60", rich_help_panel=RUN
        ),
    ] = None,
) -> None:
    """Write everything DFT needs for the best candidates of a run, and run it if wanted.

    Called again it goes on: jobs that were started or edited are left alone, those that start from a finished one take
    its result.
    """
    sign_of_life()
    from screening.campaign.load import find_run, load_run
    from screening.campaign.validate import choose, plan_validation
    from screening.engine.running.runlock import run_lock
    from screening.report.console import make_console
    from screening.validation.plan.plan import roles_of

    roles = None if only is None else roles_of(only)
    if top is not None and candidates is not None:
        raise UserError("--top and --candidates both choose candidates; give one of them.")
    chosen_settings = pick_settings(settings, engine)
    if command is not None and not run_now:
        raise UserError("--command starts VASP, which only --run does; add --run or leave --command out.")
    # before anything is written: an engine that cannot run is an error of the command line
    runs_here = _engine(chosen_settings, command) if run_now else None
    if runs_here is not None:
        runs_here.check()
    stored = load_run(find_run(run))
    chosen = choose(stored, names=split_names(candidates), top=top)
    root = out if out is not None else stored.folder / "validation" / chosen_settings.name
    check_root(root, stored.folder, chosen_settings)
    plan = plan_validation(stored, chosen_settings, chosen, only=roles, static=static)
    console = make_console()
    with run_lock(root):
        manifest = _write(console, plan, root, stored, chosen_settings, command)
        if runs_here is None:
            _say_what_next(console, manifest)
            return
        limit = GPAW_MAX_ATOMS if max_atoms is None and chosen_settings.engine == "gpaw" else max_atoms
        outcomes = _run(console, plan, root, runs_here, limit)
    simulated = ["--allow-simulated"] if VPMDK in shlex.split(command or "") else []
    _print_outcomes(console, outcomes, own_command("ingest", root, *simulated))
    if any(outcome.status == "failed" for outcome in outcomes):
        raise typer.Exit(1)


def split_names(text: str | None) -> list[str]:
    """Names of a comma-separated list.

    Raises
    ------
    UserError
        When the list is there but empty.
    """
    if text is None:
        return []
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise UserError("--candidates names none; see `screen rank RUN` for the names, or use --top.")
    return names


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
    settings = load_validation_settings(name or DEFAULT_SETTINGS[engine or "vasp"])
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


def _engine(settings: ValidationSettings, command: str | None) -> Engine:
    from screening.validation.programs import make_engine

    return make_engine(settings, command=command)


def _writer(settings: ValidationSettings) -> Callable[..., None]:
    """What writes the inputs of one job; VASP's need no engine and none of its packages."""
    from screening.validation.vasp.inputs import write_vasp_inputs
    from screening.validation.vasp.settings import VaspSettings

    if isinstance(settings, VaspSettings):
        return lambda job, folder: write_vasp_inputs(job, settings, folder)
    return _engine(settings, None).write


def _write(
    console: Console, plan: Plan, root: Path, stored: Any, settings: ValidationSettings, command: str | None
) -> Manifest:
    """Write job folders and the manifest, and say what there is."""
    from screening.campaign.validate import potential_records
    from screening.validation.folders.folders import state_of
    from screening.validation.folders.manifest import write_manifest
    from screening.validation.runner import write_jobs

    kept = [job.name for job in plan.jobs if state_of(root / job.name) in ("started", "edited")]
    # the manifest first: without it a folder that a kill left half written would not be known again
    manifest = write_manifest(
        root,
        plan.jobs,
        run=stored.folder,
        settings=settings,
        mlip_fidelity=potential_records(stored)[0].fidelity,
        missing=plan.missing,
        kept=kept,
    )
    write_jobs(plan.jobs, root, _writer(settings), lambda: _engine(settings, command))
    _print_manifest(console, manifest, kept)
    for reason in plan.missing:
        console.print(f"not planned: {reason}", highlight=False)
    return manifest


def _print_manifest(console: Console, manifest: Manifest, kept: Sequence[str]) -> None:
    from rich.table import Table

    table = Table(
        "role", "jobs", "largest, atoms", "core-hours, about", title=f"{manifest.folder} ({manifest.settings})"
    )
    own = [job for job in manifest.jobs if "same_as" not in job]
    for role in dict.fromkeys(job["role"] for job in own):
        rows = [job for job in own if job["role"] == role]
        hours = sum(job["core_hours"] for job in rows)
        table.add_row(role, str(len(rows)), str(max(job["n_atoms"] for job in rows)), f"{hours:,.0f}")
    console.print(table)
    twins = len(manifest.jobs) - len(own)
    if twins:
        console.print(f"{twins} more jobs equal another one (same_as in the manifest) and take its result.")
    if kept:
        console.print(f"{len(kept)} jobs were started or edited and are as they were.")
    console.print("Core-hours are an order of magnitude; see validation.yaml for how they are estimated.")


def _say_what_next(console: Console, manifest: Manifest) -> None:
    waits = any(job["after"] for job in manifest.jobs)
    folder = manifest.folder
    lines = [f"Next: run the jobs below {folder} (here: add --run)."]
    if manifest.engine == "vasp":
        lines.append("Put a POTCAR into each folder by its POTCAR.spec, unless pymatgen wrote it.")
    if waits:
        lines.append("Call this again when end points and bulk are done: bands and delithiated cells start from them.")
    lines.append(f"Then: {own_command('ingest', folder)}")
    console.print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)


def _run(console: Console, plan: Plan, root: Path, engine: Engine, max_atoms: int | None) -> list[Outcome]:
    from screening.validation.runner import run_jobs

    def tell(event: Event) -> None:
        if event.outcome is None:
            console.print(f"[{event.number}/{event.total}] {event.name}", highlight=False, markup=False)
        elif event.outcome.status != "done" or event.outcome.reason:
            text = f"    {event.outcome.status}: {event.outcome.reason}"
            console.print(text, highlight=False, markup=False, soft_wrap=True)
        else:
            console.print(f"    done in {event.outcome.wall_s:.0f} s", highlight=False)

    return run_jobs(plan.jobs, engine, root, max_atoms=max_atoms, on_event=tell)


def _print_outcomes(console: Console, outcomes: Sequence[Outcome], next_command: str) -> None:
    from rich.table import Table

    table = Table("job", "status", "reason")
    for outcome in outcomes:
        table.add_row(outcome.name, outcome.status, outcome.reason)
    console.print(table)
    counts = {s: sum(o.status == s for o in outcomes) for s in ("done", "failed", "skipped")}
    console.print(", ".join(f"{n} {status}" for status, n in counts.items()))
    if counts["failed"] or counts["skipped"]:
        console.print("The same command goes on with what is not done.", highlight=False)
    console.print(f"Next: {next_command}", highlight=False, markup=False, soft_wrap=True)
