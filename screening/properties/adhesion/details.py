"""What a record of adhesion holds, for its writer and its readers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from screening.engine.running.parts import Parts
from screening.typed.details import Details

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class AdhesionParts(Parts[T], Generic[T]):
    """What a value of adhesion at one y rests on.

    Attributes
    ----------
    interfaces, substrates
        One per vacancy order, in the order of `AdhesionDetails.orders`.
    coating
        The coating slab that the value is counted from: as it came off the interface, for ``work_of_adhesion_eq`` the
        lowest arrangement of all.
    """

    interfaces: tuple[T, ...]
    substrates: tuple[T, ...]
    coating: T

    @classmethod
    def by_position(cls, keys: Sequence[str], details: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
        """The interfaces of all vacancy orders, then their substrates, then the coating."""
        n, odd = divmod(len(keys), 2)
        if not odd:
            raise ValueError(f"{len(keys)} structures in place of an interface and a substrate per order and a coating")
        return {"interfaces": tuple(keys[:n]), "substrates": tuple(keys[n:-1]), "coating": tuple(keys[-1:])}


@dataclass(frozen=True, kw_only=True)
class SegregationParts(Parts[T], Generic[T]):
    """What the segregation energy rests on: the lowest placement away from the contact and the lowest one at it."""

    inner: T
    contact: T


@dataclass(frozen=True, kw_only=True)
class VacancyOrder(Details):
    """One vacancy order of the cathode at one state of charge.

    Attributes
    ----------
    order
        Its number; the substrates of one number are pooled over all candidates.
    y_realised
        Li per cathode formula unit of the cell.
    interface_eV, substrate_reference_eV
        Energies of the relaxed interface and of the lowest substrate slab of all candidates, eV per cell.
    substrate_starts_eV
        Energy of each substrate slab of this candidate by where it started from, eV per cell.
    li_transferred
        Li atoms that crossed the contact plane while relaxing.
    reacted
        Why the contact counts as reacted; empty when it does not.
    contact_separation_A, n_interfacial_bonds, interfacial_bond_A, n_interfacial_li_bonds
        See `contact_metrics`, as are the ones below; lengths in A.
    """

    order: int = 0
    y_realised: float | None = None
    interface_eV: float | None = None
    substrate_starts_eV: dict[str, float] | None = None
    substrate_reference_eV: float | None = None
    li_transferred: int | None = None
    reacted: tuple[str, ...] = ()
    contact_separation_A: float | None = None
    n_interfacial_bonds: int | None = None
    interfacial_bond_A: float | None = None
    n_interfacial_li_bonds: int | None = None
    host_anion_mean_A: float | None = None
    host_anion_std_A: float | None = None
    host_anion_elongated: float | None = None
    cathode_layer_spacing_A: float | None = None
    lithium_slab_A: float | None = None


@dataclass(frozen=True, kw_only=True)
class AdhesionDetails(Details):
    """Details of ``adhesion_energy``, ``work_of_adhesion`` and ``work_of_adhesion_eq`` at one y.

    Attributes
    ----------
    area
        Of the in-plane cell, A2.
    strain, principal_strains, von_mises_strain, coating_miller, cathode_miller, termination, coating_planes, \
cathode_planes, coating_fu, cathode_fu, cathode_realised, cathode_matches_bulk, flags
        Of the parent interface, see `interface.Parent`.
    coating_thickness, cathode_thickness
        A.
    n_atoms
        Of the parent interface.
    x_interface
        Dopant content of the coating slab per formula unit.
    placement, where, back_substituted
        The placement that won: its label, ``contact`` or ``inner``, and whether it came from another candidate's.
    placements_eV
        Energy of the interface with each placement after the short relaxation, eV per cell.
    coating_starts_eV, coating_equilibrium_eV
        Energies of the coating slab by start, and of its other arrangements of the dopants, eV per cell.
    surface_energy_coating_J_m2, surface_energy_substrate_J_m2
        Mean of both surfaces of a slab, J/m2; None where the bulk's energy is not known.
    y
        Li per cathode formula unit.
    orders
        One per vacancy order whose interface could be relaxed.
    """

    area: float | None = None
    strain: float | None = None
    principal_strains: tuple[float, float] | None = None
    von_mises_strain: float | None = None
    coating_miller: tuple[int, int, int] | None = None
    cathode_miller: tuple[int, int, int] | None = None
    termination: tuple[str, str] | None = None
    coating_planes: int | None = None
    cathode_planes: int | None = None
    coating_thickness: float | None = None
    cathode_thickness: float | None = None
    coating_fu: int | None = None
    cathode_fu: int | None = None
    cathode_realised: str | None = None
    cathode_matches_bulk: bool | None = None
    flags: tuple[str, ...] = ()
    n_atoms: int | None = None
    x_interface: float | None = None
    placement: str | None = None
    where: str | None = None
    back_substituted: bool | None = None
    placements_eV: dict[str, float] | None = None
    coating_starts_eV: dict[str, float] | None = None
    coating_equilibrium_eV: dict[str, float] | None = None
    surface_energy_coating_J_m2: float | None = None
    surface_energy_substrate_J_m2: float | None = None
    y: float | None = None
    orders: tuple[VacancyOrder, ...] = ()
