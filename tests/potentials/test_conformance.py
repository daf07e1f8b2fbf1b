"""What every family of potentials must do, for every one that is in the table: whoever adds a family is tested by it.

A potential that is offered by name is tested with its own weights, a family that takes names by a pattern with an
example, and a family that can be fine-tuned also with a folder of `screen retrain`.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.data import chemical_symbols
from numpy.typing import NDArray
from received import write_card
from scipy.spatial.transform import Rotation

from screening.errors import UserError
from screening.potentials.base import Evaluation, Potential
from screening.potentials.families.family import Family
from screening.potentials.families.table import FAMILIES
from screening.potentials.finetuned import read_network
from screening.potentials.model_card import CORRECTIONS
from screening.potentials.registry import (
    available,
    built_in_base,
    check_name,
    load_potential,
    resolved,
    supported_elements,
)
from screening.potentials.selfcheck import lithium_niobate
from screening.potentials.weights import write_weights
from screening.retraining.finetune import backend_of

ENERGY, FORCE, STRESS = 1e-4, 1e-3, 1e-5  # eV, eV/A, eV/A^3
STEP, STRAIN = 0.003, 0.002  # A; of the finite differences

Array = NDArray[np.float64]


def tensornet(folder: Path) -> str:
    """A small model with random weights, as matgl writes it: what exists without the hub."""
    pytest.importorskip("matgl")
    import torch
    from matgl.apps.pes import Potential as MatglPotential
    from matgl.models import TensorNet

    torch.manual_seed(0)
    model = TensorNet(element_types=("Li", "Nb", "O"), units=16, nblocks=1, num_rbf=8, is_intensive=False)
    MatglPotential(model).save(folder)
    return f"matgl:{folder}"


def copper_gold() -> Atoms:
    atoms = bulk("Cu", cubic=True)
    atoms.symbols[0] = "Au"
    return atoms


EXAMPLES: dict[str, Callable[[Path], str]] = {"matgl": tensornet, "ase": lambda _: "ase:ase.calculators.emt:EMT"}
"""By family that takes names by a pattern one such name, made in a folder."""
CELLS: dict[str, Callable[[], Atoms]] = {"ase": copper_gold}
"""By family the crystal to compute where it does not know lithium niobate."""


@dataclass(frozen=True)
class Case:
    """What is tested: `kind` is a built-in name, ``"pattern"`` or ``"retrained"``."""

    family: Family
    kind: str

    def name(self, folder: Path) -> str:
        """The potential's name, after making what it stands for."""
        if self.kind == "pattern":
            assert self.family.name in EXAMPLES, "a family that takes names by a pattern needs an example above"
            return EXAMPLES[self.family.name](folder)
        if self.kind == "retrained":
            network = self.family.networks[0]
            write_weights(read_network(network), folder / "model.safetensors")
            write_card(folder, self.family.name, "model.safetensors")
            return str(folder)
        return self.kind


def cases() -> Iterator[Case]:
    for family in FAMILIES:
        for potential in family.built_in:
            yield Case(family, potential.name)
        if family.pattern is not None:
            yield Case(family, "pattern")
        if family.fine_tuning is not None:
            yield Case(family, "retrained")


def label(case: Case) -> str:
    return f"{case.family.name}-{case.kind}" if case.kind in ("pattern", "retrained") else case.kind


@dataclass(frozen=True)
class Subject:
    """A loaded potential and a crystal away from equilibrium, with its answer (one by one)."""

    case: Case
    name: str
    potential: Potential
    cell: Atoms
    answer: Evaluation

    def of(self, *structures: Atoms, stress: bool = False) -> list[Evaluation]:
        return self.potential.evaluate(structures, stress=stress)


