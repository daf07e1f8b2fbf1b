"""What lies on disk, read back: runs and potentials."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from screening.defaults import DEVICE, POTENTIAL
from screening.door.given import KINDS, checked, lasting
from screening.door.typed import PathLike

if TYPE_CHECKING:
    from screening.campaign.load import StoredRun
    from screening.potentials.base import Potential


@runtime_checkable
class InFolder(Protocol):
    """Anything that knows its run folder: a result of `screen`, a run that was loaded."""

    @property
    def folder(self) -> Path: ...


AnyRun = PathLike | InFolder
"""A run by its folder, by its name below runs/, or as what `screen` or `load_run` returned."""


@checked()
def load_run(run: AnyRun) -> StoredRun:
    """A run's settings, candidates, records and structures, read from its folder; nothing is computed.

    Parameters
    ----------
    run
        Its folder, its name below runs/, or what `screen` returned. A run that is loaded already stays as it is.

    Raises
    ------
    UserError
        When there is no such run, or its summary or store cannot be read.
    """
    from screening.campaign.load import StoredRun, find_run
    from screening.campaign.load import load_run as read

    if isinstance(run, StoredRun):
        return run
    return read(lasting(run.folder if isinstance(run, InFolder) else find_run(Path(run))))


@checked(name=KINDS["potential"])
def load_potential(name: PathLike = POTENTIAL, device: str = DEVICE, *, self_check: bool = True) -> Potential:
    """A potential by its name, as `screen` uses it: energies, forces and stresses of batches of atoms.

    Parameters
    ----------
    name
        As `--potential` takes it, for example ``"chgnet"``, ``"sevennet-0"`` or ``"models/NAME"``.
    device
        ``"auto"``, ``"cpu"`` or ``"cuda"``.
    self_check
        Relax LiNbO3 first and refuse a potential whose lattice is off.

    Raises
    ------
    UserError
        For an unknown name, a device that is not there, or a model that cannot be loaded or fails its check.
    """
    from screening.potentials.registry import load_potential as load

    return load(os.fspath(name), device, self_check=self_check)
