"""The table of families of potentials: whatever depends on which there are is derived from it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from screening.potentials.families.family import BuiltIn, Family

MODULES = (
    "chgnet",
    "sevennet",
    "matgl",
    "ase",
)
"""One line per family, the name of its file in this folder; in this order they are listed to users."""

FAMILIES: tuple[Family, ...] = tuple(import_module(f"{__package__}.{module}").FAMILY for module in MODULES)

MODELS = "models/NAME"
"""Stands for any folder that `screen retrain` wrote."""

_POTENTIALS: tuple[BuiltIn, ...] = tuple(potential for family in FAMILIES for potential in family.built_in)
BUILT_IN = tuple(potential.name for potential in _POTENTIALS)
PREFIXES = tuple(family.pattern.full for family in FAMILIES if family.pattern is not None)
NETWORKS: Mapping[str, tuple[str, ...]] = {family.name: family.networks for family in FAMILIES if family.fine_tuning}
"""By family the built-in potentials that `screen retrain` fine-tunes."""
RETRAINABLE = tuple(name for networks in NETWORKS.values() for name in networks)
SHIPPING = tuple(dict.fromkeys(family.package for family in FAMILIES if family.built_in))
"""Packages that hold networks and weights of built-in potentials."""

_SHOWN = tuple(potential for potential in _POTENTIALS if potential.in_help)
_SHORT = tuple(family.pattern.short for family in FAMILIES if family.pattern is not None)
HELP = f"{', '.join([*(potential.name for potential in _SHOWN), *_SHORT, MODELS])}."
"""Help of an option that takes any potential."""
HELP_BRIEFLY = f"{', '.join(potential.name for potential in _SHOWN[:3])}, ..."
"""The same where the option is a side matter."""
HELP_RETRAINABLE = f"{', '.join(p.name for p in _SHOWN if p.name in RETRAINABLE)} or {MODELS}."
"""Help of an option that takes what `screen retrain` fine-tunes."""


def family_of(name: str) -> Family | None:
    """Family of a potential's name; None for a folder of `screen retrain` and for what is no potential."""
    return next((family for family in FAMILIES if family.takes(name)), None)


def family_named(name: str) -> Family:
    """Family by its own name, as in a card; a KeyError where there is none."""
    return {family.name: family for family in FAMILIES}[name]


def seconds_per_atom() -> dict[str, float]:
    """CPU time (s) per atom of one energy and force evaluation, by built-in potential, of those that were measured."""
    return {p.name: p.seconds_per_atom for p in _POTENTIALS if p.seconds_per_atom is not None}


def titles_on(scales: tuple[str, ...]) -> list[str]:
    """How a sentence calls the families with built-in potentials whose energies are on one of `scales`."""
    return [f.title for f in FAMILIES if any(potential.corrections in scales for potential in f.built_in)]
