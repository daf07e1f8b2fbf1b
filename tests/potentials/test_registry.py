import hashlib
import re
from pathlib import Path

import chgnet
import pytest
import torch

from screening.errors import UserError
from screening.potentials.families.table import BUILT_IN, seconds_per_atom
from screening.potentials.registry import available, load_potential
from screening.potentials.selfcheck import (
    LATTICE_A,
    LATTICE_C,
    check_potential,
    hexagonal_lattice,
    lithium_niobate,
    relaxed_lattice,
)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("chgnett", "nearest valid name is 'chgnet'"),
        ("SevenNet-0", "nearest valid name is 'sevennet-0'"),
        ("sevennet-mf-0", "sevennet-mf-0:"),
        ("sevennet-mf-0:SCAN", "sevennet-mf-0:"),
        ("qqq", "matgl:NAME_OR_PATH"),
        ("matgl:", "matgl:NAME or matgl:PATH"),
        ("ase:", "ase:package.module:factory"),
        ("ase:no.such.module:factory", "cannot be imported"),
        ("ase:ase.calculators.emt:Emt", "cannot be imported"),
        ("ase:ase.calculators.emt:parameters", "is not callable"),
    ],
)
def test_bad_names_are_one_sentence_with_a_way_out(name, hint):
    with pytest.raises(UserError) as error:
        load_potential(name, "cpu")
    assert hint in str(error.value)
    assert "\n" not in str(error.value)


def test_available_names_load_and_name_their_energy_scale():
    assert set(BUILT_IN) < set(available())
    potentials = [load_potential(name, "cpu", self_check=False) for name in BUILT_IN]
    assert [potential.name for potential in potentials] == list(BUILT_IN)
    assert len({potential.checkpoint_sha256 for potential in potentials}) == 5, "both modals of MF-0 share one file"
    assert {potential.name: potential.corrections for potential in potentials} == {
        "chgnet": "MP2020-in-model",
        "chgnet-r2scan": "own-hull",
        "sevennet-0": "MP2020-needed",
        "sevennet-l3i5": "MP2020-needed",
        "sevennet-mf-0:PBE": "MP2020-needed",
        "sevennet-mf-0:R2SCAN": "own-hull",
    }


def test_costs_are_those_of_the_benchmark():
    """The larger figure per atom of those that docs/benchmarks.md lists, in seconds."""
    row = re.compile(r"^\| (\S+) \| (\d+) \| ([\d.]+) \| [\d.]+ \| [\d.]+ \|$", re.MULTILINE)
    found = row.findall((Path(__file__).parents[2] / "docs" / "benchmarks.md").read_text())
    measured: dict[str, float] = {}
    for name, atoms, seconds in found:
        measured[name] = max(measured.get(name, 0.0), round(float(seconds) / int(atoms), 4))
    assert {name: measured[name] for name in seconds_per_atom()} == seconds_per_atom()


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_cuda_without_cuda_is_refused():
    with pytest.raises(UserError, match="sees no CUDA device"):
        load_potential("chgnet", "cuda")


def test_unknown_device_is_refused():
    with pytest.raises(UserError, match="use auto, cpu or cuda"):
        load_potential("chgnet", "gpu")


def test_checksum_is_that_of_the_weights_file():
    weights = next((Path(chgnet.__file__).parent / "pretrained" / "0.3.0").glob("*.pth.tar"))
    expected = hashlib.sha256(weights.read_bytes()).hexdigest()
    assert load_potential("chgnet", "cpu", self_check=False).checkpoint_sha256 == expected


def test_loading_is_silent(capfd):
    from screening.potentials.networks import chgnet as backend

    backend.load("chgnet", "cpu", corrections="own-hull")
    assert capfd.readouterr().out == ""


def test_primitive_cell_has_the_experimental_lattice():
    atoms = lithium_niobate()
    assert atoms.get_chemical_formula() == "Li2Nb2O6"
    assert hexagonal_lattice(atoms.cell[:]) == pytest.approx((LATTICE_A, LATTICE_C), abs=1e-6)


@pytest.mark.parametrize(("name", "a", "c"), [("chgnet", 5.231, 14.135), ("sevennet-0", 5.227, 14.122)])
def test_self_check_finds_the_known_lattice_of_good_potentials(name, a, c):
    """a, c: a full relaxation of the conventional cell with the packages' own calculators."""
    potential = load_potential(name, "cpu", self_check=False)
    assert relaxed_lattice(potential) == pytest.approx((a, c), rel=0.003)


def test_self_check_runs_once_per_checkpoint(monkeypatch):
    potential = load_potential("chgnet", "cpu")
    monkeypatch.setattr(type(potential), "evaluate", lambda *args, **kwargs: pytest.fail("checked twice"))
    check_potential(potential)


def test_random_matgl_model_is_refused(tmp_path):
    """Random weights, real loading code: the model loads without a word and has almost no forces."""
    pytest.importorskip("matgl")
    from matgl.apps.pes import Potential
    from matgl.models import TensorNet

    torch.manual_seed(0)
    model = TensorNet(element_types=("Li", "Nb", "O"), units=16, nblocks=1, num_rbf=8, is_intensive=False)
    Potential(model).save(tmp_path)
    name = f"matgl:{tmp_path}"
    loaded = load_potential(name, "cpu", self_check=False)
    assert loaded.checkpoint_sha256 == hashlib.sha256((tmp_path / "state.pt").read_bytes()).hexdigest()
    assert loaded.evaluate([lithium_niobate()])[0].forces.shape == (10, 3)
    with pytest.raises(UserError, match=r"fails its self-check: LiNbO3 relaxes to a = \d\.\d{3}"):
        load_potential(name, "cpu")


@pytest.mark.parametrize("folder", ["absent", "empty"])
def test_folder_that_is_no_matgl_model(tmp_path, folder):
    pytest.importorskip("matgl")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="could not be loaded"):
        load_potential(f"matgl:{tmp_path / folder}", "cpu")


def test_crystal_without_forces_fails_the_check():
    """A flat energy surface must not pass by staying where it starts."""

    class Flat:
        name, checkpoint_sha256, device, corrections = "flat", "flat", "cpu", "own-hull"
        batch_atoms = 1

        def evaluate(self, structures, *, stress=False):
            import numpy as np

            from screening.potentials.base import Evaluation

            return [Evaluation(energy=0.0, forces=np.zeros((len(a), 3)), stress=np.zeros((3, 3))) for a in structures]

    with pytest.raises(UserError, match="fails its self-check"):
        check_potential(Flat())
