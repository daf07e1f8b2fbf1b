"""`screen retrain` from data folders to models/<name>."""

import sys
from subprocess import run
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml
from taught import DOPED, FIDELITY, crystal, label, shaken, taught, write_data

from screening.errors import UserError
from screening.potentials.registry import load_potential
from screening.retraining import retrain as module
from screening.retraining.finetune import Epoch, Tuned
from screening.retraining.forgetting import MAX_ENERGY_CHANGE, compare_crystals
from screening.retraining.potential_errors import Errors
from screening.retraining.retrain import check_target, judge, retrain
from screening.retraining.verdict import RetrainSettings
from screening.training_data.training_set import split_frames, usable_frames

ZERO_POINTS = {"Li": 1.5, "Mg": -0.75, "Nb": 3.25, "O": -2.0}
CRYSTALS = ("LiNbO3", "MgO")


def settings(tmp_path, frames, **options):
    data = write_data(tmp_path / "data", frames)
    defaults = {"allow_simulated": True, "device": "cpu", "models": tmp_path / "models", "reference_crystals": CRYSTALS}
    return RetrainSettings(data=(data,), **(defaults | options))


def own_frames(zero_points=None):
    """31 frames of five compositions that CHGNet itself labels: nothing is to be learnt but zero points."""
    chgnet = load_potential("chgnet", "cpu", self_check=False)
    atoms = [a for name in ("LiNbO3", DOPED, "MgO", "Li2O", "NbO2-rutile") for a in shaken(name, 7)][:31]
    return label(atoms, chgnet, zero_points=zero_points)


def card_of(outcome):
    return yaml.safe_load((outcome.folder / "card.yaml").read_text())


def test_zero_points_are_found_and_become_part_of_the_checkpoint(tmp_path):
    """Frames of CHGNet itself on other zero points: they are recovered, and the checkpoint alone gives them back."""
    asked = settings(
        tmp_path, own_frames(ZERO_POINTS), name="shifted", zero_points="data", epochs=1, learning_rate=1e-6
    )
    outcome = retrain(asked)
    card = card_of(outcome)
    assert card["energy_shifts"]["values"] == pytest.approx(ZERO_POINTS, abs=1e-4)
    assert card["energy_shifts"]["combinations_not_determined_by_the_data"] == 0
    assert card["corrections"] == "own-hull"
    assert card["fitted_elements"] == ["Li", "Mg", "Nb", "O"]
    card["promoted"] = True  # there was nothing to learn, so it may have been rejected
    (outcome.folder / "card.yaml").write_text(yaml.safe_dump(card))
    potential = load_potential(str(outcome.folder), "cpu")
    base = load_potential("chgnet", "cpu", self_check=False)
    for name in ("LiNbO3", "Li2O", "LiTaO3"):
        atoms = crystal(name)
        (found,), (before,) = potential.evaluate([atoms]), base.evaluate([atoms])
        expected = before.energy + sum(ZERO_POINTS.get(s, 0.0) for s in atoms.get_chemical_symbols())
        assert found.energy == pytest.approx(expected, abs=2e-3 * len(atoms))
        assert found.forces == pytest.approx(before.forces, abs=0.02)


@pytest.fixture(scope="module")
def taught_outcome(tmp_path_factory):
    """CHGNet taught by SevenNet-0 on five crystals, with LiNbO3 held out."""
    folder = tmp_path_factory.mktemp("taught")
    epochs: list[Any] = []
    asked = settings(folder, taught(6), name="taught", held_out=["LiNbO3"], epochs=EPOCHS, reference_crystals=CRYSTALS)
    return SimpleNamespace(outcome=retrain(asked, epochs.append), epochs=epochs, data=asked.data[0])


EPOCHS = 5


def test_held_out_forces_get_better(taught_outcome):
    errors = taught_outcome.outcome.card["held_out_errors"]
    assert errors["before"]["n_frames"] == 6
    assert errors["after"]["force_mae_eV_per_A"] < errors["before"]["force_mae_eV_per_A"]
    assert taught_outcome.outcome.promoted, taught_outcome.outcome.reasons


