"""The benchmark of ingestion with few frames: everything goes in, and the second time changes nothing."""

import json

import ingest_frames
import numpy as np
import pytest


@pytest.fixture(scope="module")
def row(tmp_path_factory):
    file = tmp_path_factory.mktemp("bench") / "ingest.json"
    ingest_frames.main(["--frames", "12", "--atoms", "16", "--json", str(file)])
    (row,) = json.loads(file.read_text())
    return row


def test_all_frames_go_in_once_and_the_second_time_changes_nothing(row):
    assert row["first"]["said"].startswith("12 calculations ingested with 12 frames, 0 not ingested")
    assert row["second"]["said"].startswith("0 calculations ingested with 0 frames, 12 known already")
    assert row["unchanged"] is True
    assert {"training.extxyz", "calculations.yaml"} <= set(row["files"])


def test_times_and_memory_are_those_of_the_process(row):
    for which in ("first", "second"):
        assert row[which]["cpu_s"] > 0
        assert 50 < row[which]["memory_MB"] < 5000


@pytest.mark.parametrize("n_atoms", [8, 24, 64])
def test_forces_are_the_slope_of_the_energy(n_atoms):
    (atoms,) = ingest_frames.frames(1, n_atoms, 0.05)
    sites = ingest_frames.parent(n_atoms)
    assert len(atoms) == len(sites) == n_atoms
    assert atoms.get_chemical_formula(empirical=True) == "Li3NbO4"
    shift = atoms.positions - sites.positions
    energy = atoms.get_potential_energy()
    assert energy == pytest.approx(ingest_frames.ENERGY * n_atoms - 0.5 * np.vdot(atoms.get_forces(), shift))
