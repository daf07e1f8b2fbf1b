"""DFT labels for any structures: one folder per structure, resumable, the same engine as validation."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ase import Atoms

from screening.engine.running.runlock import FolderInUse, run_lock
from screening.errors import UserError
from screening.structures.files import structure_file
from screening.validation.gpaw.settings import GpawSettings
from screening.validation.job_details import LabelJobDetails
from screening.validation.jobs import Job
from screening.validation.protocols import CalculationFailed, Engine


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """What became of each structure, by name."""

    computed: list[str]
    known: list[str]
    failed: dict[str, str]
    taken: list[str]


def named_structures(path: Path) -> dict[str, Atoms]:
    """Structures of a file by their name (``info["name"]``, otherwise the file's name and a number).

    Raises
    ------
    UserError
        When the file cannot be read, holds what is no ordered structure in a cell, or a name occurs twice.
    """
    named: dict[str, Atoms] = {}
    for index, atoms in enumerate(structure_file.read_structures(path)):
        name = re.sub(r"[^\w.+-]+", "_", str(atoms.info.get("name", f"{path.stem}-{index}")))
        if name in named:
            raise UserError(f"{path} holds two structures named {name}; give each its own name.")
        named[name] = atoms
    return named


def label(
    structures: dict[str, Atoms],
    engine: Engine,
    settings: GpawSettings,
    folder: Path,
    *,
    charge: int = 0,
    slab: bool = False,
    on_done: Callable[[str, str], None] = lambda name, outcome: None,
) -> Labelled:
    """Single points of all structures; finished ones are left alone, several processes of one host may share a folder.

    Parameters
    ----------
    slab
        The third axis holds a vacuum: one k-point along it, dipole correction in plane waves.
    on_done
        Called with the name and ``"computed"``, ``"known"``, ``"taken"`` (by another process) or why it failed.
    """
    outcome = Labelled(computed=[], known=[], failed={}, taken=[])
    for name, atoms in structures.items():
        own = folder / name
        if engine.is_finished(own):
            outcome.known.append(name)
            on_done(name, "known")
            continue
        with _claim(own) as mine:
            if not mine:
                outcome.taken.append(name)
                on_done(name, "taken")
                continue
            try:
                engine.write(_job(name, atoms, settings, charge=charge, slab=slab), own)
                engine.run(own)
                outcome.computed.append(name)
                on_done(name, "computed")
            except CalculationFailed as error:
                outcome.failed[name] = str(error)
                on_done(name, str(error))
    return outcome


@contextmanager
def _claim(folder: Path) -> Iterator[bool]:
    """Whether this process has the folder; the kernel drops the claim of a process that ends, however it ends."""
    with ExitStack() as stack:
        try:
            stack.enter_context(run_lock(folder))
            mine = True
        except FolderInUse:
            mine = False
        yield mine


def _job(name: str, atoms: Atoms, settings: GpawSettings, *, charge: int, slab: bool) -> Job:
    return Job(
        name=name,
        candidate=None,
        role="bulk",
        atoms=atoms,
        charge=charge,
        kpoints=settings.grid(atoms, slab=slab),
        slab=slab,
        details=LabelJobDetails(said={k: v for k, v in atoms.info.items() if isinstance(v, str | int | float)}),
    )


def smallest_first(structures: dict[str, Atoms]) -> dict[str, Atoms]:
    """The same structures, the cheap ones first."""
    return dict(sorted(structures.items(), key=lambda item: len(item[1])))


def only(structures: dict[str, Atoms], names: Sequence[str]) -> dict[str, Atoms]:
    """Those whose name begins with one of `names`; all when there are none.

    Raises
    ------
    UserError
        When nothing is left.
    """
    kept = {name: a for name, a in structures.items() if not names or any(name.startswith(n) for n in names)}
    if not kept:
        raise UserError(f"no structure has a name that begins with {' or '.join(names)}.")
    return kept
