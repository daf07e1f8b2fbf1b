"""Bridges to ASE: any ASE calculator as a (sequential) potential, and any potential as an ASE calculator."""

from __future__ import annotations

import hashlib
import importlib
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.stress import full_3x3_to_voigt_6_stress

from screening.errors import UserError
from screening.potentials.base import Evaluation, Potential
from screening.potentials.batching import is_usable, undefined


class AsePotential:
    """Evaluate structures one after the other with an ASE calculator.

    Parameters
    ----------
    corrections
        See `Potential.corrections`; a factory may carry it as an attribute, ``"own-hull"`` otherwise.
    """

    batch_atoms = 1

    def __init__(
        self, calculator: Any, *, name: str, checkpoint_sha256: str, device: str = "cpu", corrections: str = "own-hull"
    ) -> None:
        self.calculator = calculator
        self.name = name
        self.checkpoint_sha256 = checkpoint_sha256
        self.device = device
        self.corrections = corrections

    def evaluate(self, structures: Sequence[Atoms], *, stress: bool = False) -> list[Evaluation]:
        """Energies (eV), forces (eV/A) and stresses (eV/A^3), in order; NaNs for unusable structures."""
        return [self._evaluate(atoms, stress=stress) for atoms in structures]

    def _evaluate(self, atoms: Atoms, *, stress: bool) -> Evaluation:
        if not is_usable(atoms):
            return undefined(atoms, stress=stress)
        bare = Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
        bare.calc = self.calculator
        return Evaluation(
            energy=float(bare.get_potential_energy()),
            forces=np.array(bare.get_forces(), dtype=float),
            stress=np.array(bare.get_stress(voigt=False), dtype=float) if stress else None,
        )


class PotentialCalculator(Calculator):
    """A potential behind ASE's calculator interface, for ASE's own optimisers and filters."""

    implemented_properties = [  # noqa: RUF012 - the name and type are ASE's
        "energy",
        "free_energy",
        "forces",
        "stress",
    ]

    def __init__(self, potential: Potential) -> None:
        super().__init__()
        self.potential = potential

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        super().calculate(atoms, list(properties), list(system_changes))
        assert self.atoms is not None
        result = self.potential.evaluate([self.atoms], stress="stress" in properties)[0]
        self.results = {"energy": result.energy, "free_energy": result.energy, "forces": result.forces}
        if result.stress is not None:
            self.results["stress"] = full_3x3_to_voigt_6_stress(result.stress)


def as_ase_calculator(potential: Potential) -> PotentialCalculator:
    """Wrap `potential` for use as ``atoms.calc``."""
    return PotentialCalculator(potential)


def load(name: str) -> AsePotential:
    """Load ``ase:package.module:factory``; the factory is called without arguments and returns an ASE calculator.

    The checksum covers the name and the source of the factory's module, which is where its parameters are.

    Raises
    ------
    UserError
        See `factory_of`; or when calling the factory fails or gives something else than a calculator.
    """
    factory = factory_of(name)
    source = inspect.getsourcefile(inspect.unwrap(factory)) if not inspect.isbuiltin(factory) else None
    digest = hashlib.sha256(name.encode())
    if source is not None and Path(source).exists():
        digest.update(Path(source).read_bytes())
    try:
        calculator = factory()
    except Exception as error:  # whatever somebody's code raises
        raise UserError(
            f"potential {name!r} cannot be made ({_said(error)}); its factory must work without arguments"
        ) from error
    if not hasattr(calculator, "get_potential_energy"):
        raise UserError(f"potential {name!r} gave a {type(calculator).__name__}; name a factory of ASE calculators")
    return AsePotential(
        calculator,
        name=name,
        checkpoint_sha256=digest.hexdigest(),
        corrections=getattr(factory, "corrections", "own-hull"),
    )


def factory_of(name: str) -> Callable[[], Any]:
    """Factory that ``ase:package.module:factory`` names; its module is imported, the factory is not called.

    Raises
    ------
    UserError
        When the name is incomplete, the module cannot be imported, or it holds no such callable.
    """
    module_name, _, attribute = name.partition(":")[2].partition(":")
    if not module_name or not attribute:
        raise UserError(f"potential {name!r}: write ase:package.module:factory")
    try:
        factory = getattr(importlib.import_module(module_name), attribute)
    except Exception as error:  # whatever somebody's module raises while it is imported
        raise UserError(
            f"potential {name!r} cannot be imported ({_said(error)}); check the module and the name"
        ) from error
    if not callable(factory):
        raise UserError(f"potential {name!r}: {attribute} is not callable; name a factory of ASE calculators")
    found: Callable[[], Any] = factory
    return found


def _said(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
