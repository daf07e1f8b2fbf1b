"""Find calculations below a folder, whatever its layout."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from screening.training_data.calculation import Calculation, CalculationUnreadable
from screening.validation.gpaw.read import JOB, read_gpaw_folder, read_gpw
from screening.validation.ingest.read_extxyz import read_extxyz
from screening.validation.vasp.outputs.bands import image_folders, is_filled, numbered_folders, present, why_no_band
from screening.validation.vasp.outputs.other_outputs import why_no_output
from screening.validation.vasp.outputs.read_vasp import read_files, read_vasp

VASPRUN = re.compile(r"(?P<before>.*)vasprun(?P<middle>.*?)\.xml(?P<after>.*)")
OUTCAR = re.compile(r"(.+[._-])?OUTCAR([._-].+)?")
NO_OUTPUT = re.compile(r".*\.(orig|partial|tar|tar\.gz|json|yaml|txt)")
COMPRESSED = re.compile(r"\.(gz|bz2|xz)$")
SINGLE_FILES = (".gpw", ".extxyz", ".xyz")
NOT_RUN = "it holds inputs without results: the job was not run yet"
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
    try:
        is_file = path.is_file()
    except OSError as error:
        yield _refused(path, f"it cannot be opened ({error.strerror})")
        return
    if is_file:
        yield _file(path)
        return
    yield from _walk(path, {Path(os.path.realpath(skip))} if skip else set())


def _walk(root: Path, seen: set[Path]) -> Iterator[Found]:
    """Folders in `seen` are left out; a link may lead back to where the walk came from.

    What cannot be opened is one more thing with a reason: it must not end the walk.
    """
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        try:
            place = Path(os.path.realpath(folder))
            if place in seen:
                continue
            seen.add(place)
            entries = sorted(folder.iterdir())
        except OSError as error:
            yield _refused(folder, f"it cannot be opened ({error.strerror})")
            continue
        files, folders, odd = _sorted_out(entries)
        images = image_folders(folder)
        no_band = why_no_band(folder)
        if no_band is not None:
            found = [_refused(folder, no_band)]
            images = numbered_folders(folder)
        else:
            found = list(_band(folder, images, files) if images else _here(folder, files))
        below = [entry for entry in folders if entry not in images]
        if not found:
            found = list(_nothing(folder, files, alone=not below and not odd))
        yield from found
        yield from odd
        waiting += reversed(below)


def _sorted_out(entries: Sequence[Path]) -> tuple[list[Path], list[Path], list[Found]]:
    """Files, folders, and what is neither but looks like a calculation: broken links and what may not be opened."""
    files: list[Path] = []
    folders: list[Path] = []
    odd: list[Found] = []
    for entry in entries:
        if entry.name.startswith("."):
            continue
        try:
            if entry.is_file():
                files.append(entry)
            elif entry.is_dir():
                folders.append(entry)
            elif _looks_like_output(entry.name):
                reason = "it is a link to nothing" if entry.is_symlink() else "it is neither a file nor a folder"
                odd.append(_refused(entry, reason))
        except OSError as error:
            odd.append(_refused(entry, f"it cannot be opened ({error.strerror})"))
    return files, folders, odd


def _looks_like_output(name: str) -> bool:
    known = VASPRUN.fullmatch(name) or OUTCAR.fullmatch(name) or name == JOB or Path(name).suffix in SINGLE_FILES
    return bool(known) and not NO_OUTPUT.fullmatch(name)


def _band(folder: Path, images: list[Path], files: list[Path]) -> Iterator[Found]:
    """A band is one calculation per image; the outputs beside the image folders only repeat them."""
    if any(present(image / name) for image in images for name in ("vasprun.xml", "OUTCAR")):
        yield Found(folder, lambda: read_vasp(folder))
    else:
        reasons = (why_no_output(place) for place in (*images[1:-1], *images, folder))
        reason = next((f"image folders: {text}" for text in reasons if text is not None), NOT_RUN)
        yield _refused(folder, reason)


def _here(folder: Path, files: list[Path]) -> Iterator[Found]:
    names = [file.name for file in files]
    vaspruns = [file for file in files if VASPRUN.fullmatch(file.name) and not NO_OUTPUT.fullmatch(file.name)]
    outcars = [file for file in files if OUTCAR.fullmatch(file.name) and not NO_OUTPUT.fullmatch(file.name)]
    if len(vaspruns) <= 1 and len(outcars) <= 1 and _belong_together(vaspruns, outcars):
        if vaspruns or outcars:
            vasprun, outcar = (files[0] if files else None for files in (vaspruns, outcars))
            yield Found(folder, lambda: [read_files(folder, vasprun=vasprun, outcar=outcar)])
    else:
        yield from _several(folder, vaspruns, outcars)
    own_gpaw = JOB in names
    if own_gpaw:
        yield Found(folder, lambda: read_gpaw_folder(folder))
    for file in files:
        if file.suffix == ".gpw" or (not own_gpaw and file.suffix in SINGLE_FILES):
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


def _belong_together(vaspruns: Sequence[Path], outcars: Sequence[Path]) -> bool:
    """Whether a vasprun.xml and an OUTCAR bear the same suffix, or one of them none."""
    stems = {_stem(file.name) for file in (*vaspruns, *outcars)}
    return len(stems - {""}) <= 1


def _partner(vasprun: Path) -> Path | None:
    """OUTCAR beside a vasprun.xml that is named alone: the one of the same suffix."""
    try:
        entries = sorted(vasprun.parent.iterdir())
    except OSError:  # the file itself may be readable all the same
        return None
    stem = _stem(vasprun.name)
    outcars = [e for e in entries if OUTCAR.fullmatch(e.name) and not NO_OUTPUT.fullmatch(e.name) and is_filled(e)]
    return next((entry for entry in outcars if _stem(entry.name) == stem), None)


def _file(path: Path) -> Found:
    if VASPRUN.fullmatch(path.name) and not NO_OUTPUT.fullmatch(path.name):
        return _one(path, vasprun=path, outcar=_partner(path))
    if OUTCAR.fullmatch(path.name) and not NO_OUTPUT.fullmatch(path.name):
        return _one(path, vasprun=None, outcar=path)
    if path.suffix == ".gpw":
        return Found(path, lambda: [read_gpw(path)])
    if path.suffix in SINGLE_FILES:
        return Found(path, lambda: read_extxyz(path))
    return _refused(path, why_no_output(path.parent, [path]) or "it is no vasprun.xml, OUTCAR, .gpw or .extxyz file")


def _nothing(folder: Path, files: list[Path], *, alone: bool) -> Iterator[Found]:
    """Why a folder holds no calculation; one with folders below it need not, unless something ran in it."""
    reason = why_no_output(folder, files)
    names = {file.name for file in files}
    if reason is None and not alone:
        return
    if reason is None and {"INCAR", "POSCAR"} & names:
        reason = NOT_RUN
    elif reason is None and not files:
        reason = "it is empty"
    elif reason is None:
        shown = ", ".join(sorted(names)[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
        reason = f"it is no calculation (it holds {shown})"
    yield _refused(folder, reason or "")


def _refused(path: Path, reason: str) -> Found:
    def read() -> list[Calculation]:
        raise CalculationUnreadable(reason)

    return Found(path, read)
