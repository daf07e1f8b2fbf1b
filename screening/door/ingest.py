"""Finished DFT calculations into the training set, and into the run that asked for them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from screening.defaults import DATA
from screening.door.given import PATHS, checked
from screening.door.typed import PathLike, as_paths, as_text

if TYPE_CHECKING:
    from screening.validation.ingest.ingest import IngestReport


@checked(paths=PATHS)
def ingest(
    paths: PathLike | Sequence[PathLike],
    *,
    data: PathLike = DATA,
    settings: PathLike | None = None,
    accept_method: bool = False,
    allow_simulated: bool = False,
) -> IngestReport:
    """Check finished calculations and keep them: records for their run, frames for `retrain`; as `screen ingest`.

    Parameters
    ----------
    paths
        Folders or files with VASP, GPAW or extxyz results, in any layout.
    data
        Folder of the training set.
    settings
        Validation settings they were made with (a name or a YAML file); None takes those of the manifest above them,
        or the shipped ones they agree with.
    accept_method
        Keep calculations that agree with no settings under a name of their own method.
    allow_simulated
        Also keep what only pretends to be VASP; for trying out the loop.

    Returns
    -------
    IngestReport
        What was taken in, what was not and why.

    Raises
    ------
    UserError
        When a path does not exist, or the settings or the data folder cannot be read.
    """
    from screening.validation.ingest.ingest import IngestRules
    from screening.validation.ingest.ingest import ingest as take_in

    options = IngestRules(settings=as_text(settings), allow_simulated=allow_simulated, accept_method=accept_method)
    return take_in(as_paths(paths), Path(data), options)
