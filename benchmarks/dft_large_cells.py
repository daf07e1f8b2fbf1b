"""Large cells for DFT single points: slabs, a rigid separation curve, and Li hops, as the potential finds them.

`python benchmarks/dft_large_cells.py FOLDER` writes slabs.extxyz, separation.extxyz and hops.extxyz;
`screen label FOLDER/slabs.extxyz --slab --out ...` computes them.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import write
from dft_cells import bare, primitive_cell, relaxed
from hop_cases import CELLS, cell_network, from_dopant, hop_case

from screening.config import InterfaceSettings
from screening.engine.relax import relax_batch
from screening.engine.running.run import run_tasks
from screening.engine.tasks import NebTask, RelaxTask
from screening.potentials.base import Potential
from screening.potentials.registry import load_potential
from screening.structures.crystals.crystals import load_crystal
from screening.structures.hops.hops import Hop, HopNetwork
from screening.structures.interfaces.interface import find_parents
from screening.structures.interfaces.slabs import is_polar, primitive_with_miller
from screening.structures.interfaces.two_slabs import pull_apart, split

SEPARATIONS = (0.0, 5.0, 0.6, 1.5, 0.3, 1.0, 2.5)
"""A added to the gap of the interface as it is; in this order, so that the first ones already say something."""

INTERFACE = InterfaceSettings(
    coating_millers=[(1, 1, 0)],
    cathode_millers=[(1, 1, 0)],
    min_planes=2,
    min_thickness=0.0,
    max_strain=0.12,
    max_area=60.0,
    max_atoms=80,
    vacuum=10.0,
)
"""LiNbO3(110)/LiCoO2(110) in 46 A^2 and 36 atoms: two planes a side, the coating strained by 9 %."""

SLABS = (("LiNbO3", (1, 1, 0), 9.0), ("LiCoO2", (1, 1, 0), 7.0), ("LiCoO2", (1, 0, 4), 7.0))
"""Crystal, surface, least thickness (A): the two surfaces of the interface, and the lowest one of LiCoO2."""

VACUUM = 10.0
"""A."""


def slabs(potential: Potential) -> Iterator[Atoms]:
    """Bulk of each crystal (relaxed with the potential), its slabs as cut, and the slabs relaxed with the potential."""
    for name in dict.fromkeys(name for name, _, _ in SLABS):
        crystal = relaxed(potential, load_crystal(name))
        yield _named(primitive_cell(crystal), f"{name}-bulk", name, slab=False)
    for name, miller, thickness in SLABS:
        cut = nonpolar_slab(potential, relaxed(potential, load_crystal(name)), miller, thickness)
        task = RelaxTask(recipe={}, atoms=cut, fmax=0.05, max_steps=300)
        (result,) = relax_batch([task], potential, keys=["slab"])
        label = f"{name}-{''.join(map(str, miller))}"
        yield _named(cut, f"{label}-cut", name, slab=True)
        yield _named(result.atoms, f"{label}-relaxed", name, slab=True)


def separation(potential: Potential) -> Iterator[Atoms]:
    """The interface, relaxed for its gap and contact, pulled apart rigidly; then both slabs alone in the same cell."""
    host, cathode = load_crystal("LiNbO3"), load_crystal("LiCoO2")
    parent = min(find_parents(host, cathode, "LiCoO2", INTERFACE, 0), key=lambda p: len(p.atoms))
    task = RelaxTask(recipe={}, atoms=parent.atoms, fmax=0.1, max_steps=200)
    (result,) = relax_batch([task], potential, keys=["interface"])
    for distance in SEPARATIONS:
        yield _named(pull_apart(result.atoms, distance), f"pulled-{distance:.1f}", "interface", distance=distance)
    for name, half in zip(("cathode", "coating"), split(result.atoms), strict=True):
        yield _named(half, f"alone-{name}", "interface")


def hops(potential: Potential) -> Iterator[Atoms]:
    """End points and saddle of the nearest-neighbour hop in 12 formula units, pristine and beside Mg."""
    for name, nearest in (("LiNbO3-small", True), ("Mg-LiNbO3-small", True)):
        network = cell_network(potential, name)
        pick = from_dopant(nearest=nearest) if CELLS[name].defects.substitutions else _shortest
        case = hop_case(name, network, pick(network))
        ends = [RelaxTask(recipe={}, atoms=a, fmax=0.03, max_steps=300) for a in (case.initial, case.final)]
        first, last = relax_batch(ends, potential, keys=["a", "b"])
        band = NebTask(
            recipe={},
            initial=first.atoms,
            final=last.atoms,
            initial_energy=first.energy,
            final_energy=last.energy,
            n_images=5,
        )
        (path,) = run_tasks([band], ["band"], potential, None)
        top = int(np.argmax(path.image_energies))
        for label, index in (("a", 0), ("saddle", top), ("b", len(path.images) - 1)):
            energy = path.image_energies[index]
            yield _named(path.images[index], f"{name.removesuffix('-small')}-{label}", name, mlip=energy)


def _shortest(network: HopNetwork) -> Hop:
    return min(network.hops, key=lambda h: (round(h.distance, 2), h.start, h.end))


def nonpolar_slab(potential: Potential, crystal: Atoms, miller: tuple[int, int, int], thickness: float) -> Atoms:
    """Stoichiometric slab without a dipole of the termination that the potential puts lowest, c along the normal."""
    from pymatgen.core.surface import SlabGenerator
    from pymatgen.io.ase import AseAtomsAdaptor

    structure, indices = primitive_with_miller(crystal, miller)
    generator = SlabGenerator(
        structure, indices, min_slab_size=thickness, min_vacuum_size=VACUUM, center_slab=True, primitive=True
    )
    slabs = [s for s in generator.get_slabs() if s.composition.reduced_formula == structure.composition.reduced_formula]
    found = [s for s in slabs if not is_polar(s)]
    cut = [bare(AseAtomsAdaptor.get_atoms(s.get_orthogonal_c_slab(), msonable=False)) for s in found]
    energies = [e.energy / len(a) for a, e in zip(cut, potential.evaluate(cut), strict=True)]
    return cut[int(np.argmin(energies))]


def _named(atoms: Atoms, name: str, group: str, **info: float | str | bool) -> Atoms:
    named = bare(atoms)
    named.info = {"name": name, "group": group, **info}
    return named


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", choices=("slabs", "separation", "hops"))
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    potential = load_potential("chgnet", "cpu")
    for name, make in (("slabs", slabs), ("separation", separation), ("hops", hops)):
        if arguments.only in (None, name):
            written = list(make(potential))
            write(arguments.folder / f"{name}.extxyz", written, format="extxyz")
            names = ", ".join(f"{a.info['name']} ({len(a)})" for a in written)
            print(f"{name}: {len(written)} cells: {names}", flush=True)


if __name__ == "__main__":
    main()
