"""matgl models (TensorNet, M3GNet, CHGNet, ...) by hub name or by local path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from screening.potentials.families.family import Family, Pattern

if TYPE_CHECKING:
    from screening.potentials.base import Potential


def _load(name: str, device: str) -> Potential:
    from screening.potentials.networks import matgl

    return matgl.load(name, device)


def _check(name: str) -> object:
    from screening.potentials.networks import matgl

    return matgl.check(name)


def _elements(name: str) -> frozenset[str] | None:
    """What the model's own file states, where the model is on this machine."""
    from screening.potentials.networks import matgl

    folder = matgl.local_folder(name.partition(":")[2])
    return None if folder is None else matgl.elements_of(folder)


FAMILY = Family(
    name="matgl",
    title="a matgl model",
    package="matgl",
    load=_load,
    check=_check,
    elements=_elements,
    pattern=Pattern(full="matgl:NAME_OR_PATH", short="matgl:NAME"),
)
