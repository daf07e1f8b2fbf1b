"""The mean stretch that carries an ordered cathode's relaxation over to its conventional cell."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from screening.properties.bulk import hexagonal_stretch


def test_stretch_of_a_known_deformation_is_recovered_through_rotation_and_shear_free_cells() -> None:
    rng = np.random.default_rng(1)
    before = 5 * np.eye(3) + rng.normal(scale=0.5, size=(3, 3))
    deformation = np.diag([1.02, 0.98, 1.05])
    rotation = Rotation.from_rotvec([0.3, -0.2, 0.5]).as_matrix()
    after = before @ deformation @ rotation
    in_plane, along_c = hexagonal_stretch(before, after, np.array([0.0, 0.0, 14.2]))
    assert in_plane == pytest.approx(1.0, abs=1e-12)  # mean of 1.02 and 0.98
    assert along_c == pytest.approx(1.05, abs=1e-12)


def test_no_deformation_is_no_stretch() -> None:
    cell = np.array([[2.87, 0, 0], [-1.435, 2.485, 0], [0, 0, 14.17]])
    assert hexagonal_stretch(cell, cell, cell[2]) == pytest.approx((1.0, 1.0))
