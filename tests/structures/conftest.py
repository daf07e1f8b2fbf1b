"""The pristine LiNbO3(110)/NCM811(110) pair that the interface tests share."""

from __future__ import annotations

import pytest
from ase import Atoms

from screening.config import InterfaceSettings
from screening.structures.crystals.crystals import load_crystal
from screening.structures.interfaces.interface import Parent, find_parents


def relaxed_host() -> Atoms:
    """LiNbO3 at the lattice CHGNet 0.3.0 relaxes it to."""
    host = load_crystal("LiNbO3")
    host.set_cell([5.231, 5.231, 14.135, 90, 90, 120], scale_atoms=True)
    return host


@pytest.fixture(scope="session")
def niobate() -> Atoms:
    return relaxed_host()


@pytest.fixture(scope="session")
def thin_parent() -> Parent:
    settings = InterfaceSettings(min_planes=2, min_thickness=0)
    return find_parents(relaxed_host(), load_crystal("NCM811"), "NCM811", settings, 0)[0]


@pytest.fixture(scope="session")
def standard_parent() -> Parent:
    return find_parents(relaxed_host(), load_crystal("NCM811"), "NCM811", InterfaceSettings(), 0)[0]
