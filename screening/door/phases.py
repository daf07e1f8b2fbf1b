"""The competing phases behind hulls and windows."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from screening.defaults import DEVICE, POTENTIAL
from screening.door.given import FILE_TO_WRITE, checked, lasting, refuse_in_starting_process
from screening.door.typed import Names, PathLike, as_path, comma_separated
from screening.errors import UserError
from screening.files import check_writable

if TYPE_CHECKING:
    from screening.engine.running.progress import Progress
    from screening.properties.stability.phase_build import Built


@dataclass(frozen=True, kw_only=True)
class ListedPhase:
    """A listed phase and what a potential says of it.

    Attributes
    ----------
    gate
        ``"ok"``, why it is quarantined, or ``"not computed"``.
    to_hull
        eV/atom from the hull of the others; None where nothing was computed.
    source
        Where its structure is from.
    """

    name: str
    space_group: int
    gate: str
    to_hull: float | None
    source: str


@checked()
def list_phases(elements: Names, potential: PathLike = POTENTIAL) -> list[ListedPhase]:
    """Listed phases of a chemical system with the shipped energies of a potential.

    Parameters
    ----------
    elements
        ``"Li,Nb,O"`` or a list.

    Raises
    ------
    UserError
        For what is no element, or a potential that cannot be loaded.
    """
    from screening.chemistry.formula import read_elements
    from screening.engine.running.records import PotentialId
    from screening.potentials.registry import load_potential
    from screening.properties.stability.phase_build import distance_to_others
    from screening.properties.stability.phase_files import shipped_energies
    from screening.structures.crystals.phases import load_phases

    facts = load_phases(read_elements(comma_separated(elements)))
    loaded = load_potential(os.fspath(potential), "cpu", self_check=False)
    energies = shipped_energies(PotentialId(loaded.name, loaded.checkpoint_sha256))
    known = {phase.name: energies.get(phase.name) for phase in facts}
    return [
        ListedPhase(
            name=phase.name,
            space_group=phase.space_group,
            gate="not computed" if (energy := known[phase.name]) is None else energy.gate,
            to_hull=None if energy is None else distance_to_others(energy, energies),
            source=phase.source,
        )
        for phase in facts
    ]


@checked(out=FILE_TO_WRITE)
def build_phases(
    potential: PathLike = POTENTIAL,
    *,
    out: PathLike | None = None,
    work: PathLike | None = None,
    start: PathLike | None = None,
    device: str = DEVICE,
    workers: int | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Built:
    """Relax every listed phase and write its energies; a build that was stopped continues.

    Parameters
    ----------
    out
        File to write; ``datasets/energies/<potential>.json`` when None.
    work
        Folder of the store; ``runs/phases-<potential>`` when None.
    start
        Start from the crystals of another potential's finished build.
    workers
        Engine processes on CPU; one per core when None.

    Raises
    ------
    UserError
        For the potential, the device, the number of workers, or an `out` that is no energies file.
    """
    from screening.campaign.checks import check_workers
    from screening.engine.running.workforce import Workforce
    from screening.process.cores import available_cores
    from screening.properties.stability.phase_build import build_energies
    from screening.properties.stability.phase_files import shipped_path

    refuse_in_starting_process()
    name = os.fspath(potential)
    target = shipped_path(name) if out is None else Path(out)
    check_workers(workers, available_cores())
    check_target(target)
    return build_energies(
        Workforce(potential_name=name, device=device, workers=workers or available_cores()),
        target,
        work=lasting(Path("runs") / f"phases-{name.replace(':', '-')}") if work is None else Path(work),
        start=as_path(start),
        on_progress=on_progress,
    )


def check_target(target: Path) -> None:
    """Refuse a file of energies that could not be written in the end, before hours are spent on them.

    Raises
    ------
    UserError
        Says what stands in its place.
    """
    if target.is_dir():
        raise UserError(f"{target} is a folder; give --out a file, such as {target / 'energies.json'}.")
    check_writable(target.parent, "--out")


@checked()
def phase_entry(structure: PathLike, source: str, name: str | None = None) -> dict[str, Any]:
    """A structure as an entry for datasets/phases.

    Parameters
    ----------
    structure
        CIF, POSCAR or another structure file.
    source
        Where it is from.
    name
        Of the phase; its formula when None.

    Raises
    ------
    UserError
        When the file cannot be read, or its symmetry does not give it back.
    """
    from pymatgen.io.ase import AseAtomsAdaptor

    from screening.structures.crystals.phase_entry import entry_from_structure
    from screening.structures.files.structure_file import read_structure

    crystal = AseAtomsAdaptor.get_structure(read_structure(Path(structure)))
    return entry_from_structure(crystal, name=name or crystal.composition.reduced_formula, source=source)
