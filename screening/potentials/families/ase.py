"""Any ASE calculator, by the function that makes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from screening.potentials.families.family import Family, Pattern

if TYPE_CHECKING:
    from screening.potentials.base import Potential


def _load(name: str, _: str) -> Potential:
    from screening.potentials import ase_calculator

    return ase_calculator.load(name)


def _elements(_: str) -> None:
    """Nothing says what a calculator knows."""


FAMILY = Family(
    name="ase",
    title="an ASE calculator",
    package="ase",
    load=_load,
    elements=_elements,
    pattern=Pattern(full="ase:package.module:factory", short="ase:MODULE:FACTORY"),
    runs_code=True,
)
