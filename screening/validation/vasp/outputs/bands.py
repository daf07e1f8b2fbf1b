"""Image folders 00, 01, ... of a nudged elastic band; folders of such names are a band only where IMAGES says so."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

from screening.files import read_received
from screening.training_data.calculation import Calculation, Frame
from screening.validation.vasp.outputs.switches import read_incar, whole

JOB_FILE = "job.json"  # what a job stands for, beside its inputs
OUTPUTS = ("vasprun.xml", "OUTCAR")
SUFFIXES = ("", ".gz", ".bz2", ".xz")
HEAD = 200_000  # characters; VASP reports IMAGES before the first step
REPORTED = re.compile(r'name="IMAGES"[^>]*>\s*(\d+)\s*<|^\s*IMAGES\s*=\s*(\d+)', re.MULTILINE)
SMALLEST = 3  # two end points and one image


def present(path: Path) -> Path | None:
    """The file itself or a compressed one; None when there is none or it is empty."""
    candidates = (path.with_name(path.name + suffix) for suffix in SUFFIXES)
    return next((p for p in candidates if is_filled(p)), None)


def is_filled(path: Path) -> bool:
    """Whether it is a file with something in it that can be looked at."""
    try:
        return path.is_file() and path.stat().st_size > 0
    except OSError:  # no permission, or a link that leads in circles
        return False


def numbered_folders(folder: Path) -> list[Path]:
    """Folders below with names of two digits, in order."""
    try:
        found = [path for path in folder.iterdir() if re.fullmatch(r"[0-9]{2}", path.name) and path.is_dir()]
    except OSError:  # the walk over folders reports what it cannot open
        return []
    return sorted(found)


def image_folders(folder: Path) -> list[Path]:
    """Folders 00, 01, ... of a band, in order; empty when this is no band, or not a whole one."""
    found = numbered_folders(folder)
    return found if _images(folder, found) and why_no_band(folder) is None else []


def why_no_band(folder: Path) -> str | None:
    """What is wrong with the image folders of something that should be a band; None for a band, and for none."""
    found = numbered_folders(folder)
    images = _images(folder, found)
    if not found or not images:
        return None
    names = [path.name for path in found]
    if images > 0:
        expected = [f"{i:02d}" for i in range(images + 2)]
        asked = f"IMAGES = {images} asks for the folders 00 to {expected[-1]}"
    else:
        expected = [f"{i:02d}" for i in range(max(len(found), SMALLEST))]
        asked = f"a band has its images in the folders 00 to {expected[-1]}"
    if names == expected:
        return None
    return f"{asked}, but there are {', '.join(names)}: give the whole band, or take IMAGES out of INCAR"


def without_band_forces(calculation: Calculation) -> Calculation:
    """VASP's forces on an image may hold the springs' part (VTST prints the projected ones): only energies are kept."""
    if calculation.simulated_by is not None:
        return calculation
    frames = tuple(Frame(atoms=frame.atoms, energy=frame.energy) for frame in calculation.frames)
    return replace(calculation, frames=frames)


def _images(folder: Path, found: list[Path]) -> int:
    """IMAGES of the job in a folder: its INCAR's, or what the outputs of an image report; 0 for none, -1 for some."""
    if not found:
        return 0
    if images := whole(read_incar(folder), "IMAGES", 0):
        return images
    for place in found[1:]:
        for name in OUTPUTS:
            if images := _reported(present(place / name)):
                return images
    return -1 if _is_band_job(folder) else 0


def _reported(path: Path | None) -> int:
    from monty.io import zopen

    if path is None:
        return 0
    try:
        with zopen(path, mode="rb") as file:
            text = bytes(file.read(HEAD)).decode("utf-8", errors="replace")
    except (OSError, EOFError):  # whoever reads the image says what is wrong with it
        return 0
    found = REPORTED.search(text)
    return int(found.group(1) or found.group(2)) if found else 0


def _is_band_job(folder: Path) -> bool:
    try:
        job = json.loads(read_received(folder / JOB_FILE))
    except (OSError, ValueError):  # none, or another program's
        return False
    return isinstance(job, dict) and job.get("role") == "band"
