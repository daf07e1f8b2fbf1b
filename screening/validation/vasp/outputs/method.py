"""The method of a VASP calculation from its tags: functional, U values, POTCAR labels, k-points, charge."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from screening.structures.elements import BadStructure
from screening.structures.files.poscar_file import read_poscar
from screening.training_data.calculation import CalculationUnreadable, Method
from screening.validation.vasp.outputs.switches import is_on, numbers, read_incar, real, reported_tags, whole
from screening.validation.vasp.tags import blocks

if TYPE_CHECKING:
    from pymatgen.io.vasp.outputs import Vasprun

logger = logging.getLogger(__name__)

# https://www.vasp.at/wiki/index.php/GGA
GGA_NAMES = {
    "pe": "pbe", "ps": "pbesol", "re": "revpbe", "rp": "rpbe", "am": "am05", "91": "pw91", "ca": "lda",
    "or": "optpbe", "bo": "optb88", "mk": "optb86b",
}  # fmt: skip
META_NAMES = {"r2sca": "r2scan"}  # VASP's own listing shortens names to five letters
UNSET = {"", "--", "none", "f", ".f.", "false", ".false."}
U_TOLERANCE = 1e-6


def functional_name(tags: Mapping[str, Any], titles: Sequence[str]) -> str:
    """Lower-case functional, for example ``pbe``, ``r2scan``, ``pbe+d3``.

    Parameters
    ----------
    tags
        INCAR tags, or the parameters that VASP itself reports.
    titles
        TITEL of each POTCAR; without a GGA tag the functional is the one the POTCARs were made with.
    """
    meta, gga = _text(tags, "METAGGA"), _text(tags, "GGA")
    if is_on(tags.get("LHFCALC")):
        screened = abs(real(tags, "HFSCREEN", 0.0)) > U_TOLERANCE
        name = "hse06" if screened else "pbe0"
    elif meta not in UNSET:
        name = META_NAMES.get(meta, meta)
    elif gga not in UNSET:
        name = GGA_NAMES.get(gga, gga)
    else:
        family = titles[0].split()[0].upper() if titles else "PAW_PBE"
        name = "pbe" if family == "PAW_PBE" else "pw91" if family == "PAW_GGA" else "lda"
    vdw = whole(tags, "IVDW", 0) or (1 if is_on(tags.get("LVDW")) else 0)
    if vdw or is_on(tags.get("LUSE_VDW")):
        name += {1: "+d2", 10: "+d2", 11: "+d3", 12: "+d3bj"}.get(vdw, "+vdw")
    return name


def potcar_labels(titles: Sequence[str]) -> dict[str, str]:
    """Element to POTCAR label, from ``PAW_PBE Li_sv 10Sep2004`` or a bare symbol such as ``Li_sv``."""
    return {element_of(title): title.strip() for title in titles if title.strip()}


def label_symbol(label: str) -> str:
    """``Li_sv`` of ``PAW_PBE Li_sv 10Sep2004`` or of ``Li_sv``."""
    words = label.split()
    return words[1] if len(words) > 1 else words[0]


def method_of_vasprun(run: Vasprun) -> Method:
    """Method that VASP reports: its own parameters, completed by the INCAR tags that it echoes.

    Raises
    ------
    CalculationUnreadable
        When U is on, but its values are not told.
    """
    tags = reported_tags(run.parameters, run.incar)
    return Method(
        engine="vasp",
        functional=functional_name(tags, run.potcar_symbols),
        hubbard=hubbard_of_tags(tags, [element_of(title) for title in run.potcar_symbols]),
        cutoff=float(tags.get("ENMAX") or tags.get("ENCUT") or 0.0) or None,
        potentials=potcar_labels(run.potcar_symbols),
        kpoints=_divisions(run.kpoints),
        spin=whole(tags, "ISPIN", 1) == 2,
    )


def method_of_inputs(folder: Path) -> Method:
    """Method that a folder's inputs ask for: INCAR, POSCAR, KPOINTS and POTCAR or POTCAR.spec.

    This is all there is for a program that only pretends to be VASP, which reports none of it.
    """
    incar = read_incar(folder)
    titles = input_titles(folder)
    return Method(
        engine="vasp",
        functional=functional_name(incar, [title for title in titles if len(title.split()) > 1]),
        hubbard=_hubbard_of_inputs(incar, folder),
        cutoff=real(incar, "ENCUT", 0.0) or None,
        potentials=potcar_labels(titles),
        kpoints=_kpoints(folder / "KPOINTS"),
        spin=whole(incar, "ISPIN", 1) == 2,
    )


def input_titles(folder: Path) -> list[str]:
    """TITEL lines of a folder's POTCAR, or the symbols of its POTCAR.spec."""
    potcar, spec = folder / "POTCAR", folder / "POTCAR.spec"
    if potcar.is_file():
        with potcar.open(encoding="utf-8", errors="replace") as file:
            return [line.split("=", 1)[1].strip() for line in file if "TITEL" in line and "=" in line]
    if spec.is_file():
        return [
            line.strip() for line in spec.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()
        ]
    return []


