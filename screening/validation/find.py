"""Find calculations below a folder, whatever its layout."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from screening.validation.calculation import Calculation, CalculationUnreadable
from screening.validation.read_extxyz import read_extxyz
from screening.validation.read_gpaw import OWN_INPUT, is_gpaw_log, read_gpaw, read_gpw
from screening.validation.read_vasp import image_folders, present, read_files, read_vasp

VASPRUN = re.compile(r"(?P<before>.*)vasprun(?P<middle>.*?)\.xml(?P<after>.*)")
OUTCAR = re.compile(r"(.+[._-])?OUTCAR([._-].+)?")
NO_OUTPUT = re.compile(r".*\.(orig|partial|tar|tar\.gz|json|yaml|txt)")
COMPRESSED = re.compile(r"\.(gz|bz2|xz)$")
SHOWN = 3


@dataclass(frozen=True)
class Found:
    """Something that is a calculation, or a folder or file that is none.

    Attributes
    ----------
    path
        Folder, or the file where one folder holds several calculations.
    read
        Reads it; raises `CalculationUnreadable` with the reason when it cannot.
    """

    path: Path
    read: Callable[[], list[Calculation]]


def find_calculations(path: Path, *, skip: Path | None = None) -> Iterator[Found]:
    """Calculations at and below `path` in a stable order; folders that hold none come with their reason.

    A VASP folder holds vasprun.xml or OUTCAR, plain, compressed or with a suffix (``vasprun.xml.relax2.gz``); a band
    holds image folders 00, 01, ...; a GPAW folder of this program holds calculation.json; ``*.gpw`` and ``*.extxyz``
    or ``*.xyz`` files are calculations anywhere.

    Parameters
    ----------
    skip
        A folder that is left out: the data folder itself.
    """
    if path.is_file():
        yield _file(path)
        return
    yield from _walk(path, {skip.resolve()} if skip else set())


def _walk(folder: Path, seen: set[Path]) -> Iterator[Found]:
    """Folders in `seen` are left out; a link may lead back to where the walk came from."""
    if folder.resolve() in seen:
        return
    seen.add(folder.resolve())
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        yield _refused(folder, f"it cannot be opened ({error.strerror})")
        return
    files = [entry for entry in entries if entry.is_file() and not entry.name.startswith(".")]
    folders = [entry for entry in entries if entry.is_dir() and not entry.name.startswith(".")]
    images = image_folders(folder)
    found = list(_band(folder, images, files) if images else _here(folder, files))
    yield from found
    below = [entry for entry in folders if entry not in images]
    if not found and not below:
        yield _nothing(folder, files)
    for entry in below:
        yield from _walk(entry, seen)


def _band(folder: Path, images: list[Path], files: list[Path]) -> Iterator[Found]:
    """A band is one calculation per image; the outputs beside the image folders only repeat them."""
    if any(present(image / name) for image in images for name in ("vasprun.xml", "OUTCAR")):
        yield Found(folder, lambda: read_vasp(folder))
    else:
        yield _nothing(folder, files)


def _here(folder: Path, files: list[Path]) -> Iterator[Found]:
    names = [file.name for file in files]
    vaspruns = [file for file in files if VASPRUN.fullmatch(file.name) and not NO_OUTPUT.fullmatch(file.name)]
    outcars = [file for file in files if OUTCAR.fullmatch(file.name) and not NO_OUTPUT.fullmatch(file.name)]
    if len(vaspruns) <= 1 and len(outcars) <= 1:
        if vaspruns or outcars:
            vasprun, outcar = (files[0] if files else None for files in (vaspruns, outcars))
            yield Found(folder, lambda: [read_files(folder, vasprun=vasprun, outcar=outcar)])
    else:
        yield from _several(folder, vaspruns, outcars)
    own_gpaw = OWN_INPUT in names
    if own_gpaw:
        yield Found(folder, lambda: read_gpaw(folder))
    for file in files:
        if file.suffix == ".gpw" or (not own_gpaw and file.suffix in (".extxyz", ".xyz")):
            yield _file(file)


def _several(folder: Path, vaspruns: list[Path], outcars: list[Path]) -> Iterator[Found]:
    """Several runs in one folder: each vasprun.xml with the OUTCAR of the same suffix, and what is left."""
    left = {_stem(file.name): file for file in outcars}
    for vasprun in vaspruns:
        yield _one(vasprun, vasprun=vasprun, outcar=left.pop(_stem(vasprun.name), None))
    for outcar in left.values():
        yield _one(outcar, vasprun=None, outcar=outcar)


def _one(path: Path, *, vasprun: Path | None, outcar: Path | None) -> Found:
    return Found(path, lambda: [read_files(path.parent, vasprun=vasprun, outcar=outcar)])


def _stem(name: str) -> str:
    """What the names of the two outputs of one run share: all but ``vasprun``, ``.xml``, OUTCAR and the compression."""
    return COMPRESSED.sub("", name).replace("vasprun", "").replace(".xml", "").replace("OUTCAR", "").strip("._-")


def _file(path: Path) -> Found:
    if VASPRUN.fullmatch(path.name):
        return _one(path, vasprun=path, outcar=present(path.parent / "OUTCAR"))
    if OUTCAR.fullmatch(path.name):
        return _one(path, vasprun=None, outcar=path)
    if path.suffix == ".gpw":
        return Found(path, lambda: [read_gpw(path)])
    if path.suffix in (".extxyz", ".xyz"):
        return Found(path, lambda: read_extxyz(path))
    return _refused(path, "it is no vasprun.xml, OUTCAR, .gpw or .extxyz file")


def _nothing(folder: Path, files: list[Path]) -> Found:
    names = {file.name for file in files}
    log = next((file for file in files if file.suffix in (".txt", ".log", ".out") and is_gpaw_log(file)), None)
    if {"INCAR", "POSCAR"} & names or image_folders(folder):
        reason = "it holds inputs without results: the job was not run yet"
    elif log is not None:
        reason = f"{log.name} is a GPAW log, which is not read: give the .gpw file"
    elif not files:
        reason = "it is empty"
    else:
        shown = ", ".join(sorted(names)[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
        reason = f"it is no calculation (it holds {shown})"
    return _refused(folder, reason)


def _refused(path: Path, reason: str) -> Found:
    def read() -> list[Calculation]:
        raise CalculationUnreadable(reason)

    return Found(path, read)
