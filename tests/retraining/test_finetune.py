"""Fine-tuning with the packages' own training code, on frames that another real potential labels."""

import numpy as np
import pytest
import yaml
from ase import Atoms
from ase.units import GPa
from taught import TEACHER, label, shaken, write_data

from screening.files import sha256_of
from screening.potentials.model_card import read_card
from screening.potentials.registry import load_potential
from screening.potentials.weights import write_weights
from screening.retraining.backend import TrainingSettings
from screening.retraining.chgnet import _dataset
from screening.retraining.finetune import backend_of, finetune
from screening.retraining.potential_errors import errors_of
from screening.retraining.sevennet import _graphs
from screening.training_data.energy_shifts import fit_shifts
from screening.training_data.training_set import usable_frames

BASES = {"chgnet": "chgnet", "sevennet": "sevennet-0"}


def base_of(family):
    return load_potential(BASES[family], "cpu", self_check=False)


def own_frames(tmp_path, potential, n=2, **options):
    """Frames labelled by the very potential that is trained."""
    atoms = [a for name in ("LiNbO3", "Li2O") for a in shaken(name, n)]
    return usable_frames([write_data(tmp_path, label(atoms, potential, **options))], allow_simulated=True)


def test_chgnet_data_set_has_its_own_labels(tmp_path):
    """Targets labelled by CHGNet itself are what chgnet's own model predicts: units and signs."""
    potential = base_of("chgnet")
    frames = own_frames(tmp_path, potential)
    model = backend_of("chgnet").read("chgnet", "cpu")
    dataset = _dataset(model, frames)
    for index, frame in enumerate(frames):
        _, targets = dataset[index]
        predicted = model.predict_structure(dataset.structures[index], task="efs")
        assert float(targets["e"]) == pytest.approx(float(predicted["e"]), abs=2e-6), "eV/atom"
        assert targets["f"].numpy() == pytest.approx(predicted["f"], abs=1e-4)
        assert targets["s"].numpy() == pytest.approx(predicted["s"], abs=1e-3), "GPa, tension positive"
        assert np.abs(predicted["s"]).max() > 0.5
        assert targets["s"].numpy() == pytest.approx(frame.stress / GPa, abs=1e-3)


def test_sevennet_graphs_have_their_own_labels(tmp_path):
    import sevenn._keys as KEY
    from torch_geometric.data import Batch

    potential = base_of("sevennet")
    frames = own_frames(tmp_path, potential)
    model = backend_of("sevennet").read("sevennet-0", "cpu")
    model.eval()
    batch = Batch.from_data_list(_graphs(frames, float(model.cutoff)))
    labels = {key: batch[key].clone().numpy() for key in (KEY.ENERGY, KEY.FORCE, KEY.STRESS)}
    output = model(batch)
    for key, predicted in (
        (KEY.ENERGY, KEY.PRED_TOTAL_ENERGY),
        (KEY.FORCE, KEY.PRED_FORCE),
        (KEY.STRESS, KEY.PRED_STRESS),
    ):
        values = output[predicted].detach().numpy()
        assert labels[key].reshape(values.shape) == pytest.approx(values, abs=2e-4)
        assert np.abs(values).max() > 0.01


def test_missing_stresses_are_masked(tmp_path):
    """Frames with and without stress, and a batch without any: nothing becomes NaN, and stresses are still learnt."""
    potential = base_of("chgnet")
    atoms = shaken("Li2O", 3)
    labelled = [*label(atoms[:1], potential), *label(atoms[1:], potential, stress=False)]
    frames = usable_frames([write_data(tmp_path, labelled)], allow_simulated=True)
    assert [f.stress is None for f in frames] == [False, True, True]
    for family in ("chgnet", "sevennet"):
        backend = backend_of(family)
        model = backend.read(BASES[family], "cpu")
        settings = TrainingSettings(epochs=1, learning_rate=1e-6, batch_size=1)
        shifts = fit_shifts([f.atoms for f in frames], [0.0] * 3)
        tuned = finetune(backend, model, frames, [], settings)
        assert len(tuned.history) == 2
        found = backend.potential(tuned.model, "cpu", name="x", checkpoint_sha256="", corrections="")
        assert np.isfinite(errors_of(found, frames, shifts=shifts).force)


