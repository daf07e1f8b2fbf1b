"""From a potential's name to a loaded, checked potential."""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from screening.errors import UserError
from screening.names import nearest
from screening.potentials.base import Potential
from screening.potentials.families.family import Family
from screening.potentials.families.table import BUILT_IN, MODELS, NETWORKS, PREFIXES, family_named, family_of
from screening.potentials.model_card import CARD, SOFTENING, ModelCard, check_checkpoint, is_model_path, read_card
from screening.process.threads import limit_threads


def available() -> list[str]:
    """Names that `load_potential` takes; the last ones stand for families and for folders of `screen retrain`."""
    return [*BUILT_IN, *PREFIXES, MODELS]


def check_name(name: str) -> None:
    """Refuse a potential that cannot be used here, before anything is computed and without building its network.

    Looked at are the name, the package, a model's folder, card, base, checkpoint and its checksum. A matgl model that
    is not on this machine is fetched from the hub. An ``ase:`` factory is called, since nothing else says whether what
    it needs is there; `load_potential` takes what it made. See `Family.check` and `Family.runs_code`.

    Raises
    ------
    UserError
        With the nearest valid name, or what is wrong and what to do.
    """
    found = resolved(name)
    if isinstance(found, ModelCard):
        check_checkpoint(found)
        _check_package(family_named(found.family), found.family)
        return
    family = _family(found)
    if family.runs_code:
        _load(found, "cpu")
    elif family.check is not None:
        family.check(found)
    else:
        _check_package(family, found)


def resolved(name: str) -> str | ModelCard:
    """What a name stands for: a fine-tuned model's card, or a name of `available`; a correction stands for its base.

    Raises
    ------
    UserError
        For an unknown name or an unusable card.
    """
    folders: list[Path] = []
    # a folder that happens to be called chgnet does not take the place of the built-in potential
    while name not in BUILT_IN and is_model_path(name):
        card = read_card(name)
        if card.kind != SOFTENING:
            return card
        folders.append(card.folder.resolve())
        if folders[-1] in folders[:-1]:
            raise UserError(f"{card.folder} is a correction of itself; correct `base` in its {CARD}.")
        name = card.base
    family = family_of(name)
    if folders and family is not None and family.runs_code:
        # what a user types may name code, what a file says may not
        raise UserError(
            f"{folders[-1]} corrects {name}, and code that a file names is not run; give --potential {name} yourself, "
            f"and the correction to `screen rank RUN --correction {folders[-1]}`."
        )
    if family is not None:
        return name
    variants = [n for n in BUILT_IN if n.split(":")[0] == name.split(":")[0]]
    if variants:
        raise UserError(f"there is no potential {name!r}; use {' or '.join(variants)}.")
    others = f"or {' or '.join([*PREFIXES, MODELS])}"
    raise UserError(f"there is no potential {name!r}; {nearest(name, BUILT_IN)}, {others}.")


def _family(name: str) -> Family:
    """Family of a name that `resolved` let through."""
    family = family_of(name)
    assert family is not None, name
    return family


def _check_package(family: Family, name: str) -> None:
    package = family.package
    if find_spec(package) is None:
        raise UserError(f"the package {package} of the potential {name} is not installed; run `pip install {package}`.")


def built_in_base(name: str) -> str:
    """Potential whose network this is: of a retrained one the base it started from, of any other one itself."""
    found = resolved(name)
    if isinstance(found, str):
        return found
    networks = NETWORKS[found.family]
    # a card of an earlier version names no network, and its base may be a folder that is not here
    return found.network or (found.base if found.base in networks else networks[0])


def fitted_elements(name: str) -> frozenset[str] | None:
    """Elements whose energies are on one scale in this potential; None for all that it knows.

    Only a potential that was retrained on the zero points of its data has a limit (`model_card.ModelCard`).
    """
    found = resolved(name)
    return found.fitted_elements if isinstance(found, ModelCard) else None


def supported_elements(potential: str) -> frozenset[str] | None:
    """Symbols of the elements that a potential was trained on, without loading its weights; None where that is unknown.

    Unknown are the elements of an ``ase:`` calculator, and of a matgl model that lies neither in the folder that was
    named nor in the hub's cache. A structure with any other element gets no energy from the potential.

    Raises
    ------
    UserError
        For an unknown name or a model folder without a usable card.
    """
    found = resolved(potential)
    if isinstance(found, ModelCard):
        return family_named(found.family).elements(built_in_base(potential))
    return _family(found).elements(found)


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
    found = resolved(name)
    if isinstance(found, ModelCard):
        potential = _load_finetuned(str(found.folder.resolve()), found.checkpoint_sha256, device)
    else:
        if _family(found).runs_code:
            from screening.potentials.batching import pick_device

            pick_device(device)
            device = "cpu"  # what `check_name` made is taken: ASE's calculators choose their device themselves
        potential = _load(found, device)
    limit_threads()  # here for notebooks too, where everything was loaded before anybody could set the environment
    if self_check:
        from screening.potentials.selfcheck import check_potential

        check_potential(potential)
    return potential


@lru_cache(maxsize=4)
def _load_finetuned(folder: str, checkpoint_sha256: str, device: str) -> Potential:
    """`checkpoint_sha256` makes a folder that was written anew another potential."""
    from screening.potentials.finetuned import load_card  # its weights import torch

    return load_card(read_card(folder), device)


@lru_cache(maxsize=len(BUILT_IN) + 2)
def _load(name: str, device: str) -> Potential:
    return _family(name).load(name, device)