def test_card_says_what_was_done(taught_outcome):
    card = card_of(taught_outcome.outcome)
    assert card == yaml.safe_load(yaml.safe_dump(taught_outcome.outcome.card)), "the file is the card"
    base = load_potential("chgnet", "cpu", self_check=False)
    assert (card["kind"], card["base"], card["fidelity"]) == ("finetuned", "chgnet", FIDELITY)
    assert card["base_checkpoint_sha256"] == base.checkpoint_sha256
    assert (card["corrections"], card["fitted_elements"]) == (base.corrections, None), "on the base's zero points"
    assert card["data"]["held_out"] == {"LiNbO3": 6}
    assert sum(card["data"]["training"].values()) + sum(card["data"]["validation"].values()) == 30
    assert len(card["data"]["version"]) == 12
    assert [e["epoch"] for e in card["training"]["validation"]] == list(range(len(taught_outcome.epochs) + 1))
    assert card["training"]["best_epoch"] > 0
    assert {c["crystal"] for c in card["reference_crystals"]["compared_with_base"]} == set(CRYSTALS)
    assert card["run_time_s"] > 0
    assert {"hardware", "versions", "created"} <= set(card)
    assert str(taught_outcome.data) not in (taught_outcome.outcome.folder / "card.yaml").read_text(), "no paths"


def test_reloaded_potential_has_the_errors_of_the_card(taught_outcome):
    """The checkpoint, read back by name, is the model that was judged."""
    from screening.retraining.potential_errors import errors_of

    potential = load_potential(str(taught_outcome.outcome.folder), "cpu")
    card = taught_outcome.outcome.card
    assert potential.checkpoint_sha256 == card["checkpoint_sha256"] != card["base_checkpoint_sha256"]
    frames = usable_frames([taught_outcome.data], allow_simulated=True)
    held_out = split_frames(frames, card["data"]["held_out_groups"], seed=0).held_out
    errors = errors_of(potential, held_out, shifts=None)
    after = card["held_out_errors"]["after"]
    assert errors.force == pytest.approx(after["force_mae_eV_per_A"], abs=2e-5)
    assert errors.relative_energy == pytest.approx(after["relative_energy_mae_meV_per_atom"], abs=2e-2)
    assert errors.stress == pytest.approx(after["stress_mae_GPa"], abs=2e-4)


def test_forces_of_the_reloaded_potential_are_minus_the_gradient(taught_outcome):
    potential = load_potential(str(taught_outcome.outcome.folder), "cpu")
    (atoms,) = shaken("LiNbO3", 1, seed=5)
    (at_rest,) = potential.evaluate([atoms])
    direction = np.random.default_rng(0).normal(size=(len(atoms), 3))
    direction /= np.linalg.norm(direction)
    moved = []
    for step in (0.01, -0.01):
        copy = atoms.copy()
        copy.positions += step * direction
        moved.append(copy)
    up, down = (answer.energy for answer in potential.evaluate(moved))
    assert -(up - down) / 0.02 == pytest.approx(float((at_rest.forces * direction).sum()), abs=5e-3)


def test_a_worse_potential_is_kept_but_not_promoted(tmp_path):
    """A learning rate that wrecks the network: nothing better than the base is found, and the reasons are stated."""
    asked = settings(tmp_path, own_frames(), name="wrecked", epochs=1, learning_rate=0.5)
    outcome = retrain(asked)
    assert not outcome.promoted
    assert outcome.folder == tmp_path / "models" / "rejected" / "wrecked"
    assert (outcome.folder / "model.safetensors").is_file()
    assert "no epoch improved" in outcome.reasons[0]
    assert not list((tmp_path / "models").glob(".*"))
    with pytest.raises(UserError, match="was rejected"):
        load_potential(str(outcome.folder), "cpu")
    with pytest.raises(UserError, match="exists; nothing is overwritten"):
        retrain(asked)


