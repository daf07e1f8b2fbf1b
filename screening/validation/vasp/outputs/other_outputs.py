"""Outputs that are not read, by name or first lines, and what to give instead of them."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence
from pathlib import Path

from screening.validation.vasp.outputs.bands import SUFFIXES, is_filled

HEAD = 4000  # characters in which a program prints its banner
SHOWN = 3
INPUTS = frozenset({"INCAR", "POSCAR", "KPOINTS", "POTCAR", "POTCAR.spec"})
# https://www.vasp.at/wiki/index.php/Category:Files; a log may bear any name
OF_VASP = (
    "OSZICAR", "CONTCAR", "XDATCAR", "WAVECAR", "CHGCAR", "CHG", "EIGENVAL", "DOSCAR", "PROCAR", "LOCPOT", "PCDAT",
    "REPORT", "ML_AB", "ML_ABN", "ML_LOGFILE", "ML_FFN", "vasp.out", "vasp.log", "vaspwave.h5",
)  # fmt: skip
H5 = "vaspout*.h5"
AS_EXTXYZ = "write its frames with energies and forces as extended XYZ with ASE: `ase convert {name} frames.extxyz`"
BY_NAME = {
    H5: "{name} is not read: give the vasprun.xml or OUTCAR of the same run",
    "*.traj": "{name} is an ASE trajectory, which is not read: " + AS_EXTXYZ,
    "*.db": "{name} is a database, which is not read: " + AS_EXTXYZ,
    "*.castep": "{name} is an output of CASTEP, which is not read: " + AS_EXTXYZ,
    "*.abo": "{name} is an output of ABINIT, which is not read: " + AS_EXTXYZ,
    "*.pwo": "{name} is an output of Quantum ESPRESSO, which is not read: " + AS_EXTXYZ,
    "pwscf.xml": "{name} is an output of Quantum ESPRESSO, which is not read: " + AS_EXTXYZ,
    "data-file-schema.xml": "{name} is an output of Quantum ESPRESSO, which is not read: " + AS_EXTXYZ,
    "aims.out": "{name} is an output of FHI-aims, which is not read: " + AS_EXTXYZ,
    "*.lmdb": "{name} is a database, which is not read: write its frames as extended XYZ",
    "*.h5": "{name} is not read: write its frames as extended XYZ",
    "*.hdf5": "{name} is not read: write its frames as extended XYZ",
    "*xyz.gz": "{name} is compressed: unpack it first",
    "*xyz.bz2": "{name} is compressed: unpack it first",
    "*xyz.xz": "{name} is compressed: unpack it first",
    "*.tar": "{name} is an archive, which is not opened: unpack it first",
    "*.tar.*": "{name} is an archive, which is not opened: unpack it first",
    "*.tgz": "{name} is an archive, which is not opened: unpack it first",
    "*.zip": "{name} is an archive, which is not opened: unpack it first",
    "*.7z": "{name} is an archive, which is not opened: unpack it first",
}
BY_BANNER = {
    # of GPAW 26, and of those before
    r"\|__\|\|  \| \|\||\|__ \|  _\|___\|_____\|": "{name} is a GPAW log, which is not read: give the .gpw file",
    r"Program PWSCF": BY_NAME["*.pwo"],
    r"CP2K\|": "{name} is an output of CP2K, which is not read: " + AS_EXTXYZ,
    r"Invoking FHI-aims|FHI-aims version": BY_NAME["aims.out"],
    r"CASTEP version|CCC   AA    SSS": BY_NAME["*.castep"],
    r"Version\s+[\d.]+\s+of ABINIT": BY_NAME["*.abo"],
    r"Welcome to SIESTA|Siesta Version": "{name} is an output of SIESTA, which is not read: " + AS_EXTXYZ,
    r"\* O   R   C   A \*|Entering Gaussian System": "{name} is of a molecular program, whose energies are not used",
    r"running on\s+\d+\s+(total cores|nodes|mpi-ranks)|\bvasp\.\d": (
        "{name} is VASP's log, which holds no structures: give the vasprun.xml or OUTCAR of the same run"
    ),
}
TEXT = (".txt", ".log", ".out", ".xml", "")


def why_no_output(folder: Path, files: Sequence[Path] | None = None) -> str | None:
    """Why what a job left is not read although it ran; None when nothing here shows that anything ran."""
    if files is None:
        try:
            files = sorted(path for path in folder.iterdir() if path.is_file())
        except OSError as error:
            return f"it cannot be opened ({error.strerror})"
    for file in files:
        if fnmatch.fnmatch(file.name, H5):
            return BY_NAME[H5].format(name=file.name)
    left = [file.name for file in files if _is_of_vasp(file)]
    if left:
        shown = ", ".join(left[:SHOWN]) + (", ..." if len(left) > SHOWN else "")
        verb = "shows" if len(left) == 1 else "show"
        return f"{shown} {verb} that the job ran, but its vasprun.xml and OUTCAR are missing: put one of them here"
    return next((reason for file in files if (reason := why_not_read(file)) is not None), None)


def why_not_read(file: Path) -> str | None:
    """What a file of another program is, and what to give instead; None for one that is unknown."""
    for pattern, reason in BY_NAME.items():
        if fnmatch.fnmatch(file.name, pattern):
            return reason.format(name=file.name)
    if file.suffix.lower() not in TEXT or file.name in INPUTS:
        return None
    try:
        with file.open("rb") as opened:
            head = opened.read(HEAD).decode("utf-8", errors="replace")
    except OSError as error:
        return f"{file.name} cannot be opened ({error.strerror})"
    return next((text.format(name=file.name) for mark, text in BY_BANNER.items() if re.search(mark, head)), None)


def _is_of_vasp(file: Path) -> bool:
    names = {f"{name}{suffix}" for name in OF_VASP for suffix in SUFFIXES}
    return file.name in names and is_filled(file)
