"""The INCAR of one job: tags from the settings by what the job is, and those that follow from its structure."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ase import Atoms
from ase.constraints import FixAtoms

from screening.validation.jobs import Job
from screening.validation.vasp.settings import IncarSection, VaspSettings, is_metal

if TYPE_CHECKING:
    from pymatgen.core import Structure

D_SHELL = 2
"""Angular momentum of the shell that U acts on."""


@dataclass(kw_only=True)
class Tags:
    """INCAR tags with the reason for each."""

    values: dict[str, Any] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)

    def set(self, tag: str, value: Any, why: str) -> None:
        self.values[tag] = value
        self.why[tag] = why


def incar_tags(job: Job, settings: VaspSettings) -> Tags:
    """All tags of a job's INCAR.

    Raises
    ------
    UserError
        When the settings name no POTCAR for one of its elements.
    """
    tags = _base_tags(job, settings) if settings.base else _own_tags(job, settings)
    for section in sections(job):
        for tag, explained in settings.incar.get(section, {}).items():
            tags.set(tag, explained.value, explained.why)
    for tag, explained in settings.phases.get(job.phase or "", {}).items():
        tags.set(tag, explained.value, explained.why)
    _add_structural(tags, job, settings)
    return tags


def sections(job: Job) -> list[IncarSection]:
    """Sections of the settings that apply to a job, in their order."""
    held: list[tuple[IncarSection, bool]] = [
        ("all", True),
        ("cell", job.relax == "cell"),
        ("atoms", job.relax == "atoms" and job.role != "band"),
        ("slab", job.slab),
        ("barrier", job.role in ("end", "band")),
        ("band", job.role == "band"),
        # last of those that know NSW and IBRION: a single point stays one
        ("static", job.relax == "none"),
        ("phase", job.role == "phase"),
        ("metal", job.role == "phase" and is_metal(job.atoms)),
        ("molecule", job.molecule),
        ("charged", job.charge != 0),
    ]
    return [section for section, applies in held if applies]


def structure_of(atoms: Atoms) -> Structure:
    """pymatgen structure, atom order and periodic images kept, with selective dynamics where atoms are fixed."""
    from pymatgen.core import Structure

    structure = Structure(
        atoms.cell.array, atoms.get_chemical_symbols(), atoms.positions, coords_are_cartesian=True, to_unit_cell=False
    )
    frozen = {int(i) for c in atoms.constraints if isinstance(c, FixAtoms) for i in c.index}
    if frozen:
        structure.add_site_property("selective_dynamics", [[i not in frozen] * 3 for i in range(len(atoms))])
    return structure


def blocks(atoms: Atoms) -> list[str]:
    """Element of every block of equal neighbours, which is what POSCAR and POTCAR list."""
    symbols = atoms.get_chemical_symbols()
    return [s for i, s in enumerate(symbols) if i == 0 or s != symbols[i - 1]]


def _own_tags(job: Job, settings: VaspSettings) -> Tags:
    """U and moments of settings that rest on no input set."""
    assert settings.hubbard is not None
    assert settings.moments is not None
    tags = Tags()
    hubbard = settings.hubbard_of(set(job.atoms.get_chemical_symbols()))
    if hubbard:
        order = blocks(job.atoms)
        why = settings.hubbard.why
        tags.set("LDAU", True, why)
        tags.set("LDAUTYPE", 2, "Dudarev: only U - J counts")
        tags.set("LDAUL", [D_SHELL if s in hubbard else -1 for s in order], "d shell; -1: no U")
        tags.set("LDAUU", [hubbard.get(s, 0.0) for s in order], why)
        tags.set("LDAUJ", [0.0 for _ in order], "part of the effective U")
    table, default = settings.moments.value, settings.moments.default
    moments = [float(table.get(s, default)) for s in job.atoms.get_chemical_symbols()]
    tags.set("MAGMOM", moments, settings.moments.why)
    return tags


def _base_tags(job: Job, settings: VaspSettings) -> Tags:
    """Everything that pymatgen's Materials Project set gives for this structure and k-point grid."""
    from importlib.metadata import version

    from pymatgen.io.vasp.inputs import Kpoints
    from pymatgen.io.vasp.sets import MPRelaxSet, MPStaticSet

    kind = MPStaticSet if job.relax == "none" else MPRelaxSet
    kpoints: Any = Kpoints.gamma_automatic(job.kpoints)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # advice about metals; what the Materials Project does is the point here
        incar = kind(
            structure_of(job.atoms),
            sort_structure=False,
            user_kpoints_settings=kpoints,
            user_potcar_functional=settings.potcar.functional.value,
        ).incar
    why = f"{kind.__name__} of pymatgen {version('pymatgen')}"
    tags = Tags()
    for tag, value in incar.items():
        tags.set(tag, value, why)
    return tags


def _add_structural(tags: Tags, job: Job, settings: VaspSettings) -> None:
    if job.slab:
        z = job.atoms.get_scaled_positions(wrap=False)[:, 2]
        middle = round(float(z.min() + z.max()) / 2, 4)
        tags.set("DIPOL", [0.5, 0.5, middle], "middle of the slab; left to VASP it may jump while atoms relax")
    if job.role == "band":
        tags.set("IMAGES", len(job.images) - 2, "images between the end points, as many as the potential's path has")
    if job.charge:
        tags.set(
            "NELECT",
            settings.electrons(job.atoms) - job.charge,
            f"valence electrons of the neutral cell, for a charge of {job.charge:+d}; the background and image charges "
            "are the same at both end points and the saddle and cancel in a barrier to first order",
        )
