"""NEB forces on one fixed band against ASE, and the shape of a path."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import add_adsorbate, fcc100
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms
from ase.mep import NEB

from screening.engine.paths.bands import band_forces, has_valley, highest_interior
from screening.engine.paths.idpp import interpolate, unwrapped_displacement


def band_of_images() -> list[Atoms]:
    """Al hopping on Al(100), images displaced at random so that the band is neither straight nor even."""
    first = fcc100("Al", (2, 2, 3), vacuum=6.0, periodic=True)
    add_adsorbate(first, "Al", 1.7, "hollow")
    first.set_constraint(FixAtoms(mask=first.get_tags() > 1))
    images = [first.copy() for _ in range(6)]
    rng = np.random.default_rng(0)
    for number, image in enumerate(images):
        image.positions[-1, 0] += number * first.cell[0, 0] / 10
        shake = 0.05 * rng.standard_normal(image.positions.shape)
        image.positions += shake * (first.get_tags() < 2)[:, None]
    return images


@pytest.mark.parametrize("climb", [False, True])
def test_forces_equal_ase_improved_tangent(climb: bool) -> None:
    images = band_of_images()
    for image in images:
        image.calc = EMT()
    energies = np.array([image.get_potential_energy() for image in images])
    reference = NEB(images, k=3.0, climb=climb, method="improvedtangent").get_forces().reshape(4, -1, 3)
    forces = np.array([image.get_forces() for image in images[1:-1]])
    ours = band_forces(np.array([i.positions for i in images]), energies, forces, spring=3.0, climb=climb)
    assert np.abs(ours.forces - reference).max() < 1e-6
    assert highest_interior(energies) is not None  # so that one image climbs where it may


@pytest.mark.slow
def test_forces_equal_ase_on_chgnet() -> None:
    """A Li-vacancy hop in LiNbO3 with CHGNet itself, on the interpolated band."""
    from chgnet.model.dynamics import CHGNetCalculator

    from screening.structures.crystals.crystals import load_crystal

    perfect = load_crystal("LiNbO3")
    lithium = np.flatnonzero(perfect.symbols == "Li")
    hop = perfect.get_distance(lithium[0], lithium[1], mic=True, vector=True)
    initial = perfect.copy()
    final = perfect.copy()
    final.positions[lithium[0]] += hop
    del initial[int(lithium[1])], final[int(lithium[1])]
    displacement = unwrapped_displacement(initial, final, remove_drift=True)
    positions, _ = interpolate(initial, displacement, 3, np.ones(len(initial), dtype=bool))

    calculator = CHGNetCalculator(use_device="cpu")
    images = []
    for image_positions in positions:
        image = Atoms(initial.symbols, positions=image_positions, cell=initial.cell, pbc=True)
        calculator.calculate(image)
        image.calc = SinglePointCalculator(
            image, energy=float(calculator.results["energy"]), forces=calculator.results["forces"].astype(float)
        )
        images.append(image)
    energies = np.array([image.get_potential_energy() for image in images])
    forces = np.array([image.get_forces() for image in images[1:-1]])
    reference = NEB(images, k=5.0, climb=True, method="improvedtangent").get_forces().reshape(forces.shape)
    ours = band_forces(positions, energies, forces, spring=5.0, climb=True)
    assert np.abs(ours.forces - reference).max() < 1e-6


def test_a_plain_image_feels_only_springs_along_the_path() -> None:
    images = band_of_images()
    positions = np.array([image.positions for image in images])
    rng = np.random.default_rng(1)
    forces = rng.standard_normal((4, *positions.shape[1:]))
    energies = np.array([0.0, 0.1, 0.3, 0.6, 0.4, 0.0])
    ours = band_forces(positions, energies, forces, spring=2.0, climb=True)
    lengths = np.linalg.norm(np.diff(positions, axis=0).reshape(5, -1), axis=1)
    for image in (0, 1, 3):
        along = float(np.vdot(ours.forces[image], ours.tangents[image]))
        assert along == pytest.approx(2.0 * (lengths[image + 1] - lengths[image]))
    climbing = float(np.vdot(ours.forces[2], ours.tangents[2]))
    assert climbing == pytest.approx(-float(np.vdot(forces[2], ours.tangents[2])))


def test_an_end_point_never_climbs() -> None:
    assert highest_interior(np.array([0.0, 0.1, 0.2, 0.3])) is None
    assert highest_interior(np.array([0.0, 0.4, 0.2, 0.3])) == 1


@pytest.mark.parametrize(
    ("energies", "valley"),
    [
        ([0.0, 0.3, 0.6, 0.3, 0.0], False),
        ([0.5, 0.8, 1.0, 0.3, 0.0], False),  # below the first end point only because the last is lower still
        ([0.0, 0.6, 0.2, 0.6, 0.0], True),
        ([0.0, 0.6, 0.56, 0.6, 0.0], False),
        ([0.0, 0.6, 0.3, -0.1, 0.0], True),
    ],
)
def test_valleys(energies: list[float], valley: bool) -> None:
    assert has_valley(np.array(energies)) is valley
