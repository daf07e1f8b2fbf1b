"""The DFT data that ship: what they hold, and that they are labels of the structures beside them."""

from __future__ import annotations

import numpy as np
import pytest
from ase.io import read

from screening.assets import asset
from screening.training_data.library import DataLibrary
from screening.training_data.training_set import groups_of, usable_frames
from screening.validation.gpaw.settings import GpawSettings
from screening.validation.programs import load_validation_settings

FOLDER = asset("datasets", "dft", "niobates")
LARGE = asset("datasets", "dft", "slabs")


def test_there_are_enough_cells_of_enough_compositions():
    frames = usable_frames([FOLDER])
    assert len(frames) >= 40
    assert {"LiNbO3", "LiTaO3", "Li3NbO4", "MgNb2O6"} <= set(groups_of(frames))
    assert {f.fidelity for f in frames} == {"dft:gpaw-pbe:gpaw-pbe"}


def test_forces_of_every_frame_add_up_to_nothing():
    for frame in usable_frames([FOLDER]):
        assert np.abs(frame.forces.sum(axis=0)).max() < 0.1
        assert frame.stress is None  # at this cutoff it would be wrong by GPa


@pytest.mark.parametrize("folder", [FOLDER, LARGE])
def test_every_label_belongs_to_a_shipped_structure(folder):
    files = [f for f in folder.glob("*.extxyz") if f.name != "training.extxyz"]
    cells = {a.info["name"]: a for file in files for a in read(file, ":")}
    frames = DataLibrary(folder).frames()
    assert frames
    for frame in frames:
        start = cells[str(frame.info["source"]).rsplit("/", 1)[-1]]
        np.testing.assert_array_equal(frame.numbers, start.numbers)
        np.testing.assert_allclose(frame.positions, start.positions, atol=1e-5)


@pytest.mark.parametrize("folder", [FOLDER, LARGE])
def test_every_calculation_agrees_with_the_shipped_settings(folder):
    for calculation in DataLibrary(folder).calculations():
        settings = load_validation_settings(calculation["settings"])
        assert isinstance(settings, GpawSettings)
        method = calculation["method"]
        assert (method["functional"], method["basis"], method["cutoff"]) == ("pbe", "pw", settings.cutoff)
        assert calculation["settings"] == ("gpaw-gamma" if "hops" in calculation["source"] else "gpaw-pbe")
        assert calculation["converged"]


def test_surfaces_and_separation_are_complete_enough_to_be_compared():
    names = {str(frame.info["source"]).rsplit("/", 1)[-1] for frame in DataLibrary(LARGE).frames()}
    surfaces = {"LiNbO3-110", "LiCoO2-110", "LiCoO2-104"}
    assert {f"{s}-{kind}" for s in surfaces for kind in ("cut", "relaxed")} <= names
    assert {"LiNbO3-bulk", "LiCoO2-bulk", "alone-cathode", "alone-coating", "pulled-0.0", "pulled-5.0"} <= names