def test_verdict_on_a_potential_that_forgot(tmp_path):
    """SevenNet-0 in the place of a fine-tuned CHGNet: other zero points, so its crystals are other crystals."""
    base, other = (load_potential(name, "cpu", self_check=False) for name in ("chgnet", "sevennet-0"))
    asked = settings(tmp_path, own_frames(), reference_crystals=("MgO",))
    frames = usable_frames(asked.data, allow_simulated=True)
    split = split_frames(frames, 0.2, seed=0)
    none = Errors(n_frames=1, energy=1.0, relative_energy=None, force=1.0, stress=None)
    tuned = Tuned(model=None, best_epoch=1, trained_parameters=0, history=[Epoch(epoch=1, score=0.5, errors=none)])
    shifts = module.fitted_shifts(base, split.learnt)
    verdict = judge(base, other, split, shifts, tuned, asked)
    text = "; ".join(verdict.reasons)
    assert "held-out force error 0.0000 became 0." in text, "the frames are the base's own"
    assert "MgO: energy by" in text


def test_the_same_potential_forgets_nothing():
    base = load_potential("chgnet", "cpu", self_check=False)
    for crystal_change in compare_crystals(base, base, ("MgO", "Li2S")):
        assert not crystal_change.forgotten
        assert abs(crystal_change.energy_change) < 1e-6 < MAX_ENERGY_CHANGE
        assert crystal_change.force_change < 1e-4
        assert crystal_change.length_change < 1e-6


def test_names_of_models_are_checked(tmp_path):
    for name in ("a/b", "..", "", "rejected", "-x"):
        with pytest.raises(UserError, match="cannot be a model's name"):
            check_target(tmp_path, name)
    (tmp_path / "rejected" / "old").mkdir(parents=True)
    with pytest.raises(UserError, match="exists"):
        check_target(tmp_path, "old")


def test_few_frames_need_a_run(tmp_path):
    asked = settings(tmp_path, own_frames()[:12])
    with pytest.raises(UserError, match=r"there are 12 frames and fine-tuning needs 30; give --run RUN"):
        retrain(asked)
    assert not (tmp_path / "models").exists()


def test_potentials_without_training_code_are_refused(tmp_path):
    asked = settings(tmp_path, own_frames(), potential="sevennet-mf-0:PBE")
    with pytest.raises(UserError, match="sevennet-mf-0:PBE cannot be retrained"):
        retrain(asked)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--data", "absent"], "absent is no folder of DFT data"),
        (["--data", "data"], "use --allow-simulated"),
        (["--data", "data", "--potential", "chgnett"], "nearest valid name is 'chgnet'"),
        (["--data", "data", "--unfreeze", "some"], "--unfreeze is 'some'; use none or all"),
        (["--data", "data", "--held-out", "1.5"], "a share lies between 0 and 1"),
        (["--data", "data", "--held-out", ","], "--held-out is empty"),
        (["--data", "data", "--learning-rate", "-1"], "--learning-rate is -1"),
        (["--data", "data", "--zero-points", "dft"], "--zero-points is 'dft'"),
        (["--data", "data", "--allow-simulated", "--held-out", "Zr"], "no frames belong to 'Zr'"),
        (["--data", "data", "--allow-simulated", "--name", "a/b"], "cannot be a model's name"),
        (["--data", "data", "--allow-simulated", "--run", "runs/none"], "there is no run at"),
    ],
)
def test_bad_input_is_one_sentence(tmp_path, monkeypatch, capsys, arguments, reason):
    from screening.cli import app

    monkeypatch.chdir(tmp_path)
    write_data(tmp_path / "data", own_frames())
    monkeypatch.setattr(sys, "argv", ["screen", "retrain", *arguments])
    with pytest.raises(SystemExit) as stopped:
        app.main()
    said = capsys.readouterr().err.strip()
    assert stopped.value.code == 2
    assert reason in said
    assert said.startswith("screen: ")
    assert "\n" not in said
    assert not (tmp_path / "models").exists()


def test_command_line(tmp_path):
    """The real command in a process of its own: it trains, judges and says where the result is."""
    write_data(tmp_path / "data", own_frames())
    command = "from screening.cli.app import main; main()"
    arguments = ["retrain", "--data", "data", "--allow-simulated", "--name", "mine", "--epochs", "1", "--device", "cpu"]
    done = run(
        [sys.executable, "-c", command, *arguments, "--learning-rate", "0.4"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stderr
    assert "not promoted, kept in models/rejected/mine" in done.stdout
    assert "force_mae_eV_per_A" in done.stdout
    assert (tmp_path / "models/rejected/mine/card.yaml").is_file()
