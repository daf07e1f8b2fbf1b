"""The DFT data that ship: what they hold, and that they are labels of the structures beside them."""

from __future__ import annotations

import numpy as np
from ase.io import read

from screening.assets import asset
from screening.validation.library import DataLibrary
from screening.validation.settings import load_validation_settings
from screening.validation.training_set import groups_of, read_frames

FOLDER = asset("datasets", "dft", "niobates")


def test_there_are_enough_cells_of_enough_compositions():
    frames = read_frames([FOLDER])
    assert len(frames) >= 40
    assert {"LiNbO3", "LiTaO3", "Li3NbO4", "MgNb2O6"} <= set(groups_of(frames))
    assert {f.fidelity for f in frames} == {"dft:gpaw-pbe:gpaw-pbe"}


def test_forces_of_every_frame_add_up_to_nothing():
    for frame in read_frames([FOLDER]):
        assert np.abs(frame.forces.sum(axis=0)).max() < 0.1
        assert frame.stress is None  # at this cutoff it would be wrong by GPa


def test_every_label_belongs_to_a_shipped_structure():
    cells = {a.info["name"]: a for a in read(FOLDER / "cells.extxyz", ":")}
    for frame in DataLibrary(FOLDER).frames():
        start = cells[str(frame.info["source"]).rsplit("/", 1)[-1]]
        np.testing.assert_array_equal(frame.numbers, start.numbers)
        np.testing.assert_allclose(frame.positions, start.positions, atol=1e-5)


def test_every_calculation_agrees_with_the_shipped_settings():
    settings = load_validation_settings("gpaw-pbe")
    for calculation in DataLibrary(FOLDER).calculations():
        method = calculation["method"]
        assert calculation["settings"] == "gpaw-pbe"
        assert (method["functional"], method["basis"], method["cutoff"]) == ("pbe", "pw", settings.cutoff)
        assert calculation["converged"]
