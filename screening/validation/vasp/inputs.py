"""VASP input files of one job, written with pymatgen."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ase import Atoms

from screening.errors import UserError
from screening.validation.folders.manifest import plain_job
from screening.validation.jobs import Job
from screening.validation.vasp.outputs.bands import JOB_FILE
from screening.validation.vasp.settings import VaspSettings, is_metal
from screening.validation.vasp.tags import Tags, blocks, incar_tags, structure_of

WHY_FILE = "INCAR.why"
LIBRARY = "PMG_VASP_PSP_DIR"
"""pymatgen's setting (environment or ~/.config/.pmgrc.yaml) that names the POTCAR library."""


def write_vasp_inputs(job: Job, settings: VaspSettings, folder: Path) -> None:
    """Write INCAR, KPOINTS, POSCAR (of a band 00/POSCAR ... NN/POSCAR), and POTCAR or POTCAR.spec.

    Atoms keep the job's order. A POTCAR is written only where pymatgen finds a library, and only into this folder;
    otherwise POTCAR.spec names one label per block of the POSCAR. INCAR.why gives the reason of every tag, job.json
    the plain fields of the job.

    Raises
    ------
    UserError
        When the settings name no POTCAR for an element, or the library does not hold one.
    """
    from pymatgen.io.vasp.inputs import Incar, Kpoints, Poscar

    tags = incar_tags(job, settings)
    labels = [settings.label(symbol) for symbol in blocks(job.atoms)]
    folder.mkdir(parents=True, exist_ok=True)
    _write_potcar(labels, settings.potcar.functional.value, folder)
    (folder / "INCAR").write_text(str(Incar(tags.values)), encoding="utf-8")
    (folder / "KPOINTS").write_text(str(Kpoints.gamma_automatic(job.kpoints)), encoding="utf-8")
    (folder / WHY_FILE).write_text(explanation(job, settings, tags), encoding="utf-8")
    for place, atoms in _structures(job):
        (folder / place).mkdir(exist_ok=True)
        poscar = Poscar(structure_of(atoms), comment=f"{job.name} {place}".strip(), sort_structure=False)
        (folder / place / "POSCAR").write_text(poscar.get_str(significant_figures=16), encoding="utf-8")
    fields = {"settings": settings.name, "engine": settings.engine, **plain_job(job)}
    (folder / JOB_FILE).write_text(json.dumps(fields, indent=1) + "\n", encoding="utf-8")


def _structures(job: Job) -> list[tuple[str, Atoms]]:
    """Sub-folder and structure of every POSCAR."""
    if job.role != "band":
        return [("", job.atoms)]
    return [(f"{number:02d}", image) for number, image in enumerate(job.images)]


def _write_potcar(labels: Sequence[str], functional: str, folder: Path) -> None:
    from pymatgen.core import SETTINGS
    from pymatgen.io.vasp.inputs import Potcar

    if not SETTINGS.get(LIBRARY):
        (folder / "POTCAR.spec").write_text("\n".join(labels) + "\n", encoding="utf-8")
        return
    try:
        potcar = Potcar(symbols=list(labels), functional=functional)
    except (OSError, ValueError, KeyError) as error:
        raise UserError(
            f"the POTCAR library in {SETTINGS[LIBRARY]} does not give {', '.join(dict.fromkeys(labels))} of "
            f"{functional} ({error}); complete it, or unset {LIBRARY} to get POTCAR.spec files."
        ) from error
    (folder / "POTCAR").write_text(str(potcar), encoding="utf-8")


def explanation(job: Job, settings: VaspSettings, tags: Tags) -> str:
    """Text of INCAR.why: one line per tag, and what else was chosen."""
    lines = [f"{job.name}: settings {settings.name} ({settings.source})", ""]
    for tag, value in sorted(tags.values.items()):
        lines.append(f"{tag} = {_short(value)}: {tags.why[tag]}")
    lines += [
        "",
        f"KPOINTS = {' x '.join(str(n) for n in job.kpoints)}, Gamma-centred: {_kpoint_reason(job, settings)}",
    ]
    lines += [f"POTCAR from {settings.potcar.functional.value}: {settings.potcar.functional.why}"]
    if settings.potcar.labels is not None:
        lines += [f"POTCAR labels: {settings.potcar.labels.why}"]
    lines += ["NCORE and KPAR are the machine's; add them to INCAR."]
    if job.after:
        lines += [
            f"Starts from the result of {', '.join(job.after)}: `screen validate` again puts it in once it is there."
        ]
    return "\n".join(lines) + "\n"


def _short(value: Any) -> str:
    if isinstance(value, list) and len(value) > 8:
        return f"({len(value)} values)"
    return " ".join(str(v) for v in value) if isinstance(value, list) else str(value)


def _kpoint_reason(job: Job, settings: VaspSettings) -> str:
    rules = settings.kpoints
    if job.role in ("end", "band"):
        return f"{rules.bulk.why}; the same for end points and band"
    if job.slab:
        return rules.slab.why
    if rules.metal is not None and is_metal(job.atoms):
        return rules.metal.why
    if job.relax == "none" and rules.static is not None:
        return rules.static.why
    return rules.bulk.why