@pytest.fixture(scope="module", params=list(cases()), ids=label)
def subject(request, tmp_path_factory) -> Subject:
    case: Case = request.param
    name = case.name(tmp_path_factory.mktemp(case.family.name))
    check_name(name)
    potential = load_potential(name, "cpu", self_check=False)
    cell = CELLS.get(case.family.name, lithium_niobate)()
    cell.rattle(0.08, seed=0)
    return Subject(case, name, potential, cell, *potential.evaluate([cell], stress=True))


def test_it_says_what_it_is(subject):
    potential, family = subject.potential, subject.case.family
    assert potential.name == (f"models/{Path(subject.name).name}" if subject.case.kind == "retrained" else subject.name)
    assert len(potential.checkpoint_sha256) == 64
    assert potential.device == "cpu"
    assert potential.batch_atoms >= 1
    assert potential.corrections in CORRECTIONS
    if subject.case.kind not in ("pattern", "retrained"):
        assert potential.corrections == family.corrections(subject.name)
        assert subject.name in available()
    if subject.case.kind == "retrained":
        assert built_in_base(subject.name) == family.networks[0]
        assert backend_of(family.name).family == family.name


def test_an_answer_has_its_shapes(subject):
    answer, n = subject.answer, len(subject.cell)
    assert np.isfinite(answer.energy)
    assert answer.forces.shape == (n, 3)
    assert answer.forces.dtype == np.float64
    assert answer.stress.shape == (3, 3)
    assert np.allclose(answer.stress, answer.stress.T, atol=STRESS)
    (plain,) = subject.of(subject.cell)
    assert plain.stress is None
    assert plain.energy == pytest.approx(answer.energy, abs=ENERGY)
    assert np.allclose(plain.forces, answer.forces, atol=FORCE)


def test_forces_are_derivatives_of_the_energy(subject):
    direction = np.random.default_rng(1).normal(size=(len(subject.cell), 3))
    e_plus, e_minus = (r.energy for r in subject.of(*(moved(subject.cell, s * direction) for s in (STEP, -STEP))))
    slope = (subject.answer.forces * direction).sum()
    assert -(e_plus - e_minus) / (2 * STEP) == pytest.approx(slope, abs=0.005, rel=0.01)
    assert np.abs(subject.answer.forces.sum(axis=0)).max() < FORCE


def test_stress_is_the_derivative_of_the_energy(subject):
    strain = np.array([[1.0, 0.3, 0.0], [0.3, -0.5, 0.2], [0.0, 0.2, 0.4]]) * STRAIN
    e_plus, e_minus = (r.energy for r in subject.of(*(deformed(subject.cell, np.eye(3) + s * strain) for s in (1, -1))))
    work = (subject.answer.stress * strain).sum() * subject.cell.get_volume()
    assert (e_plus - e_minus) / 2 == pytest.approx(work, rel=0.02, abs=2e-4)


def test_a_batch_is_as_good_as_one_by_one(subject, monkeypatch):
    other = subject.cell.repeat((2, 1, 1))[: len(subject.cell) + 2]
    structures = [subject.cell, other, moved(subject.cell, 0.05)]
    alone = [subject.of(atoms, stress=True)[0] for atoms in structures]
    monkeypatch.setattr(subject.potential, "batch_atoms", 10_000)
    for one, many in zip(alone, subject.of(*structures, stress=True), strict=True):
        assert many.energy == pytest.approx(one.energy, abs=ENERGY)
        assert np.allclose(many.forces, one.forces, atol=FORCE)
        assert np.allclose(many.stress, one.stress, atol=STRESS)


def test_the_order_of_atoms_does_not_matter(subject):
    order = np.random.default_rng(0).permutation(len(subject.cell))
    (permuted,) = subject.of(subject.cell[order])
    assert permuted.energy == pytest.approx(subject.answer.energy, abs=ENERGY)
    assert np.allclose(permuted.forces, subject.answer.forces[order], atol=FORCE)


