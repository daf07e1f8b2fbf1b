"""What other programs call the energy, forces, stress and charge of a frame, by the words of a name.

``REF_energy``, ``dft_energy`` and ``uncorrected_total_energy`` are total energies; ``MACE_energy`` is a potential's
prediction, ``energy_per_atom`` and ``formation_energy`` are something else, and ``energy_Ha`` has another unit.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from screening.potentials.families.table import FAMILIES

Quantity = Literal["energy", "forces", "stress", "virial"]
Meaning = Literal["own", "label", "free", "predicted", "unit", "other"]


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


NAMES: dict[Quantity, frozenset[str]] = {
    "energy": _set("energy etot toten"),
    "forces": _set("forces force"),
    "stress": _set("stress"),
    "virial": _set("virial virials"),
}
REFERENCE = _set(
    "ref reference dft vasp gpaw qe cp2k aims castep abinit qm ks scf abinitio target label labels true truth train "
    "pbe pbesol r2scan scan lda gga hse pbe0 u total tot uncorrected raw potential ev a ang e0 sigma sigma0 0"
)
FREE = _set("free")
PREDICTED_WORDS = _set(
    "mace nep gap ace m3gnet 7net orb mattersim megnet nequip allegro mtp snap soap deepmd dp schnet "
    "painn gnn nn nnp ml mlp mlip mlff ff uma fairchem esen alignn eqv2 pred predicted prediction model emt lj "
    "xtb committee ensemble"
) | frozenset(family.name for family in FAMILIES if family.built_in)
UNITS = _set("ha hartree hartrees au ry rydberg kcal kj mol mev bohr gpa kbar kb pa cm")
SHORT_CHARGE = _set("q qtot qtotal qnet")
CHARGE_WORDS = SHORT_CHARGE | _set("total tot net overall cell supercell system sys defect state formal ref dft charge")
NO_CHARGE = _set(
    "transfer max min mean std density per atom atomic bader mulliken hirshfeld ddec cutoff mixing order spin"
)


def words_of(name: str) -> list[str]:
    """Lower-case words of a name: ``REF_energy`` and ``dftEnergy`` have two each."""
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])", "_", name)
    return re.findall(r"[a-z0-9]+", split.lower())


def meaning_of(name: str, quantity: Quantity) -> Meaning | None:
    """What a name stands for; None when it has nothing to do with the quantity."""
    words = words_of(name)
    if not NAMES[quantity] & set(words):
        return None
    rest = set(words) - NAMES[quantity]
    if not rest:
        return "own"
    if rest & PREDICTED_WORDS:
        return "predicted"
    if rest & UNITS:
        return "unit"
    if rest <= REFERENCE:
        return "label"
    return "free" if rest & FREE and rest <= REFERENCE | FREE else "other"


def is_total_charge(name: str) -> bool:
    """Whether a name stands for the net charge of the cell."""
    words = set(words_of(name))
    return bool(words) and words <= CHARGE_WORDS and bool(words & {"charge", *SHORT_CHARGE})


def may_be_charge(name: str) -> bool:
    """Whether a name may stand for a charge of the cell, although it is not one of the known ones."""
    words = set(words_of(name))
    return bool(words & {"charge", "charged"}) and not words & NO_CHARGE


def other_unit(name: str, value: object) -> bool:
    """Whether an entry of `info` such as ``energy_unit=Ha`` names a unit that is not read."""
    words = set(words_of(name))
    return bool(words & {"unit", "units"}) and bool(UNITS & set(words_of(str(value))))


def is_isolated_atom(kinds: Iterable[object]) -> bool:
    """Whether a frame is marked as the isolated atom that training sets of other programs begin with."""
    return any({"isolated", "atom"} <= set(words_of(str(kind))) or "e0" in words_of(str(kind)) for kind in kinds)
