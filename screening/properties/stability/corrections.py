"""Energy corrections: which scale a potential's energies are on, and MP2020 where the scale needs it.

A potential says so in `Potential.corrections`: ``"MP2020-in-model"`` was trained on corrected energies (CHGNet 0.3.0)
and gets nothing; ``"MP2020-needed"`` was trained on uncorrected ones (SevenNet-0, l3i5) and gets pymatgen's scheme;
``"own-hull"`` (r2SCAN models and anything unknown) is left alone, gases included.
"""

from __future__ import annotations

import warnings
from typing import Any

from ase import Atoms

MP_SCALE = ("MP2020-in-model", "MP2020-needed")
"""Scales on which gases have the Materials Project's energies."""


def mp_parameters(atoms: Atoms) -> dict[str, Any]:
    """Run type, Hubbard U (eV) and POTCAR symbols that MPRelaxSet would use for this composition.

    pymatgen skips its GGA/GGA+U term silently when these are missing. MPRelaxSet applies U to d metals where the most
    electronegative element is O or F.
    """
    from pymatgen.core import Element
    from pymatgen.io.vasp.sets import MPRelaxSet

    symbols = sorted(set(atoms.get_chemical_symbols()))
    anion = max(symbols, key=lambda s: Element(s).X)
    table: dict[str, float] = MPRelaxSet.CONFIG["INCAR"]["LDAUU"].get(anion, {})
    hubbards = {s: float(table[s]) for s in symbols if s in table}
    return {
        "run_type": "GGA+U" if hubbards else "GGA",
        "is_hubbard": bool(hubbards),
        "hubbards": hubbards,
        "potcar_symbols": [f"PBE {MPRelaxSet.CONFIG['POTCAR'][s]}" for s in symbols],
    }


def mp2020_correction(atoms: Atoms) -> float:
    """Correction (eV for the whole cell) of pymatgen's MaterialsProject2020Compatibility.

    Source: Wang et al., Sci. Rep. 2021, 11, 15496, doi:10.1038/s41598-021-94550-5.
    """
    from pymatgen.entries.compatibility import MaterialsProject2020Compatibility
    from pymatgen.entries.computed_entries import ComputedStructureEntry
    from pymatgen.io.ase import AseAtomsAdaptor

    bare = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True)
    structure = AseAtomsAdaptor.get_structure(bare)
    entry = ComputedStructureEntry(structure, 0.0, parameters=mp_parameters(bare))
    with warnings.catch_warnings():
        # pymatgen warns for every entry that oxidation states were guessed
        warnings.simplefilter("ignore")
        processed = MaterialsProject2020Compatibility().process_entry(entry, inplace=False)
    if processed is None:
        raise ValueError(f"pymatgen's MP2020 scheme refuses {structure.composition.reduced_formula}")
    return float(processed.correction)


def correction(atoms: Atoms, corrections: str) -> float:
    """Energy (eV, whole cell) to add to the potential's energy of `atoms` on the scale that `corrections` names."""
    return mp2020_correction(atoms) if corrections == "MP2020-needed" else 0.0
