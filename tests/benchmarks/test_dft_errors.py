"""Potentials against DFT: folds, surface energies, separation curves."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest
from ase.build import bulk, fcc111
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from dft_errors import deal, hop_rows, separation_rows, surface_energy

from screening.potentials.base import Potential
from screening.training_data.training_set import LabelledFrame


def frames(composition: str, symbols: str, n: int) -> list[LabelledFrame]:
    from ase import Atoms

    atoms = Atoms(symbols, positions=np.zeros((1, 3)) + np.arange(len(Atoms(symbols)))[:, None])
    frame = LabelledFrame(
        atoms=atoms, energy=0.0, forces=np.zeros((len(atoms), 3)), stress=None, formula=composition, candidate="",
        fidelity="dft:gpaw-pbe:gpaw-pbe",
    )  # fmt: skip
    return [frame] * n


def test_every_niobate_is_held_out_once_and_nothing_else():
    data = [*frames("LiNbO3", "LiNbO3", 9), *frames("LiTaO3", "LiTaO3", 4), *frames("MgNb2O6", "MgNb2O6", 3)]
    data += frames("MgO", "MgO", 5)
    folds = deal(data, 2)
    assert sorted(name for fold in folds for name in fold) == ["LiNbO3", "LiTaO3", "MgNb2O6"]
    assert ["LiNbO3"] in folds  # the largest alone, the two others together: 9 and 7 frames


def test_surface_energy_of_emt_copper_matches_ase():
    """(E_slab - n E_bulk) / 2A on Cu(111), and nothing for a piece of the bulk itself."""
    crystal, slab = bulk("Cu"), fcc111("Cu", (1, 1, 6), vacuum=8.0)
    crystal.calc, slab.calc = EMT(), EMT()
    found = surface_energy(slab, crystal, slab.get_potential_energy(), crystal.get_potential_energy())
    area = np.linalg.norm(np.cross(*slab.cell.array[:2]))
    expected = (slab.get_potential_energy() - 6 * crystal.get_potential_energy()) / (2 * area) * 16.0217663
    assert found == pytest.approx(expected, rel=1e-6)
    double = crystal.repeat((1, 1, 2))
    double.calc = EMT()
    nothing = surface_energy(double, crystal, double.get_potential_energy(), crystal.get_potential_energy())
    assert nothing == pytest.approx(0.0, abs=1e-6)


def test_a_hop_is_told_from_either_end_and_by_charge():
    class Flat:
        def evaluate(self, structures):
            from screening.potentials.base import Evaluation

            return [Evaluation(energy=float(s.positions[0, 0]), forces=np.zeros((len(s), 3))) for s in structures]

    def cell(x, energy):
        atoms = fcc111("Cu", (1, 1, 1), vacuum=5.0)
        atoms.positions[0, 0] = x
        atoms.calc = SinglePointCalculator(atoms, energy=energy)
        return atoms

    frames = {"Mg-a": cell(0, -5.0), "Mg-saddle": cell(2, -4.0), "Mg-b": cell(1, -5.5)}
    frames |= {"Mg-a-1": cell(0, -1.0), "Mg-saddle-1": cell(2, 0.5), "pulled-0.0": cell(0, 0.0)}
    rows = [(r["charge"], r["from"], r["dft"], r["flat"]) for r in hop_rows(frames, {"flat": cast(Potential, Flat())})]
    assert rows == [(0, "a", 1.0, 2.0), (0, "b", 1.5, 1.0), (-1, "a", 1.5, 2.0)]


def test_separation_is_counted_from_the_largest_distance():
    class Flat:
        def evaluate(self, structures):
            from screening.potentials.base import Evaluation

            return [Evaluation(energy=5.0, forces=np.zeros((len(s), 3))) for s in structures]

    pulled = {}
    for distance, energy in ((0.0, -3.0), (5.0, -1.0)):
        atoms = fcc111("Cu", (1, 1, 2), vacuum=5.0)
        atoms.calc = SinglePointCalculator(atoms, energy=energy)
        pulled[f"pulled-{distance}"] = atoms
    near, far = separation_rows(pulled, {"flat": cast(Potential, Flat())})
    area = np.linalg.norm(np.cross(*atoms.cell.array[:2]))
    assert near["dft"] == pytest.approx(-2.0 / area * 16.0217663, rel=1e-6)
    assert (far["dft"], near["flat"]) == (0.0, 0.0)
    for half, energy in (("cathode", -0.5), ("coating", -0.25)):
        pulled[f"alone-{half}"] = fcc111("Cu", (1, 1, 1), vacuum=5.0)
        pulled[f"alone-{half}"].calc = SinglePointCalculator(pulled[f"alone-{half}"], energy=energy)
    apart = separation_rows(pulled, {"flat": cast(Potential, Flat())})[-1]
    assert apart["separation_A"] == "alone"
    assert apart["dft"] == pytest.approx(0.25 / area * 16.0217663, rel=1e-6)
    assert apart["flat"] == pytest.approx(5.0 / area * 16.0217663, rel=1e-6)
    assert separation_rows({}, {}) == []
