"""Energies, forces and stresses equal those of the packages' own ASE calculators, alone and in mixed batches."""

import contextlib
import io
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT

from screening.potentials.ase_calculator import as_ase_calculator
from screening.potentials.registry import load_potential
from screening.potentials.selfcheck import lithium_niobate

ENERGY = 1e-4  # eV
FORCE = 1e-3  # eV/A
STRESS = 1e-5  # eV/A^3


def structures() -> list[Atoms]:
    """10, 20 and 5 atoms; the second with a vacancy, a dopant and a vacuum."""
    small = lithium_niobate()
    medium = lithium_niobate().repeat((2, 1, 1))
    medium.symbols[np.flatnonzero(medium.symbols == "Li")[0]] = "Mg"
    del medium[np.flatnonzero(medium.symbols == "Li")[0]]
    medium.center(vacuum=4.0, axis=2)
    rock_salt = bulk("NiO", "rocksalt", a=4.2).repeat((2, 1, 1))
    for seed, atoms in enumerate((small, medium, rock_salt)):
        atoms.rattle(0.08, seed=seed)
    return [small, medium, rock_salt]


def reference(name: str):
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if name.startswith("chgnet"):
            from chgnet.model.dynamics import CHGNetCalculator
            from chgnet.model.model import CHGNet

            version = {"chgnet": "0.3.0", "chgnet-r2scan": "r2scan"}[name]
            return CHGNetCalculator(CHGNet.load(model_name=version, use_device="cpu"), use_device="cpu")
        from sevenn.calculator import SevenNetCalculator

        family, _, modal = name.partition(":")
        return SevenNetCalculator(family.replace("sevennet", "7net"), device="cpu", modal=modal or None)


NAMES = ["chgnet", "chgnet-r2scan", "sevennet-0", "sevennet-l3i5", "sevennet-mf-0:PBE", "sevennet-mf-0:R2SCAN"]


@pytest.mark.parametrize("name", NAMES)
def test_same_values_as_the_package(name, monkeypatch):
    potential = load_potential(name, "cpu", self_check=False)
    calculator = reference(name)
    everything = structures()
    alone = potential.evaluate(everything, stress=True)
    monkeypatch.setattr(potential, "batch_atoms", 10_000)
    batched = potential.evaluate(everything, stress=True)
    without_stress = potential.evaluate(everything)
    for atoms, one, many, plain in zip(everything, alone, batched, without_stress, strict=True):
        atoms.calc = calculator
        for result in (one, many, plain):
            assert result.energy == pytest.approx(atoms.get_potential_energy(), abs=ENERGY)
            assert np.allclose(result.forces, atoms.get_forces(), atol=FORCE)
            assert result.forces.dtype == np.float64
        assert np.allclose(one.stress, atoms.get_stress(voigt=False), atol=STRESS)
        assert np.allclose(many.stress, one.stress, atol=STRESS)
        assert plain.stress is None


@pytest.mark.parametrize("name", ["chgnet", "sevennet-0", "ase:ase.calculators.emt:EMT"])
def test_one_broken_structure_does_not_spoil_the_others(name, monkeypatch):
    potential = load_potential(name, "cpu", self_check=False)
    good = bulk("Cu", cubic=True)
    good.rattle(0.05, seed=1)
    lost = good.copy()
    lost.positions[2] = np.nan
    flat = good.copy()
    flat.cell[2] = flat.cell[1]
    if hasattr(potential, "batch_atoms"):
        monkeypatch.setattr(potential, "batch_atoms", 10_000)
    results = potential.evaluate([lost, good, flat, good], stress=True)
    expected = potential.evaluate([good], stress=True)[0]
    for index in (0, 2):
        assert np.isnan(results[index].energy)
        assert results[index].forces.shape == (4, 3)
        assert np.isnan(results[index].stress).all()
    for index in (1, 3):
        assert results[index].energy == pytest.approx(expected.energy, abs=1e-4)
        assert np.allclose(results[index].forces, expected.forces, atol=1e-3)


def test_unknown_element_is_reported_not_raised(caplog):
    potential = load_potential("chgnet", "cpu", self_check=False)
    result = potential.evaluate([bulk("Cu", cubic=True), Atoms("Am", cell=[4, 4, 4], pbc=True)])[1]
    assert np.isnan(result.energy)
    assert "does not know the elements [95]" in caplog.text


def test_batch_shrinks_when_memory_runs_out_and_no_work_is_lost(monkeypatch):
    potential: Any = load_potential("chgnet", "cpu", self_check=False)
    everything = structures() * 3
    expected = [result.energy for result in potential.evaluate(everything)]
    compute, sizes = type(potential)._evaluate_batch, []

    def small_gpu(self, batch, *, stress):
        sizes.append(sum(len(atoms) for atoms in batch))
        if sizes[-1] > 25:
            raise torch.cuda.OutOfMemoryError
        return compute(self, batch, stress=stress)

    monkeypatch.setattr(type(potential), "_evaluate_batch", small_gpu)
    monkeypatch.setattr(potential, "batch_atoms", 10_000)
    assert [result.energy for result in potential.evaluate(everything)] == pytest.approx(expected, abs=1e-4)
    fitting = [size for size in sizes if size <= 25]
    assert sum(fitting) == sum(len(atoms) for atoms in everything), "every structure is computed exactly once"
    assert potential.batch_atoms <= 25


def test_ase_calculator_is_passed_through_and_back():
    potential = load_potential("ase:ase.calculators.emt:EMT", "cpu", self_check=False)
    atoms = bulk("Cu", cubic=True)
    atoms.rattle(0.1, seed=0)
    wrapped = atoms.copy()
    atoms.calc, wrapped.calc = EMT(), as_ase_calculator(potential)
    assert wrapped.get_potential_energy() == atoms.get_potential_energy()
    assert np.array_equal(wrapped.get_forces(), atoms.get_forces())
    assert np.array_equal(wrapped.get_stress(), atoms.get_stress())
