"""Point-charge energies of many arrangements of charges on one fixed set of sites."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from numpy.typing import NDArray


def ewald_matrix(cell: NDArray[np.float64], scaled_positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Interaction matrix of unit charges, so that any charges q on these sites have the energy q @ W @ q.

    Parameters
    ----------
    cell
        (3, 3), A, rows are lattice vectors; periodic in all three directions.
    scaled_positions
        (S, 3) fractional coordinates of all sites, occupied or not.

    Returns
    -------
    ndarray
        (S, S) symmetric, eV/e^2. It includes the uniform background that neutralises a charged cell.

    Notes
    -----
    pymatgen's `EwaldSummation.total_energy_matrix` at unit charge, plus its charged-cell term spread over all pairs.
    """
    from pymatgen.analysis.ewald import EwaldSummation
    from pymatgen.core import Lattice, Species, Structure

    lattice = Lattice(np.asarray(cell))
    positions = np.asarray(scaled_positions) % 1.0
    structure = Structure(lattice, [Species("H", 1)] * len(positions), positions)
    ewald = EwaldSummation(structure)
    background = -EwaldSummation.CONV_FACT / 2 * np.pi / (lattice.volume * ewald.eta)
    matrix = ewald.total_energy_matrix + background
    return 0.5 * (matrix + matrix.T)


def ewald_energy(atoms: Atoms) -> float:
    """Point-charge energy (eV) of atoms with the array ``oxidation_state``."""
    charges = atoms.get_array("oxidation_state").astype(float)
    return float(charges @ ewald_matrix(atoms.cell.array, atoms.get_scaled_positions(wrap=False)) @ charges)
