"""GPAW for real: a hydrogen molecule in seconds, LiNbO3 in a minute."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.io import read

from screening.engine.running.runlock import run_lock
from screening.structures.crystals.crystals import load_crystal
from screening.training_data.calculation import CalculationUnreadable
from screening.validation.gpaw.settings import GpawSettings
from screening.validation.jobs import Job
from screening.validation.label import label, named_structures
from screening.validation.programs import load_validation_settings
from screening.validation.protocols import CalculationFailed

pytest.importorskip("gpaw", reason="the extra gpaw is not installed")

CHEAP = GpawSettings(name="cheap", engine="gpaw", cutoff=300, kpoint_spacing=3.0, density_convergence=1e-5, fmax=0.02)


@pytest.fixture
def hydrogen() -> Atoms:
    atoms = molecule("H2", vacuum=2.5)
    atoms.pbc = True
    atoms.positions[1, 2] -= 0.08
    return atoms


def engine(settings: GpawSettings = CHEAP):
    from screening.validation.gpaw.engine import GpawEngine

    return GpawEngine(settings)


def job(atoms: Atoms, **fields) -> Job:
    return Job(name="h2", candidate=None, role="phase", atoms=atoms, **fields)


def test_bond_of_hydrogen_relaxes_to_the_published_length(hydrogen: Atoms, tmp_path: Path):
    """Measured: 0.741 A (Huber and Herzberg 1979); PBE is known to be about 0.01 longer, box and cutoff are small."""
    gpaw = engine()
    gpaw.write(job(hydrogen, relax="atoms"), tmp_path)
    assert not gpaw.is_finished(tmp_path)
    gpaw.run(tmp_path)
    assert gpaw.is_finished(tmp_path)
    (found,) = gpaw.read(tmp_path)
    assert found.converged
    assert found.ionic_converged
    assert found.atoms.get_distance(0, 1) == pytest.approx(0.750, abs=0.02)
    assert found.energy < found.frames[0].energy
    assert found.method.label == "pbe"
    assert found.settings == "cheap"
    assert found.band_gap > 5


def test_forces_are_the_slope_of_the_energy(hydrogen: Atoms, tmp_path: Path):
    energies = []
    for step in (-0.01, 0.0, 0.01):
        moved = hydrogen.copy()
        moved.positions[1, 2] += step
        gpaw, folder = engine(), tmp_path / f"{step}"
        gpaw.write(job(moved), folder)
        gpaw.run(folder)
        (found,) = gpaw.read(folder)
        energies.append(found.energy)
        if step == 0.0:
            force = found.final.forces[1, 2]
    assert -(energies[2] - energies[0]) / 0.02 == pytest.approx(force, abs=0.05)


def test_killed_job_goes_on_from_its_last_step(hydrogen: Atoms, tmp_path: Path):
    gpaw = engine()
    gpaw.write(job(hydrogen, relax="atoms"), tmp_path)
    gpaw.run(tmp_path)
    frames = read(tmp_path / "steps.extxyz", ":")
    (tmp_path / "result.json").unlink()  # as if it had been killed before the end
    gpaw.run(tmp_path)
    after = read(tmp_path / "steps.extxyz", ":")
    assert len(after) == len(frames) + 1
    np.testing.assert_allclose(after[-1].positions, frames[-1].positions)


def test_finished_images_of_a_band_are_kept(hydrogen: Atoms, tmp_path: Path):
    other = hydrogen.copy()
    other.positions[1, 2] += 0.1
    gpaw = engine()
    gpaw.write(job(hydrogen, images=(hydrogen, other)), tmp_path)
    gpaw.run(tmp_path)
    results = json.loads((tmp_path / "result.json").read_text())
    untouched = (tmp_path / "steps.extxyz").stat().st_mtime_ns
    del results["1"]
    (tmp_path / "result.json").write_text(json.dumps(results))
    assert not gpaw.is_finished(tmp_path)
    with pytest.raises(CalculationUnreadable, match="image 1 of 2"):
        gpaw.read(tmp_path)
    gpaw.run(tmp_path)
    assert (tmp_path / "steps.extxyz").stat().st_mtime_ns == untouched
    first, second = gpaw.read(tmp_path)
    np.testing.assert_allclose(first.atoms.positions, hydrogen.positions)
    np.testing.assert_allclose(second.atoms.positions, other.positions)


def test_labels_are_computed_once(hydrogen: Atoms, tmp_path: Path):
    outcome = label({"h2": hydrogen}, engine(), CHEAP, tmp_path)
    assert outcome.computed == ["h2"]
    again = label({"h2": hydrogen}, engine(), CHEAP, tmp_path)
    assert again.known == ["h2"]
    assert not again.computed


def test_structure_that_another_process_computes_is_left_to_it(hydrogen: Atoms, tmp_path: Path):
    with run_lock(tmp_path / "h2"):
        outcome = label({"h2": hydrogen}, engine(), CHEAP, tmp_path)
    assert outcome.taken == ["h2"]
    assert label({"h2": hydrogen}, engine(), CHEAP, tmp_path).computed == ["h2"]


def test_relaxation_that_ran_out_of_steps_says_so_and_goes_on(hydrogen: Atoms, tmp_path: Path):
    short = engine(CHEAP.model_copy(update={"max_steps": 1}))
    short.write(job(hydrogen, relax="atoms"), tmp_path)
    with pytest.raises(CalculationFailed, match="run it again to go on"):
        short.run(tmp_path)
    assert not short.is_finished(tmp_path)
    assert not short.read(tmp_path)[0].converged
    n_frames = len(read(tmp_path / "steps.extxyz", ":"))
    with pytest.raises(CalculationFailed):
        short.run(tmp_path)
    assert len(read(tmp_path / "steps.extxyz", ":")) > n_frames


def test_hops_are_single_points(hydrogen: Atoms, tmp_path: Path):
    gpaw = engine()
    gpaw.write(Job(name="a", candidate=None, role="end", atoms=hydrogen, relax="atoms"), tmp_path)
    gpaw.run(tmp_path)
    (found,) = gpaw.read(tmp_path)
    assert found.ionic_converged is None
    np.testing.assert_allclose(found.atoms.positions, hydrogen.positions)


def test_structure_without_a_paw_data_set_fails_alone(hydrogen: Atoms, tmp_path: Path):
    strange = Atoms("U", cell=[4, 4, 4], pbc=True)
    outcome = label({"u": strange, "h2": hydrogen}, engine(), CHEAP, tmp_path)
    assert list(outcome.failed) == ["u"]
    assert outcome.computed == ["h2"]


@pytest.mark.slow
def test_ten_atoms_of_linbo3_in_pbe(tmp_path: Path):
    """Real PBE of the primitive cell: a gap near the published PBE one, no net force, C3 symmetry of the forces."""
    from pymatgen.io.ase import AseAtomsAdaptor

    primitive = AseAtomsAdaptor.get_structure(load_crystal("LiNbO3")).get_primitive_structure()
    atoms = AseAtomsAdaptor.get_atoms(primitive, msonable=False)
    settings = load_validation_settings("gpaw-pbe")
    assert isinstance(settings, GpawSettings)
    label({"LiNbO3": atoms}, engine(settings), settings, tmp_path)
    (found,) = engine(settings).read(tmp_path / "LiNbO3")
    assert found.converged
    # PBE gap at the experimental lattice: 3.4-3.5 eV (e.g. Schmidt et al., Phys. Rev. B 77, 035106 (2008): 3.48 eV)
    assert 3.2 < found.band_gap < 3.7
    assert np.abs(found.final.forces.sum(axis=0)).max() < 0.05
    niobium = found.final.forces[found.atoms.numbers == 41]
    np.testing.assert_allclose(niobium[0], niobium[1], atol=0.01)  # the c glide maps one Nb on the other


def test_two_structures_of_one_name_are_refused(hydrogen: Atoms, tmp_path: Path):
    from ase.io import write

    from screening.errors import UserError

    hydrogen.info["name"] = "same"
    write(tmp_path / "two.extxyz", [hydrogen, hydrogen])
    with pytest.raises(UserError, match="two structures named same"):
        named_structures(tmp_path / "two.extxyz")
