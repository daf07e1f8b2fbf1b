"""Start a VASP job again from what an earlier start left, without losing anything of it."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

from screening.structures.elements import BadStructure
from screening.structures.files.poscar_file import read_poscar
from screening.validation.vasp.outputs.bands import image_folders

logger = logging.getLogger(__name__)

INPUTS = ("INCAR", "KPOINTS", "POSCAR")
OUTPUTS = (
    "vasprun.xml", "OUTCAR", "OSZICAR", "CONTCAR", "XDATCAR", "vasp.out", "std_err.txt", "custodian.json", "DOSCAR",
    "EIGENVAL", "IBZKPT", "PROCAR", "REPORT", "PCDAT",
)  # fmt: skip


def keep_inputs(folder: Path) -> None:
    """Copy the inputs as they were written to ``*.orig`` once: custodian and restarts change them."""
    for place in (folder, *image_folders(folder)):
        for name in INPUTS:
            if (place / name).is_file() and not (place / f"{name}.orig").exists():
                shutil.copy(place / name, place / f"{name}.orig")


def prepare_restart(folder: Path) -> bool:
    """Put outputs of an earlier start into ``earlier.N.tar.gz`` and its last structure into POSCAR.

    (Custodian unpacks that to ``.tar``, as everything compressed, when it starts.) The outputs are removed after that:
    a start that dies at once must not be judged by them. WAVECAR and CHGCAR stay, since VASP goes on from them.

    Returns
    -------
    Whether there was an earlier start.
    """
    from custodian.utils import backup

    began = False
    for place in image_folders(folder) or [folder]:
        began |= any(_filled(place / name) for name in ("OUTCAR", "vasprun.xml", "OSZICAR", "CONTCAR"))
    if not began and not _filled(folder / "OUTCAR"):
        return False
    for place in (folder, *image_folders(folder)):
        left = [name for name in OUTPUTS if (place / name).is_file()]
        if left:
            backup([*left, *INPUTS], prefix="earlier", directory=str(place))
            _take_structure(place)
            for name in left:
                (place / name).unlink()
    return True


def _take_structure(place: Path) -> None:
    """CONTCAR becomes POSCAR when it is whole and of the same atoms; a killed VASP may leave half a file."""
    contcar, poscar = place / "CONTCAR", place / "POSCAR"
    if not _filled(contcar) or not poscar.is_file():
        return
    try:
        last, first = (read_poscar(path.read_text(encoding="utf-8"))[0] for path in (contcar, poscar))
    except (BadStructure, UnicodeDecodeError) as error:
        logger.warning("%s is broken and not used for the restart (%s)", contcar, error)
        return
    if last.get_chemical_symbols() == first.get_chemical_symbols():
        shutil.copy(contcar, poscar)


def _filled(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0
