"""Energy, forces, stress and charge of one extended XYZ frame, whatever program wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ase import Atoms
from ase.stress import voigt_6_to_full_3x3_stress
from numpy.typing import NDArray

from screening.structures.files.extxyz_entries import VOIGT
from screening.validation.ingest.extxyz_names import (
    Quantity,
    is_isolated_atom,
    is_total_charge,
    may_be_charge,
    meaning_of,
    other_unit,
)

SAME = 1e-6
SAME_STRESS = 1e-4  # eV/A^3
HUGE_STRESS = 2.0  # eV/A^3, 320 GPa: such a stress is in kbar or GPa
BOX = 8.0  # A; a lone atom whose images are farther away is isolated
UNSURE_FORCES = ("f", "grad", "gradient", "gradients")  # forces or minus the forces, in units that nobody said
TENSORS: tuple[Quantity, ...] = ("stress", "virial")
KINDS = ("config_type", "config", "type", "label", "tag")
FALSE = ("", "f", "false", "no", "0", "0.0", ".false.", "none", "unconverged")


class NotUsable(Exception):
    """Why a frame is no calculation; the same text for all frames with the same fault."""


@dataclass
class Labels:
    """What a frame says, eV and Angstrom.

    Attributes
    ----------
    stress
        (3, 3) eV/A^3, ASE's sign.
    notes
        What was read under another name, or not read.
    """

    energy: float
    forces: NDArray[np.float64] | None
    stress: NDArray[np.float64] | None
    charge: float
    converged: bool
    notes: list[str] = field(default_factory=list)


def labels_of(atoms: Atoms, *, own: bool) -> Labels:
    """Labels of a frame.

    Parameters
    ----------
    own
        Whether this program wrote it, so that its names and units are known.

    Raises
    ------
    NotUsable
        When it has no total energy, is no periodic calculation, or what it says is ambiguous.
    """
    results = dict(atoms.calc.results) if atoms.calc is not None else {}
    info, arrays = atoms.info, atoms.arrays
    notes: list[str] = []
    if not own:
        _check_kind(atoms)
        _check_units(info)
    everything: dict[str, Any] = {**info, **arrays, **results}
    energy = _energy(everything, notes)
    forces = _forces(everything, len(atoms), notes)
    return Labels(
        energy=energy,
        forces=forces,
        stress=_stress(everything, abs(float(atoms.cell.array[0] @ np.cross(*atoms.cell.array[1:]))), notes, own=own),
        charge=_charge(info, notes),
        converged=_converged(info),
        notes=notes,
    )


def _check_kind(atoms: Atoms) -> None:
    lone = len(atoms) == 1 and (not atoms.pbc.any() or float(atoms.cell.lengths().min()) > BOX)
    if lone or is_isolated_atom(atoms.info.get(kind, "") for kind in KINDS):
        raise NotUsable("an isolated atom, which only fixes the zero of energy")
    if not atoms.pbc.any() or atoms.cell.rank < int(atoms.pbc.sum()):
        raise NotUsable("no periodic cell (Lattice and pbc): a molecule")


def _check_units(info: Mapping[str, Any]) -> None:
    for name, value in info.items():
        if other_unit(name, value):
            raise NotUsable(f"{name} is {value}; only eV and Angstrom are read")


def _named(everything: Mapping[str, Any], quantity: Quantity) -> dict[str, list[str]]:
    """Names of a quantity by their meaning."""
    found: dict[str, list[str]] = {}
    for name in everything:
        meaning = meaning_of(name.removesuffix(VOIGT), quantity)
        if meaning is not None:
            found.setdefault(meaning, []).append(name)
    return found


def _energy(everything: Mapping[str, Any], notes: list[str]) -> float:
    found = {m: [n for n in names if np.ndim(everything[n]) == 0] for m, names in _named(everything, "energy").items()}
    usable = [*found.get("own", []), *found.get("label", [])] or found.get("free", [])
    if not usable:
        raise NotUsable(_no_energy(found))
    values = [_number(name, everything[name]) for name in usable]
    if max(values) - min(values) > SAME:  # NaN is found later, as one more number that is not finite
        raise NotUsable(f"{' and '.join(usable)} differ: keep the one of DFT")
    if usable[0] != "energy":
        notes.append(f"{usable[0]} is taken as the energy")
    if found.get("predicted"):
        notes.append(f"{' and '.join(found['predicted'])} of a potential is left out")
    return values[0]


def _no_energy(found: Mapping[str, list[str]]) -> str:
    if found.get("predicted"):
        return f"no energy of DFT: {' and '.join(found['predicted'])} is a potential's"
    if found.get("unit"):
        return f"no energy in eV: {' and '.join(found['unit'])} names another unit"
    if found.get("other"):
        return f"no energy that is known as the total one of the cell: {' and '.join(found['other'])}"
    return "no energy: it is no calculation"


def _forces(everything: Mapping[str, Any], n_atoms: int, notes: list[str]) -> NDArray[np.float64] | None:
    found = _named(everything, "forces")
    usable = [
        name for name in (*found.get("own", []), *found.get("label", [])) if np.shape(everything[name]) == (n_atoms, 3)
    ]
    if not usable:
        others = [name for names in found.values() for name in names if np.ndim(everything[name]) == 2]
        others += [name for name in everything if name.lower() in UNSURE_FORCES]
        notes += [f"{' and '.join(others)} is left out"] if others else []
        return None
    arrays = [np.asarray(everything[name], dtype=float) for name in usable]
    if any(np.abs(array - arrays[0]).max() > SAME for array in arrays[1:]):
        raise NotUsable(f"{' and '.join(usable)} differ: keep those of DFT")
    if usable[0] != "forces":
        notes.append(f"{usable[0]} are taken as the forces")
    return arrays[0]


def _stress(everything: Mapping[str, Any], volume: float, notes: list[str], *, own: bool) -> NDArray[np.float64] | None:
    """Stress, or minus the virial over the volume; both must agree where both are there."""
    found: dict[str, NDArray[np.float64]] = {}
    for quantity in TENSORS:
        named = _named(everything, quantity)
        notes += [f"{name.removesuffix(VOIGT)} is left out: it has another unit" for name in named.get("unit", [])]
        for name in (*named.get("own", []), *named.get("label", [])):
            tensor = _tensor(everything[name], voigt=quantity == "stress")
            if tensor is None:
                notes.append(f"{name.removesuffix(VOIGT)} is left out: the order of its numbers is not known")
            elif quantity == "stress" or volume > 0:
                found[name] = tensor if quantity == "stress" else -tensor / volume
    if not found:
        return None
    (first, stress), *others = found.items()
    if any(np.abs(other - stress).max() > SAME_STRESS for _, other in others):
        notes.append(f"{' and '.join(found)} do not agree and are left out")
        return None
    if not own and np.abs(stress).max() > HUGE_STRESS:
        notes.append(f"{first.removesuffix(VOIGT)} is left out: it is too large to be in eV/A^3")
        return None
    if first.removesuffix(VOIGT) != "stress":
        meaning = "minus the stress times the volume" if "virial" in first.lower() else "the stress"
        notes.append(f"{first.removesuffix(VOIGT)} is taken as {meaning}")
    return stress


def _tensor(value: Any, *, voigt: bool) -> NDArray[np.float64] | None:
    """(3, 3) of nine numbers, or of six in ASE's order; six of a virial stand in another order in every program."""
    try:
        numbers = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        return None
    if numbers.size == 9:
        full = numbers.reshape(3, 3)
        return np.asarray((full + full.T) / 2)
    if numbers.size == 6 and (voigt or np.abs(numbers.ravel()[3:]).max() < SAME):
        return np.asarray(voigt_6_to_full_3x3_stress(numbers.ravel()), dtype=float)
    return None


def _charge(info: Mapping[str, Any], notes: list[str]) -> float:
    named = {name: value for name, value in info.items() if is_total_charge(name) and str(value).lower() != "none"}
    charges = {name: _number(name, value) for name, value in named.items() if np.ndim(value) == 0}
    for name, value in info.items():
        if name not in named and may_be_charge(name) and np.ndim(value) == 0 and str(value).lower() not in FALSE:
            raise NotUsable(f"{name} may be a charge; call the cell's charge `charge`, or take it out")
    if not charges:
        return 0.0
    if max(charges.values()) - min(charges.values()) > SAME:
        raise NotUsable(f"{' and '.join(charges)} differ")
    name, charge = next(iter(charges.items()))
    if name != "charge" and charge:
        notes.append(f"{name} is taken as the charge of the cell")
    return charge


def _number(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise NotUsable(f"{name} is {value!r}, no number") from error


def _converged(info: Mapping[str, Any]) -> bool:
    """False where the frame says so in any spelling."""
    for name in ("converged", "scf_converged", "is_converged", "electronic_converged", "converged_electronic"):
        if name in info and str(info[name]).strip().lower() in FALSE:
            return False
    return str(info.get("unconverged", "f")).strip().lower() in FALSE
