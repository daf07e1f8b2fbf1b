"""SevenNet-0, SevenNet-l3i5 and the two levels of theory of SevenNet-MF-0."""

from __future__ import annotations

from typing import TYPE_CHECKING

from screening.potentials.families.family import BuiltIn, Family, FineTuning, NetworkCode, elements_of_mptrj

if TYPE_CHECKING:
    from screening.potentials.base import Potential


def _load(name: str, device: str) -> Potential:
    from screening.potentials.networks import sevennet

    return sevennet.load(name, device, corrections=FAMILY.corrections(name))


def _code() -> NetworkCode:
    from screening.potentials.networks import sevennet

    return sevennet


# all but r2SCAN were trained on uncorrected energies of the Materials Project
FAMILY = Family(
    name="sevennet",
    title="a SevenNet model",
    package="sevenn",
    load=_load,
    elements=elements_of_mptrj,
    built_in=(
        BuiltIn(name="sevennet-0", corrections="MP2020-needed", seconds_per_atom=0.0119, can_be_retrained=True),
        BuiltIn(name="sevennet-l3i5", corrections="MP2020-needed", seconds_per_atom=0.0428, can_be_retrained=True),
        BuiltIn(name="sevennet-mf-0:PBE", corrections="MP2020-needed", seconds_per_atom=0.0147),
        BuiltIn(name="sevennet-mf-0:R2SCAN", corrections="own-hull", in_help=False),
    ),
    fine_tuning=FineTuning(code=_code, backend="screening.retraining.sevennet:SevenNetBackend"),
)
