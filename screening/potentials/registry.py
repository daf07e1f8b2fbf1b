"""From a potential's name to a loaded, checked potential."""

from __future__ import annotations

from functools import lru_cache

from screening.errors import UserError
from screening.names import nearest
from screening.potentials.base import Potential
from screening.potentials.elements import MPTRJ, elements_of_matgl
from screening.potentials.model_card import SOFTENING, is_model_path, read_card

BUILT_IN = ("chgnet", "chgnet-r2scan", "sevennet-0", "sevennet-l3i5", "sevennet-mf-0:PBE", "sevennet-mf-0:R2SCAN")
PREFIXES = ("matgl:NAME_OR_PATH", "ase:package.module:factory")
MODELS = "models/NAME"
"""Stands for any folder that `screen retrain` wrote."""


def available() -> list[str]:
    """Names that `load_potential` takes; the last three stand for families and for folders of `screen retrain`."""
    return [*BUILT_IN, *PREFIXES, MODELS]


def check_name(name: str) -> None:
    """Refuse an unknown name, without loading anything.

    Raises
    ------
    UserError
        With the nearest valid name, or what is wrong with a model's folder.
    """
    if is_model_path(name):
        card = read_card(name)
        if card.kind == SOFTENING:
            check_name(card.base)
        return
    if name in BUILT_IN or name.split(":")[0] in ("matgl", "ase"):
        return
    family = [n for n in BUILT_IN if n.split(":")[0] == name.split(":")[0]]
    if family:
        raise UserError(f"there is no potential {name!r}; use {' or '.join(family)}.")
    families = f"or {' or '.join([*PREFIXES, MODELS])}"
    raise UserError(f"there is no potential {name!r}; {nearest(name, BUILT_IN)}, {families}.")


def built_in_base(name: str) -> str:
    """Potential whose network this is: of a retrained one the base it started from, of any other one itself."""
    return built_in_base(read_card(name).base) if is_model_path(name) else name


def fitted_elements(name: str) -> frozenset[str] | None:
    """Elements whose energies are on one scale in this potential; None for all that it knows.

    Only a potential that was retrained on the zero points of its data has a limit (`model_card.ModelCard`).
    """
    if not is_model_path(name):
        return None
    card = read_card(name)
    return fitted_elements(card.base) if card.kind == SOFTENING else card.fitted_elements


def supported_elements(potential: str) -> frozenset[str] | None:
    """Symbols of the elements that a potential was trained on, without loading its weights; None where that is unknown.

    Unknown are the elements of an ``ase:`` calculator, and of a matgl model that lies neither in the folder that was
    named nor in the hub's cache. A structure with any other element gets no energy from the potential. The name must
    be one that `check_name` accepts.

    Raises
    ------
    UserError
        For a model folder without a usable card.
    """
    if is_model_path(potential):
        card = read_card(potential)
        return supported_elements(card.base) if card.kind == SOFTENING else MPTRJ
    family = potential.split(":")[0]
    if family == "ase":
        return None
    if family == "matgl":
        from screening.potentials.matgl import local_folder

        folder = local_folder(potential.partition(":")[2])
        return None if folder is None else elements_of_matgl(folder / "model.json")
    return MPTRJ


def load_potential(name: str, device: str = "auto", *, self_check: bool = True) -> Potential:
    """Load a potential once per process and device.

    Parameters
    ----------
    name
        See `available`. The folder of a softening correction stands for its base potential, whose name the returned
        one has; the correction itself is applied in ranking.
    device
        ``"auto"``, ``"cpu"`` or ``"cuda"``.
    self_check
        Relax LiNbO3 and refuse a potential whose lattice is off (once per checkpoint and process).

    Raises
    ------
    UserError
        For an unknown name, a device that is not there, a model that cannot be loaded or fails its self-check.
    """
    check_name(name)
    if is_model_path(name):
        card = read_card(name)
        if card.kind == SOFTENING:
            return load_potential(card.base, device, self_check=self_check)
        potential = _load_finetuned(str(card.folder.resolve()), card.checkpoint_sha256, device)
    else:
        potential = _load(name, device)
    if self_check:
        from screening.potentials.selfcheck import check_potential

        check_potential(potential)
    return potential


@lru_cache(maxsize=4)
def _load_finetuned(folder: str, checkpoint_sha256: str, device: str) -> Potential:
    """`checkpoint_sha256` makes a folder that was written anew another potential."""
    card = read_card(folder)
    if card.family == "chgnet":
        from screening.potentials import chgnet

        return chgnet.load_card(card, device)
    from screening.potentials import sevennet

    return sevennet.load_card(card, device)


@lru_cache(maxsize=len(BUILT_IN) + 2)
def _load(name: str, device: str) -> Potential:
    family = name.split(":")[0]
    if family == "matgl":
        from screening.potentials import matgl

        return matgl.load(name, device)
    if family == "ase":
        from screening.potentials import ase_calculator
        from screening.potentials.batching import pick_device

        pick_device(device)
        return ase_calculator.load(name)
    if family.startswith("chgnet"):
        from screening.potentials import chgnet

        return chgnet.load(name, device)
    from screening.potentials import sevennet

    return sevennet.load(name, device)
