"""From a potential's name to a loaded, checked potential."""

from __future__ import annotations

from functools import lru_cache

from screening.errors import UserError
from screening.names import nearest
from screening.potentials.base import Potential

BUILT_IN = ("chgnet", "chgnet-r2scan", "sevennet-0", "sevennet-l3i5", "sevennet-mf-0:PBE", "sevennet-mf-0:R2SCAN")
PREFIXES = ("matgl:NAME_OR_PATH", "ase:package.module:factory")


def available() -> list[str]:
    """Names that `load_potential` takes; the last two stand for families."""
    return [*BUILT_IN, *PREFIXES]


def check_name(name: str) -> None:
    """Refuse an unknown name, without loading anything.

    Raises
    ------
    UserError
        With the nearest valid name.
    """
    if name in BUILT_IN or name.split(":")[0] in ("matgl", "ase"):
        return
    family = [n for n in BUILT_IN if n.split(":")[0] == name.split(":")[0]]
    if family:
        raise UserError(f"there is no potential {name!r}; use {' or '.join(family)}.")
    families = f"or {' or '.join(PREFIXES)}"
    raise UserError(f"there is no potential {name!r}; {nearest(name, BUILT_IN)}, {families}.")


def load_potential(name: str, device: str = "auto", *, self_check: bool = True) -> Potential:
    """Load a potential once per process and device.

    Parameters
    ----------
    name
        See `available`.
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
    potential = _load(name, device)
    if self_check:
        from screening.potentials.selfcheck import check_potential

        check_potential(potential)
    return potential


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
