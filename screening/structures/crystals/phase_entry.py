"""A crystal structure as an entry of datasets/phases: space group, lattice and Wyckoff positions.

The way back of `crystals.phases`: `screen phases entry FILE` prints what a user would otherwise type by hand.
"""

from __future__ import annotations

from typing import Any

from screening.errors import UserError

SYMPREC = 0.01
_DIGITS = 5


def entry_from_structure(structure: Any, *, name: str, source: str, symprec: float = SYMPREC) -> dict[str, Any]:
    """Entry of one ordered crystal.

    Parameters
    ----------
    structure
        pymatgen ``Structure``; any cell of the crystal, lengths in A.
    name, source
        Of the new entry.
    symprec
        Tolerance (A) with which the space group is determined.

    Raises
    ------
    UserError
        When sites are partly occupied, the symmetry cannot be determined, or no setting of the space group gives the
        crystal back.
    """
    if not structure.is_ordered:
        raise UserError(f"{name}: sites are partly occupied; give an ordered model of the crystal")
    symmetrized = _symmetrized(structure, name, symprec)
    group = symmetrized.spacegroup.int_symbol
    sites = [
        [orbit[0].specie.symbol, wyckoff, *(_fraction(v) for v in orbit[0].frac_coords)]
        for orbit, wyckoff in zip(symmetrized.equivalent_sites, symmetrized.wyckoff_symbols, strict=True)
    ]
    for setting in (group, f"{group}:2", f"{group}:1", f"{group}:H"):
        entry = {
            "name": name,
            "formula": structure.composition.reduced_formula,
            "space_group": setting,
            "source": source,
            "lattice": _lattice(symmetrized.lattice),
            "sites": sites,
        }
        if _gives_back(entry, structure):
            return entry
    raise UserError(f"{name}: no setting of {group} gives the crystal back; write its entry by hand")


def _symmetrized(structure: Any, name: str, symprec: float) -> Any:
    from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

    try:
        refined = SpacegroupAnalyzer(structure, symprec=symprec).get_refined_structure()
        return SpacegroupAnalyzer(refined, symprec=symprec).get_symmetrized_structure()
    except (ValueError, TypeError) as error:  # spglib gives up on cells far from what a crystal has
        raise UserError(
            f"{name}: its symmetry cannot be determined within {symprec:g} A; check its cell and its positions."
        ) from error


def _gives_back(entry: dict[str, Any], structure: Any) -> bool:
    from pymatgen.analysis.structure_matcher import StructureMatcher
    from pymatgen.io.ase import AseAtomsAdaptor

    from screening.structures.crystals.phases import parse_facts, phase_structures

    try:
        (atoms,) = phase_structures(parse_facts(entry))
    except (UserError, ValueError):
        return False
    matcher = StructureMatcher(ltol=0.02, stol=0.05, angle_tol=1, scale=False)
    return bool(matcher.fit(AseAtomsAdaptor.get_structure(atoms), structure))


def _fraction(value: float) -> float | str:
    """Simple fractions by name, so that special positions stay exact."""
    wrapped = value % 1.0
    for denominator in (1, 2, 3, 4, 6, 8, 12):
        for numerator in range(denominator):
            if abs(wrapped - numerator / denominator) < 1e-4:
                return f"{numerator}/{denominator}" if numerator else 0
    return 0 if wrapped > 1 - 1e-4 else round(float(wrapped), _DIGITS)


def _lattice(lattice: Any) -> dict[str, float]:
    lengths = {key: round(float(v), _DIGITS) for key, v in zip("abc", lattice.abc, strict=True)}
    angles = {key: round(float(v), 4) for key, v in zip(("alpha", "beta", "gamma"), lattice.angles, strict=True)}
    return {**lengths, **{key: v for key, v in angles.items() if abs(v - 90) > 1e-3}}
