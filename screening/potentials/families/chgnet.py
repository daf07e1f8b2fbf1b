"""CHGNet 0.3.0 and its r2SCAN version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from screening.potentials.families.family import BuiltIn, Family, FineTuning, NetworkCode, elements_of_mptrj

if TYPE_CHECKING:
    from screening.potentials.base import Potential


def _load(name: str, device: str) -> Potential:
    from screening.potentials.networks import chgnet

    return chgnet.load(name, device, corrections=FAMILY.corrections(name))


def _code() -> NetworkCode:
    from screening.potentials.networks import chgnet

    return chgnet


FAMILY = Family(
    name="chgnet",
    title="chgnet",
    package="chgnet",
    load=_load,
    elements=elements_of_mptrj,
    built_in=(
        BuiltIn(
            name="chgnet",
            corrections="MP2020-in-model",  # its labels were corrected before it was trained on them
            seconds_per_atom=0.0021,
            can_be_retrained=True,
        ),
        BuiltIn(name="chgnet-r2scan", corrections="own-hull", can_be_retrained=True, in_help=False),
    ),
    fine_tuning=FineTuning(code=_code, backend="screening.retraining.chgnet:CHGNetBackend"),
)
