"""Shipped energies need no cache folder, and a cache that cannot be used costs a warning and nothing else."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from screening.engine.running.records import PotentialId
from screening.potentials.registry import load_potential
from screening.properties.stability import competing, phase_files
from screening.properties.stability.phase_set import compute_phases


@pytest.fixture
def no_cache(tmp_path, monkeypatch):
    """A cache below a folder in which nothing can be made."""
    cache = tmp_path / "home" / ".cache"
    monkeypatch.setenv("COATSCREEN_CACHE", str(cache))
    mkdir = os.mkdir

    def refuse(path, *arguments, **options):
        if Path(path).is_relative_to(tmp_path / "home"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        mkdir(path, *arguments, **options)

    monkeypatch.setattr(os, "mkdir", refuse)
    return cache


def test_shipped_energies_write_nothing(no_cache, caplog):
    phases = compute_phases({"Li", "Nb", "O"}, "chgnet").phases
    assert "LiNbO3" in {phase.name for phase in phases}
    assert caplog.text == ""
    assert not no_cache.parent.exists()


def test_what_must_be_computed_is_computed_elsewhere(no_cache, caplog, monkeypatch):
    shipped = phase_files.shipped_energies

    def all_but_one(potential_id: PotentialId) -> dict[str, phase_files.PhaseEnergy]:
        return {name: e for name, e in shipped(potential_id).items() if name != "Li2O"}

    monkeypatch.setattr(competing, "shipped_energies", all_but_one)
    phases = {phase.name: phase for phase in compute_phases({"Li", "O"}, "chgnet", device="cpu").phases}
    chgnet = load_potential("chgnet", "cpu", self_check=False)
    expected = shipped(PotentialId(chgnet.name, chgnet.checkpoint_sha256))["Li2O"].energy_per_atom
    assert phases["Li2O"].energy_per_atom == pytest.approx(expected, abs=2e-3)
    assert "set COATSCREEN_CACHE" in caplog.text
    assert not no_cache.parent.exists()


def test_a_cache_that_cannot_be_read_holds_nothing(tmp_path, caplog, monkeypatch):
    potential_id = PotentialId("chgnet", "0" * 64)
    monkeypatch.setenv("COATSCREEN_CACHE", str(tmp_path))

    def refuse(self):
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "is_file", refuse)
    assert phase_files.cached_energies(potential_id) == {}
    assert "cannot be read: Permission denied" in caplog.text
