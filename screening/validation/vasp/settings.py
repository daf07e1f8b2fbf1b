"""Settings of VASP calculations: configs/vasp/*.yaml, in which every tag has its reason beside it."""

from __future__ import annotations

from typing import Any, Generic, Literal, TypeVar

from ase import Atoms
from pydantic import BaseModel, ConfigDict, Field, model_validator

from screening.errors import UserError
from screening.training_data.calculation import Method
from screening.validation.kpoints import Grid, grid_by_spacing, spacing_of
from screening.validation.valence import count_electrons, potcar_title

T = TypeVar("T")

IncarSection = Literal[
    "all", "cell", "atoms", "static", "slab", "barrier", "band", "phase", "metal", "molecule", "charged"
]
"""Parts of the INCAR by what a job is; a later one wins over an earlier one."""

Release = Literal["PBE", "PBE_52", "PBE_54", "PBE_64"]
"""Releases of POTCARs, as pymatgen calls them."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Explained(_Part, Generic[T]):
    """A value with the reason for it."""

    value: T
    why: str = Field(min_length=1)


class HubbardSettings(Explained[dict[str, float]]):
    """U in eV on the d electrons, by element (Dudarev)."""


class MomentSettings(Explained[dict[str, float]]):
    """Initial magnetic moments in Bohr magnetons, by element, and that of all others."""

    default: float


class PotcarSettings(_Part):
    """Release of the PAW data sets, and the label of each element (None: those of the base set)."""

    functional: Explained[Release]
    labels: Explained[dict[str, str]] | None = None


class KpointRule(_Part):
    """Density of a Gamma-centred grid, in one of three forms.

    Attributes
    ----------
    grid, cell
        Divisions for a reference cell, given as a, b, c (A), alpha, beta, gamma (degrees).
    spacing
        Widest spacing, 1/A with 2 pi.
    reciprocal_density
        k-points per 1/A^3 of reciprocal volume, as in pymatgen.
    """

    grid: tuple[int, int, int] | None = None
    cell: tuple[float, float, float, float, float, float] | None = None
    spacing: float | None = Field(None, gt=0)
    reciprocal_density: int | None = Field(None, gt=0)
    why: str = Field(min_length=1)

    @model_validator(mode="after")
    def _one_form(self) -> KpointRule:
        forms = [self.grid is not None and self.cell is not None, self.spacing, self.reciprocal_density]
        if sum(map(bool, forms)) != 1 or (self.grid is None) != (self.cell is None):
            raise ValueError("give a grid with its cell, or a spacing, or a reciprocal_density")
        return self

    def divisions(self, atoms: Atoms, *, slab: bool) -> Grid:
        """Grid for a structure; one division across the vacuum of a slab."""
        if self.reciprocal_density is not None:
            return _grid_by_volume(atoms, self.reciprocal_density, slab=slab)
        if self.grid is not None and self.cell is not None:
            from ase.cell import Cell

            spacing = spacing_of(self.grid, Cell.fromcellpar(self.cell).array)
        else:
            assert self.spacing is not None
            spacing = self.spacing
        return grid_by_spacing(atoms.cell.array, spacing, slab=slab)


class KpointSettings(_Part):
    """Rules for bulk cells, slabs, elemental metals and single points (None: that of bulk)."""

    bulk: KpointRule
    slab: KpointRule
    metal: KpointRule | None = None
    static: KpointRule | None = None


class VaspSettings(_Part):
    """How VASP computes, and why.

    Attributes
    ----------
    name
        Part of the fidelity of what is computed: energies of two settings never mix.
    base
        pymatgen's input set that gives all tags which are not named here; None for no set.
    incar
        Tags by section, see `IncarSection`.
    phases
        Tags of single competing phases by name.
    """

    name: str = Field(min_length=1, pattern=r"^[A-Za-z0-9_.-]+$")
    engine: Literal["vasp"]
    source: str
    base: Literal["MPRelaxSet"] | None = None
    functional: Explained[str]
    hubbard: HubbardSettings | None = None
    moments: MomentSettings | None = None
    potcar: PotcarSettings
    kpoints: KpointSettings
    incar: dict[IncarSection, dict[str, Explained[Any]]]
    phases: dict[str, dict[str, Explained[Any]]] = {}

    @model_validator(mode="after")
    def _complete(self) -> VaspSettings:
        if self.base is None:
            missing = [key for key in ("hubbard", "moments") if getattr(self, key) is None]
            if missing or self.potcar.labels is None:
                raise ValueError(f"without a base set {', '.join([*missing, 'potcar.labels'])} must be given")
            if "ENCUT" not in self.incar.get("all", {}):
                raise ValueError("without a base set incar.all must give ENCUT")
        elif self.hubbard is not None or self.moments is not None:
            raise ValueError(f"{self.base} brings its own U and moments; leave hubbard and moments out")
        return self

    @property
    def labels(self) -> dict[str, str]:
        """POTCAR label of every element."""
        if self.potcar.labels is not None:
            return self.potcar.labels.value
        return dict(_base_config()["POTCAR"])

    def label(self, symbol: str) -> str:
        """POTCAR label of an element.

        Raises
        ------
        UserError
            When the settings name none.
        """
        if symbol not in self.labels:
            raise UserError(f"the settings {self.name} name no POTCAR for {symbol}; add it to potcar.labels.")
        return self.labels[symbol]

    def hubbard_of(self, symbols: set[str]) -> dict[str, float]:
        """U in eV of the elements of a compound that have one."""
        if self.hubbard is not None:
            table = self.hubbard.value
        else:
            from pymatgen.core import Element

            # MPRelaxSet: d metals where the most electronegative element is O or F
            table = _base_config()["INCAR"]["LDAUU"].get(max(symbols, key=lambda s: Element(s).X), {})
        return {symbol: float(table[symbol]) for symbol in sorted(symbols) if table.get(symbol)}

    def expected(self, atoms: Atoms) -> Method:
        """Method of a calculation of `atoms` with these settings; k-points are not prescribed."""
        symbols = set(atoms.get_chemical_symbols())
        cutoff = self.incar.get("all", {}).get("ENCUT")
        return Method(
            engine="vasp",
            functional=self.functional.value,
            hubbard=self.hubbard_of(symbols),
            basis="pw",
            cutoff=float(cutoff.value if cutoff is not None else _base_config()["INCAR"]["ENCUT"]),
            potentials={s: potcar_title(self.label(s), self.potcar.functional.value) for s in sorted(symbols)},
            spin=True,
        )

    def grid(self, atoms: Atoms, *, slab: bool = False, static: bool = False) -> Grid:
        """Divisions of the Gamma-centred k-point grid for a structure."""
        rule = self.kpoints.slab if slab else self.kpoints.bulk
        if not slab:
            if static and self.kpoints.static is not None:
                rule = self.kpoints.static
            if self.kpoints.metal is not None and is_metal(atoms):
                rule = self.kpoints.metal
        return rule.divisions(atoms, slab=slab)

    def electrons(self, atoms: Atoms) -> float:
        """Valence electrons of the neutral cell."""
        symbols = atoms.get_chemical_symbols()
        return count_electrons(symbols, {s: self.label(s) for s in set(symbols)}, self.potcar.functional.value)


def is_metal(atoms: Atoms) -> bool:
    """Whether a crystal is made of metallic elements only."""
    from pymatgen.core import Element

    return all(Element(symbol).is_metal for symbol in set(atoms.get_chemical_symbols()))


def _base_config() -> dict[str, Any]:
    from pymatgen.io.vasp.sets import MPRelaxSet

    return dict(MPRelaxSet.CONFIG)


def _grid_by_volume(atoms: Atoms, density: int, *, slab: bool) -> Grid:
    from pymatgen.io.ase import AseAtomsAdaptor
    from pymatgen.io.vasp.inputs import Kpoints

    bare = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True)
    kpoints = Kpoints.automatic_density_by_vol(AseAtomsAdaptor.get_structure(bare), density, force_gamma=True)
    a, b, c = (int(n) for n in kpoints.kpts[0])
    return (a, b, 1 if slab else c)
