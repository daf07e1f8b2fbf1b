"""DFT energies and forces of any structures."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from screening.defaults import VALIDATION
from screening.door.given import checked
from screening.door.typed import Names, PathLike
from screening.errors import UserError

if TYPE_CHECKING:
    from ase import Atoms

    from screening.validation.label import Labelled


@checked()
def label(
    structures: PathLike | Mapping[str, Atoms],
    out: PathLike,
    *,
    settings: PathLike = VALIDATION["gpaw"],
    only: Names | None = None,
    charge: int = 0,
    slab: bool = False,
    max_atoms: int | None = None,
    on_done: Callable[[str, str], None] | None = None,
) -> Labelled:
    """Compute single points (energy, forces) with GPAW, which `ingest` reads; the same as `screen label`.

    Parameters
    ----------
    structures
        A file (extxyz, CIF, POSCAR, ...), or atoms by name.
    out
        Folder; one sub-folder a structure, a stopped call continues.
    settings
        ``"gpaw-pbe"``, ``"gpaw-gamma"``, ``"gpaw-lcao"`` or a YAML file.
    only
        Names that begin with this, or with one of these.
    charge
        Net charge of each cell, e.
    slab
        The third axis holds a vacuum.
    max_atoms
        Leave out larger cells.
    on_done
        Called with the name of a structure and what became of it.

    Raises
    ------
    UserError
        For structures, settings or names that cannot be used, or where GPAW is missing.
    """
    from screening.validation import label as labels
    from screening.validation.gpaw.settings import GpawSettings
    from screening.validation.programs import load_validation_settings, make_engine

    chosen = load_validation_settings(os.fspath(settings))
    if not isinstance(chosen, GpawSettings):
        raise UserError(f"{settings} are settings of {chosen.engine}; label computes with GPAW, give gpaw-pbe.")
    found = _own(structures) if isinstance(structures, Mapping) else labels.named_structures(Path(structures))
    found = labels.only(found, [only] if isinstance(only, str) else only or [])
    if max_atoms is not None:
        found = {name: atoms for name, atoms in found.items() if len(atoms) <= max_atoms}
    engine = make_engine(chosen)
    engine.check()
    return labels.label(
        labels.smallest_first(found),
        engine,
        chosen,
        Path(out),
        charge=charge,
        slab=slab,
        on_done=on_done or (lambda name, outcome: None),
    )


def _own(structures: Mapping[str, Atoms]) -> dict[str, Atoms]:
    """Structures that a notebook holds.

    Raises
    ------
    UserError
        For none, or what is not `ase.Atoms` by name.
    """
    from ase import Atoms

    if not structures:
        raise UserError("structures is empty; give a mapping of names to ase.Atoms, or a file.")
    for name, atoms in structures.items():
        if not isinstance(name, str) or not isinstance(atoms, Atoms):
            raise UserError(f"structures holds {type(atoms).__name__} by the name {name!r}; give ase.Atoms by text.")
    return dict(structures)
