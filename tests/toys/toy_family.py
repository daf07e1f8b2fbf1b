"""A family of potentials as somebody adds one: this file, beside the others, and its line in the table.

Its package is the module `toy_calculator`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from screening.potentials.families.family import BuiltIn, Family, elements_of_mptrj

if TYPE_CHECKING:
    from screening.potentials.base import Potential


def _load(name: str, _: str) -> Potential:
    from toy_calculator import ChoosySpheres

    from screening.potentials.ase_calculator import AsePotential

    calculator = ChoosySpheres(elements_of_mptrj(name))
    return AsePotential(calculator, name=name, checkpoint_sha256="0" * 64, corrections=FAMILY.corrections(name))


FAMILY = Family(
    name="toy",
    title="a toy",
    package="toy_calculator",
    load=_load,
    elements=elements_of_mptrj,
    built_in=(BuiltIn(name="toy-spheres", corrections="MP2020-in-model", seconds_per_atom=0.0001),),
)