def test_nor_does_the_place(subject):
    """Out of the cell as well."""
    (found,) = subject.of(moved(subject.cell, np.array([0.3, -1.7, 2.9])))
    assert found.energy == pytest.approx(subject.answer.energy, abs=ENERGY)
    assert np.allclose(found.forces, subject.answer.forces, atol=FORCE)


def test_forces_and_stress_turn_with_the_crystal(subject):
    turn = Rotation.from_rotvec(np.deg2rad(37) * np.ones(3) / np.sqrt(3)).as_matrix()
    (found,) = subject.of(deformed(subject.cell, turn.T), stress=True)
    assert found.energy == pytest.approx(subject.answer.energy, abs=ENERGY)
    assert np.allclose(found.forces, subject.answer.forces @ turn.T, atol=FORCE)
    assert np.allclose(found.stress, turn @ subject.answer.stress @ turn.T, atol=STRESS)


def test_energy_is_extensive(subject):
    cells = [subject.cell.repeat(times) for times in ((2, 1, 1), (1, 2, 2))]
    for atoms, found in zip(cells, subject.of(*cells), strict=True):
        times = len(atoms) // len(subject.cell)
        assert found.energy / times == pytest.approx(subject.answer.energy, abs=ENERGY)
        assert np.allclose(found.forces, np.tile(subject.answer.forces, (times, 1)), atol=FORCE)


def test_an_element_that_it_does_not_know_gets_no_energy(subject):
    """By what it announces; an unknown set of elements says nothing, but californium is in no data."""
    known = supported_elements(subject.name)
    if known is not None:
        assert set(subject.cell.get_chemical_symbols()) <= known
    strange = "Cf" if known is None else next(symbol for symbol in chemical_symbols[1:] if symbol not in known)
    assert energy_or_refusal(subject, strange) is None


def energy_or_refusal(subject: Subject, symbol: str) -> float | None:
    """Energy of the crystal with one strange atom; None where there is none, whether said by NaN or by raising."""
    atoms = subject.cell.copy()
    atoms.symbols[0] = symbol
    try:
        energy = subject.of(atoms)[0].energy
    except Exception:  # whatever the calculators of others raise
        return None
    return None if np.isnan(energy) else energy


def test_names_belong_to_one_family():
    names = [potential.name for family in FAMILIES for potential in family.built_in]
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)
    for name in names:
        assert [family.name for family in FAMILIES if family.takes(name)] == [resolved_family(name)]
    for family in FAMILIES:
        assert family.built_in or family.pattern, f"{family.name} takes no name"
        assert family.pattern is None or family.pattern.full.startswith(f"{family.name}:")
        assert bool(family.networks) == (family.fine_tuning is not None)


def resolved_family(name: str) -> str:
    assert resolved(name) == name
    return next(family.name for family in FAMILIES if name in [potential.name for potential in family.built_in])


def test_a_refusal_lists_every_family():
    with pytest.raises(UserError) as error:
        check_name("qqq")
    for family in FAMILIES:
        for listed in [p.name for p in family.built_in] + ([family.pattern.full] if family.pattern else []):
            assert listed in available()
        if family.pattern:
            assert family.pattern.full in str(error.value)


def test_a_family_is_asked_for_its_names_without_importing_its_package():
    """Help pages and refusals wait for neither torch nor any of them."""
    heavy = sorted({"torch", *(family.package for family in FAMILIES)})
    code = f"import sys, screening.potentials.families.table; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def moved(atoms: Atoms, by: Array | float) -> Atoms:
    """A copy with displaced atoms; a number displaces the first one."""
    other = atoms.copy()
    if isinstance(by, float):
        other.positions[0] += by
    else:
        other.positions += by
    return other


def deformed(atoms: Atoms, matrix: Array) -> Atoms:
    """A copy whose rows of cell and positions are multiplied by a (3, 3) matrix from the right."""
    other = atoms.copy()
    other.set_cell(atoms.cell[:] @ matrix, scale_atoms=True)
    return other