@pytest.mark.parametrize("family", ["chgnet", "sevennet"])
def test_lower_layers_keep_their_weights(tmp_path, family):
    backend = backend_of(family)
    frames = own_frames(
        tmp_path, load_potential(TEACHER if family == "chgnet" else "chgnet", "cpu", self_check=False), 1
    )
    model = backend.read(BASES[family], "cpu")
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    backend.freeze(model, "none")
    frozen = {name for name, weight in model.named_parameters() if not weight.requires_grad}
    for _ in backend.epochs(model, frames, TrainingSettings(epochs=1)):
        pass
    changed = {name for name, weight in model.state_dict().items() if not weight.equal(before[name])}
    assert changed
    assert not changed & frozen
    lower = {"chgnet": ("atom_embedding", "atom_conv_layers.0"), "sevennet": ("onehot_to_feature_x", "0_convolution")}
    assert all(any(name.startswith(part) for name in frozen) for part in lower[family])
    backend.freeze(model, "all")
    still = {name for name, weight in model.named_parameters() if not weight.requires_grad}
    assert {name.split(".")[0] for name in still} <= {"composition_model", "rescale_atomic_energy"} | {
        f"{layer}_convolution" for layer in range(5)
    }


@pytest.mark.parametrize("family", ["chgnet", "sevennet"])
def test_saved_checkpoint_is_the_trained_model(tmp_path, family):
    """Trained for a moment, given other zero points, saved, and read back by the name of its folder."""
    base = base_of(family)
    teacher = load_potential("sevennet-0" if family == "chgnet" else "chgnet", "cpu", self_check=False)
    frames = own_frames(tmp_path, teacher)
    backend = backend_of(family)
    model = backend.read(BASES[family], "cpu")
    finetune(backend, model, frames[:2], [], TrainingSettings(epochs=1, learning_rate=1e-4))
    zero_points = {"Li": 1.25, "O": -3.5}
    structures = [f.atoms for f in frames]
    trained = backend.potential(model, "cpu", name="x", checkpoint_sha256="", corrections="").evaluate(structures)
    shifts = fit_shifts([Atoms(s) for s in zero_points], list(zero_points.values()))
    backend.add_zero_points(model, shifts)
    folder = tmp_path / "mine"
    folder.mkdir()
    given_zero_points = backend.potential(model, "cpu", name="x", checkpoint_sha256="", corrections="")
    exact = given_zero_points.evaluate(structures, stress=True)
    write_weights(model, folder / "model.safetensors")
    card = {
        "kind": "finetuned",
        "promoted": True,
        "base": BASES[family],
        "family": family,
        "network": BASES[family],
        "checkpoint": "model.safetensors",
        "checkpoint_sha256": sha256_of(folder / "model.safetensors"),
        "corrections": "own-hull",
    }
    (folder / "card.yaml").write_text(yaml.safe_dump(card))
    potential = load_potential(str(folder), "cpu", self_check=False)
    for atoms, before, answer in zip(structures, trained, potential.evaluate(structures), strict=True):
        shift = sum(zero_points.get(s, 0.0) for s in atoms.get_chemical_symbols())
        assert answer.energy == pytest.approx(before.energy + shift, abs=1e-5 * len(atoms))
        assert answer.forces == pytest.approx(before.forces, abs=1e-4)
    for before, answer in zip(exact, potential.evaluate(structures, stress=True), strict=True):
        assert answer.energy == before.energy, "to the last bit"
        assert (answer.forces == before.forces).all()
        assert (answer.stress == before.stress).all()
    again = backend.read(read_card(folder), "cpu").state_dict()
    assert all(weight.equal(again[key]) for key, weight in model.state_dict().items()), "and trained further from there"
    (untrained,) = base.evaluate(structures[:1])
    assert np.abs(untrained.forces - trained[0].forces).max() > 1e-4, "something was learnt"
    numerical = gradient_along(potential, structures[0])
    assert numerical[0] == pytest.approx(numerical[1], abs=5e-3)


def gradient_along(potential, atoms):
    """Force along a random direction: from the energies, and as the potential says, eV/A."""
    direction = np.random.default_rng(0).normal(size=(len(atoms), 3))
    direction /= np.linalg.norm(direction)
    up, down = atoms.copy(), atoms.copy()
    up.positions += 0.01 * direction
    down.positions -= 0.01 * direction
    plus, minus, here = potential.evaluate([up, down, atoms])
    return (minus.energy - plus.energy) / 0.02, float((here.forces * direction).sum())
