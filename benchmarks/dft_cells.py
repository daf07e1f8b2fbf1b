"""Small cells for DFT labels: pristine and doped niobates, rattled, strained and along Li hops, and their neighbours.

`python benchmarks/dft_cells.py OUT.extxyz` writes them; `screen label OUT.extxyz` computes them. Doped and vacancy
cells are relaxed with CHGNet first, so that the labels lie where the potential puts structures. `info`: name, group
(what the cell is a variation of).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import write

from screening.chemistry.arrangements.orderings import ranked_orderings
from screening.chemistry.candidate import Defects, Substitution
from screening.engine.relax import relax_batch
from screening.engine.running.run import run_tasks
from screening.engine.tasks import NebTask, RelaxTask, Result
from screening.potentials.base import Potential
from screening.potentials.registry import load_potential
from screening.structures.crystals.crystals import load_crystal
from screening.structures.crystals.phases import load_phases, phase_structures
from screening.structures.hops.hop_ends import band_ends, endpoint
from screening.structures.hops.hops import hop_network
from screening.structures.hops.supercells import isotropic_supercell
from screening.structures.hops.voids import octahedral_voids

RATTLES = (0.03, 0.06, 0.10)
"""Standard deviations of Gaussian displacements, A: about room temperature, hot, and far from equilibrium."""

SUPERCELL_FU = 4
"""Formula units of doped and vacancy cells: 19 to 21 atoms."""


def _substitution(element: str, charge: int, site: str) -> tuple[Substitution, ...]:
    return (Substitution(element=element, charge=charge, site=site, count=1),)


DOPED = {
    "Mg_Li": Defects(substitutions=_substitution("Mg", 2, "Li"), li_vacancies=1),
    "Zr_Nb": Defects(substitutions=_substitution("Zr", 4, "Nb"), li_interstitials=1),
    "Ta_Nb": Defects(substitutions=_substitution("Ta", 5, "Nb")),
    "Zr_Li": Defects(substitutions=_substitution("Zr", 4, "Li"), li_vacancies=3),
}


def cells(potential: Potential) -> Iterator[Atoms]:
    """All cells, small ones first."""
    yield from _rattled("LiCoO2", phase("LiCoO2"), amplitudes=RATTLES[:2])
    yield from _rattled("MgO", phase("MgO"), amplitudes=RATTLES[1:2])
    yield from _rattled("Li2O", phase("Li2O"), amplitudes=RATTLES[1:2])
    primitive = primitive_cell(load_crystal("LiNbO3"))
    yield from _rattled("LiNbO3", primitive, amplitudes=(0.0, *RATTLES, *RATTLES))
    yield from _strained("LiNbO3", primitive)
    yield from _along_polarisation("LiNbO3", primitive)
    yield from _rattled("LiTaO3", primitive_cell(load_crystal("LiTaO3")), amplitudes=(0.0, *RATTLES[:2]))
    host = relaxed(potential, load_crystal("LiNbO3"))
    for name, defects in DOPED.items():
        doped = relaxed(potential, doped_cell(host, defects))
        yield from _rattled(name, doped, amplitudes=(0.0, *RATTLES))
    yield from _along_hop("LiNbO3-vLi", potential, isotropic_supercell(host, SUPERCELL_FU))
    yield from _along_hop("Mg_Li", potential, relaxed(potential, doped_cell(host, DOPED["Mg_Li"])))
    for name in ("Li3NbO4", "MgNb2O6"):
        yield from _rattled(name, phase(name), amplitudes=(0.0, *RATTLES[:2]))


def phase(name: str) -> Atoms:
    """Primitive cell of a listed phase."""
    (facts,) = [f for f in load_phases() if f.name == name]
    return phase_structures(facts)[0]


def primitive_cell(atoms: Atoms) -> Atoms:
    from pymatgen.io.ase import AseAtomsAdaptor

    structure = AseAtomsAdaptor.get_structure(bare(atoms))
    return AseAtomsAdaptor.get_atoms(structure.get_primitive_structure(), msonable=False)


def doped_cell(host: Atoms, defects: Defects) -> Atoms:
    """Ordering of lowest Ewald energy in `SUPERCELL_FU` formula units."""
    cell = isotropic_supercell(host, SUPERCELL_FU)
    voids = octahedral_voids(cell) if defects.li_interstitials else None
    return ranked_orderings(cell, defects, k=1, n_draws=40, seed=0, voids=voids)[0].atoms


def relaxed(potential: Potential, atoms: Atoms) -> Atoms:
    task = RelaxTask(recipe={}, atoms=atoms, cell="full", fmax=0.03, max_steps=300)
    (result,) = relax_batch([task], potential, keys=["cell"])
    if not result.converged:
        raise RuntimeError(f"{atoms.symbols} did not relax: {result.failure or result.fmax}")
    return result.atoms


def bare(atoms: Atoms) -> Atoms:
    """Elements, positions and cell, periodic; nothing else."""
    return Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True)


def _named(atoms: Atoms, name: str, group: str) -> Atoms:
    named = bare(atoms)
    named.info = {"name": name, "group": group}
    return named


def _rattled(group: str, atoms: Atoms, *, amplitudes: tuple[float, ...]) -> Iterator[Atoms]:
    for index, amplitude in enumerate(amplitudes):
        moved = atoms.copy()
        if amplitude:
            rng = np.random.default_rng([index, len(atoms)])
            moved.positions += rng.normal(scale=amplitude, size=moved.positions.shape)
        yield _named(moved, f"{group}-rattled-{index}", group)


def _strained(group: str, atoms: Atoms) -> Iterator[Atoms]:
    """Compressed, stretched, and sheared by 2 to 3 %."""
    strains = {
        "compressed": np.diag([-0.02] * 3),
        "stretched": np.diag([0.03] * 3),
        "uniaxial": np.diag([-0.01, -0.01, 0.03]),
        "sheared": np.array([[0, 0.02, 0.01], [0.02, 0, 0], [0.01, 0, 0]]),
    }
    for name, strain in strains.items():
        moved = atoms.copy()
        moved.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
        yield _named(moved, f"{group}-{name}", group)


def _along_polarisation(group: str, atoms: Atoms) -> Iterator[Atoms]:
    """Li moved along c through its oxygen triangle, Nb towards the middle of its octahedron: the ferroelectric path."""
    c = atoms.cell.array.sum(axis=0)
    c /= np.linalg.norm(c)
    for fraction in (0.35, 0.7):
        moved = atoms.copy()
        # 0.69 and 0.27 A lead from R3c to R-3c (Inbar and Cohen, Phys. Rev. B 53, 1193 (1996))
        for symbol, distance in (("Li", 0.69), ("Nb", 0.27)):
            moved.positions[moved.numbers == atoms.numbers[atoms.symbols == symbol][0]] -= fraction * distance * c
        yield _named(moved, f"{group}-polar-{fraction:g}", group)


def _along_hop(group: str, potential: Potential, cell: Atoms) -> Iterator[Atoms]:
    """End point and two images of the shortest hop of a Li vacancy, as the potential finds it."""
    network = hop_network(cell, 4.5)
    hop = min(network.hops, key=lambda h: (round(h.distance, 2), h.start, h.end))
    ends = [RelaxTask(recipe={}, atoms=endpoint(network, s), fmax=0.05, max_steps=200) for s in (hop.start, hop.end)]
    first, last = relax_batch(ends, potential, keys=["a", "b"])
    initial, final = band_ends(network, hop, first.atoms, last.atoms)
    band = NebTask(
        recipe={}, initial=initial, final=final, initial_energy=first.energy, final_energy=last.energy, n_images=3
    )
    (path,) = run_tasks([band], ["band"], potential, None)
    for index in _picked(path):
        yield _named(path.images[index], f"{group}-hop-{index}", group)


def _picked(path: Result) -> list[int]:
    """The first end point, half-way up, and the saddle."""
    top = int(np.argmax(path.image_energies))
    return sorted({0, max(1, top // 2), top})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    written = list(cells(load_potential("chgnet", "cpu")))
    write(arguments.out, written, format="extxyz")
    print(f"{arguments.out}: {len(written)} cells, {min(map(len, written))} to {max(map(len, written))} atoms")


if __name__ == "__main__":
    main()
