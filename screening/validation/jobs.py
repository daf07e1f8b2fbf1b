"""What is sent to DFT: jobs, and the manifest that lists them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from ase import Atoms

from screening.errors import UserError
from screening.files import PARSE_ERRORS, read_received
from screening.inside import is_below
from screening.typed.details import Details
from screening.validation.job_details import JobDetails, NoDetails, PhaseJobDetails

D = TypeVar("D", bound=Details)

MANIFEST = "validation.yaml"

Role = Literal["bulk", "interface", "substrate", "coating", "end", "band", "vacancy", "phase"]
Relax = Literal["none", "atoms", "cell"]


@dataclass(frozen=True, kw_only=True)
class Job:
    """One calculation.

    Attributes
    ----------
    name
        Folder below the manifest's, for example ``Mg_Li-vLi-1of12/interface-y1``.
    candidate
        Candidate's name; None for what all share (competing phases).
    role
        What the energy is used for; the details below tell jobs of one role apart.
    atoms
        Start structure (for a band its first end point); `ase.constraints.FixAtoms` is respected.
    images
        For a band: all images of the potential's path, end points included.
    relax
        Nothing (single point), atoms in the given cell, or atoms and cell.
    charge
        Net charge of the cell, elementary charges.
    kpoints
        Divisions of the Gamma-centred grid.
    slab
        The cell holds a vacuum along its third axis (dipole correction).
    after
        Names of the jobs whose result this one starts from.
    details
        By role, see `job_details`.
    mlip_energy
        The potential's energy of the same (relaxed) structure, eV; None where there is none.
    """

    name: str
    candidate: str | None
    role: Role
    atoms: Atoms
    images: tuple[Atoms, ...] = ()
    relax: Relax = "none"
    charge: int = 0
    kpoints: tuple[int, int, int] = (1, 1, 1)
    slab: bool = False
    after: tuple[str, ...] = ()
    details: JobDetails = field(default_factory=NoDetails)
    mlip_energy: float | None = None

    def __post_init__(self) -> None:
        # candidates of a run that somebody sent give jobs their names, and folders of that name are written
        if not is_below(self.name):
            raise UserError(f"a job cannot be named {self.name!r}, which is no folder below the validation's.")

    @property
    def phase(self) -> str | None:
        """Name of the competing phase; None of any other job."""
        return self.details.phase if isinstance(self.details, PhaseJobDetails) else None

    @property
    def molecule(self) -> bool:
        """Whether it is a molecule in a box."""
        return isinstance(self.details, PhaseJobDetails) and bool(self.details.molecule)


def in_order(after: Mapping[str, Iterable[str]]) -> list[str]:
    """Names of jobs such that each comes after those it waits for; otherwise in the given order.

    Parameters
    ----------
    after
        Job to the jobs it waits for; names that are no jobs here are nothing to wait for.

    Raises
    ------
    UserError
        When jobs wait for each other.
    """
    sorter = TopologicalSorter({name: [one for one in others if one in after] for name, others in after.items()})
    try:
        sorter.prepare()
    except CycleError as error:
        circle = ", ".join(sorted(set(error.args[1])))
        raise UserError(f"the jobs {circle} wait for each other; write them again.") from error
    place = {name: number for number, name in enumerate(after)}
    found: list[str] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready(), key=place.__getitem__)
        found += ready
        sorter.done(*ready)
    return found


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The jobs of one validation without their structures, which lie in the jobs' folders.

    Attributes
    ----------
    folder
        Where validation.yaml lies; job folders are below it.
    run
        Folder of the run that is validated, as an absolute path when read; relative to `folder` in the file.
    settings
        Name of the validation settings.
    engine
        ``"vasp"`` or ``"gpaw"``.
    jobs
        Mappings with the fields of `Job` that are plain data, and ``n_atoms, formula, electrons, core_hours``.
    """

    folder: Path
    run: Path
    settings: str
    engine: str
    mlip_fidelity: str
    jobs: list[dict[str, Any]]

    @property
    def names(self) -> list[str]:
        return [job["name"] for job in self.jobs]


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a validation folder.

    Raises
    ------
    UserError
        When it is missing, is not a manifest, or names a job outside its folder.
    """
    path = folder / MANIFEST
    try:
        data = yaml.safe_load(read_received(path))
        return Manifest(
            folder=folder,
            run=(folder / data["run"]).resolve(),
            settings=data["settings"],
            engine=data["engine"],
            mlip_fidelity=data["mlip_fidelity"],
            jobs=[_checked(path, row) for row in data["jobs"]],
        )
    except FileNotFoundError as error:
        raise UserError(f"{folder} holds no {MANIFEST}; write it with `screen validate RUN`.") from error
    except (*PARSE_ERRORS, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is not a validation manifest; write it again with `screen validate RUN`.") from error


def said(job: Mapping[str, Any], kind: type[D]) -> D:
    """Details of a manifest's job as the dataclass of its role.

    Raises
    ------
    UserError
        When they are not those of such a job.
    """
    try:
        return kind.from_details(job.get("details") or {})
    except ValueError as error:
        raise UserError(
            f"the {job['role']} job {job['name']} of the manifest has details that cannot be read ({error}); put a "
            "backup of the manifest in place, or write it again with `screen validate RUN`"
        ) from error


def _checked(path: Path, row: dict[str, Any]) -> dict[str, Any]:
    """A job of a manifest whose names, by which folders are found, stay below the manifest's."""
    after = row.get("after") or []
    names = [row["name"], *after, *([row["same_as"]] if "same_as" in row else [])]
    if not isinstance(after, list) or not all(isinstance(text, str) for text in (row["role"], *names)):
        raise TypeError("names and roles are texts")
    if outside := [name for name in names if not is_below(name)]:
        raise UserError(
            f"{path} names a job outside its folder ({outside[0]!r}); write it again with `screen validate`."
        )
    return row