def hubbard_of_tags(tags: Mapping[str, Any], symbols: Sequence[str]) -> dict[str, float]:
    """U - J (eV) of each element that has one.

    The values count only while LDAU is on: INCAR and OUTCAR echo them in any case. LDAUL = -1 switches a species off.

    Parameters
    ----------
    symbols
        Element of each species, in VASP's order; one may occur twice.

    Raises
    ------
    CalculationUnreadable
        When LDAU is on and the values are missing, too few or differ between two species of one element.
    """
    if not is_on(tags.get("LDAU")):
        return {}
    try:
        us, js, shells = (numbers(tags.get(name)) for name in ("LDAUU", "LDAUJ", "LDAUL"))
    except ValueError as error:
        raise CalculationUnreadable(f"LDAU is on, but its values cannot be read ({error})") from error
    if not us and not (shells and all(shell < 0 for shell in shells)):
        raise CalculationUnreadable("LDAU is on, but the U values (LDAUU) are not in the files")
    if len(us) < len(symbols) and any(abs(u) > U_TOLERANCE for u in us):
        raise CalculationUnreadable(f"LDAUU has {len(us)} values for {len(symbols)} species ({', '.join(symbols)})")
    js += [0.0] * (len(us) - len(js))
    shells += [0.0] * (len(us) - len(shells))
    found: dict[str, float] = {}
    for symbol, u, j, shell in zip(symbols, us, js, shells, strict=False):
        net = u - j if shell >= 0 else 0.0
        if abs(found.setdefault(symbol, net) - net) > U_TOLERANCE:
            raise CalculationUnreadable(f"two species of {symbol} have different U ({found[symbol]:g} and {net:g} eV)")
    return {symbol: u for symbol, u in found.items() if abs(u) > U_TOLERANCE}


def element_of(title: str) -> str:
    """Element of a POTCAR label."""
    return label_symbol(title).split("_")[0].split(".")[0]


def _hubbard_of_inputs(incar: Mapping[str, Any], folder: Path) -> dict[str, float]:
    poscar = next((p for p in (folder / "POSCAR", folder / "00" / "POSCAR") if p.is_file()), None)
    if not is_on(incar.get("LDAU")) or poscar is None:
        return {}
    try:
        atoms, _ = read_poscar(poscar.read_text(encoding="utf-8", errors="replace"))
    except BadStructure as error:
        raise CalculationUnreadable(f"its U values belong to nothing: POSCAR {error}") from error
    return hubbard_of_tags(incar, blocks(atoms))


def _kpoints(path: Path) -> tuple[int, int, int] | None:
    """Divisions that a KPOINTS file asks for; None where it is not there or broken, which VASP may have overcome."""
    from pymatgen.io.vasp.inputs import Kpoints

    if not path.is_file():
        return None
    try:
        return _divisions(Kpoints.from_file(path))
    except Exception as error:  # pymatgen raises whatever the broken place happens to raise
        logger.warning("%s is not used: %s", path, error)
        return None


def _divisions(kpoints: Any) -> tuple[int, int, int] | None:
    """Divisions of a regular grid; None for an explicit list or an automatic length."""
    if kpoints.style.name not in ("Gamma", "Monkhorst") or not kpoints.kpts:
        return None
    grid = [round(n) for n in kpoints.kpts[0]]
    return (grid[0], grid[1], grid[2]) if len(grid) == 3 and min(grid) > 0 else None


def _text(tags: Mapping[str, Any], name: str) -> str:
    return str(tags.get(name) or "").strip().lower()
