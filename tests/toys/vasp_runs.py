"""Inputs of tiny cells for vpmdk, and settings to hold its runs against.

`look_like_vasp` edits such outputs into what VASP itself would have written: energies and structures stay
those of the potential, so that it is used for nothing but the reading and judging of files.
"""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ase import Atoms
from pymatgen.core import Lattice, Structure
from pymatgen.io.vasp.inputs import Incar, Kpoints, Poscar

from screening.training_data.calculation import Method

VPMDK = [sys.executable, "-m", "vpmdk_entry"]
TITLES = {"Ni": "PAW_PBE Ni_pv 06Sep2000", "O": "PAW_PBE O 08Apr2002"}
VALENCES = {"Ni": 16.0, "O": 6.0}
NIO_U = 6.0
TAGS = {
    "GGA": "Pe", "ENCUT": 500, "EDIFF": 1e-4, "EDIFFG": -0.03, "IBRION": 2, "ISIF": 2, "NSW": 40, "ISPIN": 2,
    "ISMEAR": 0, "SIGMA": 0.05, "LDAU": True, "LDAUTYPE": 2, "LDAUL": [2, -1], "LDAUU": [NIO_U, 0], "LDAUJ": [0, 0],
}  # fmt: skip


@dataclass
class PaperLike:
    """Settings of the kind that ship, with the paper's U of Ni."""

    name: str = "paper"
    engine: str = "vasp"
    cutoff: float = 500.0
    hubbard: dict = field(default_factory=lambda: {"Ni": NIO_U})

    def expected(self, atoms: Atoms) -> Method:
        symbols = set(atoms.get_chemical_symbols())
        return Method(
            engine="vasp",
            functional="pbe",
            hubbard={k: u for k, u in self.hubbard.items() if k in symbols},
            cutoff=self.cutoff,
            potentials={k: title for k, title in TITLES.items() if k in symbols},
            spin=True,
        )


def nickel_oxide(seed: int = 0, amplitude: float = 0.08) -> Structure:
    """Two-atom NiO with a displaced O atom."""
    cell = Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.2), ["Ni", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    structure = cell.get_primitive_structure()
    structure.translate_sites([1], [amplitude, 0.03 * seed, 0.0], frac_coords=False)
    return structure


def write_inputs(folder: Path, structure: Structure, **tags: Any) -> Path:
    """INCAR, KPOINTS, POSCAR, POTCAR.spec as pymatgen writes them, and vpmdk's BCAR."""
    folder.mkdir(parents=True, exist_ok=True)
    Poscar(structure).write_file(folder / "POSCAR")
    Incar({**TAGS, **tags}).write_file(folder / "INCAR")
    Kpoints.gamma_automatic((4, 4, 4)).write_file(folder / "KPOINTS")
    (folder / "POTCAR.spec").write_text("Ni_pv\nO\n")
    (folder / "BCAR").write_text("MLP=CHGNET\nDEVICE=cpu\n")
    return folder


def look_like_vasp(folder: Path, *, u: float = NIO_U, gga: str = "PE", encut: float = 500.0, **changes: Any) -> Path:
    """Turn vpmdk's outputs into those of VASP 6: generator, electrons, parameters and POTCAR titles; no other marks.

    Parameters
    ----------
    **changes
        ``titles``: POTCAR title by element; ``nelm_steps``: electronic steps of the last ionic step; ``nsw``: ionic
        steps allowed; ``energy_shift``: eV added to every energy; ``charge``; ``spin``.
    """
    path = folder / "vasprun.xml"
    text = path.read_text()
    titles = {**TITLES, **changes.get("titles", {})}
    text = text.replace(">VPMDK<", ">vasp <").replace(
        '<i name="version" type="string">0<', '<i name="version" type="string">6.3.0  <'
    )
    incar = "".join(
        f'<i type="{kind}" name="{name}">{value}</i>' if kind else f'<i name="{name}">{value}</i>'
        for kind, name, value in (("string", "GGA", gga), ("logical", "LDAU", "T"), (None, "ENCUT", encut))
    )
    incar += f'<v name="LDAUU">{u} 0.0</v><v name="LDAUJ">0.0 0.0</v><v type="int" name="LDAUL">2 -1</v>'
    text = text.replace("<incar>", "<incar>" + incar)
    electrons = sum(VALENCES.values()) - changes.get("charge", 0.0)
    spin = 2 if changes.get("spin", True) else 1
    parameters = (
        f'<i name="ENMAX">{encut}</i><i name="NELECT">{electrons}</i><i type="int" name="ISPIN">{spin}</i>'
        f'<i type="string" name="GGA">{gga}</i><i type="logical" name="LDAU">T</i><i name="AEXX">0.0</i>'
    )
    text = text.replace("<parameters>", "<parameters>" + parameters)
    for element, title in titles.items():
        old = f"<c>PAW_PBE {element}</c>"
        assert old in text
        text = text.replace(old, f"<c>{title}</c>")
    text = _set_valences(text)
    if "nsw" in changes:
        text = text.replace(_tag_nsw(text), f'<i name="NSW" type="int">{changes["nsw"]}</i>')
    if "nelm_steps" in changes:
        head, last = text.rsplit("<scstep>", 1)
        step, rest = last.split("</scstep>", 1)
        text = head + f"<scstep>{step}</scstep>" * changes["nelm_steps"] + rest
    if "energy_shift" in changes:
        text = _shift_energies(text, changes["energy_shift"])
    path.write_text(text)
    for name in ("BCAR", "OUTCAR", "vasp.out", "std_err.txt", "neb_vasp.out", "custodian.json"):
        (folder / name).unlink(missing_ok=True)
    return folder


def _set_valences(text: str) -> str:
    """Valences of the two atom types, and the number of the type of each atom, which vpmdk does not write."""
    for number, (element, valence) in enumerate(VALENCES.items(), start=1):
        row, title = text.split(f"<c>{element}</c>\n     <c> ", 1)
        mass, rest = title.split("</c>", 1)
        rest = rest.replace("<c>  0.0000</c>", f"<c> {valence:.4f}</c>", 1)
        text = f"{row}<c>{element}</c>\n     <c> {mass}</c>{rest}"
        text = text.replace(f"<c>{element}</c>\n    </rc>", f"<c>{element}</c>\n     <c>{number}</c>\n    </rc>", 1)
    return text


def _tag_nsw(text: str) -> str:
    start = text.index('<i name="NSW"')
    return text[start : text.index("</i>", start) + 4]


def _shift_energies(text: str, shift: float) -> str:
    lines = []
    for line in text.splitlines():
        if any(f'name="{name}"' in line for name in ("e_fr_energy", "e_wo_entrp", "e_0_energy")):
            before, value = line.split(">", 1)
            number, after = value.split("<", 1)
            line = f"{before}>{float(number) + shift:16.8f}<{after}"
        lines.append(line)
    return "\n".join(lines) + "\n"
