"""Whatever lies in a model folder, loading it runs nothing: a pickle is planted for every way to load one."""

import contextlib
import os
import pickle
import sys
from pathlib import Path

import pytest
import torch
import yaml
from received import BASES, PLANTS, bare, refused, write_card, zipped

from screening.errors import UserError
from screening.potentials import registry
from screening.potentials.finetuned import read_network
from screening.potentials.networks import chgnet, sevennet
from screening.potentials.registry import check_name, load_potential
from screening.potentials.selfcheck import lithium_niobate
from screening.potentials.weights import restricted_unpickling, write_weights
from screening.retraining.softening import load_softening

NAMES = ["checkpoint.pth", "checkpoint.pth.tar", "model.safetensors", "weights"]


@pytest.mark.parametrize("plant", PLANTS)
def test_the_plants_work_where_nothing_is_restricted(plant, tmp_path, mark):
    plant(tmp_path / "file", mark)
    if plant is bare:
        pickle.loads((tmp_path / "file").read_bytes())
    else:
        torch.load(tmp_path / "file", weights_only=False)
    assert mark.exists()


@pytest.mark.parametrize("family", BASES)
@pytest.mark.parametrize("checkpoint", NAMES)
@pytest.mark.parametrize("plant", PLANTS)
def test_a_pickle_in_a_model_folder_is_not_run(plant, checkpoint, family, tmp_path, mark):
    plant(tmp_path / checkpoint, mark)
    write_card(tmp_path, family, checkpoint)
    refused(str(tmp_path), mark, f"{checkpoint} is (no checkpoint of weights only|damaged or no safetensors file)")


@pytest.mark.parametrize("family", BASES)
def test_a_card_of_an_earlier_version_is_no_way_around(family, tmp_path, mark):
    zipped(tmp_path / "checkpoint.pth", mark)
    write_card(tmp_path, family, "checkpoint.pth", network=None)
    refused(str(tmp_path), mark, "no checkpoint of weights only")


@pytest.mark.parametrize("family", BASES)
@pytest.mark.parametrize(
    "outside", ["../outside.pth", "sub/../../outside.pth", "{absolute}", "link.pth", "linked/x.pth"]
)
def test_a_checkpoint_outside_the_folder_is_not_read(outside, family, tmp_path, mark):
    folder = tmp_path / "models" / "received"
    folder.mkdir(parents=True)
    other = tmp_path / "models" / "outside.pth"
    zipped(other, mark)
    (folder / "link.pth").symlink_to(other)
    (tmp_path / "x.pth").write_bytes(other.read_bytes())
    (folder / "linked").symlink_to(tmp_path)
    (folder / "sub").mkdir()
    checkpoint = outside.format(absolute=other)
    write_card(folder, family, checkpoint)
    refused(str(folder), mark, "names a checkpoint outside its folder")


def test_a_checkpoint_in_a_subfolder_or_behind_a_link_of_its_own_is_read(tmp_path):
    """A folder that is itself reached by a link, with a link to a file inside it."""
    folder = tmp_path / "real"
    (folder / "weights").mkdir(parents=True)
    write_weights(read_network("chgnet"), folder / "weights" / "model.safetensors")
    (folder / "latest.safetensors").symlink_to(Path("weights") / "model.safetensors")
    write_card(folder, "chgnet", "latest.safetensors")
    (tmp_path / "link").symlink_to(folder)
    check_name(str(tmp_path / "link"))


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "--dopants", "Mg", "--x", "1/12", "--preset", "quick", "--dry-run"],
        ["run", "--dopants", "Mg", "--x", "1/12", "--preset", "quick", "--out", "run"],
        ["retrain", "--data", "data", "--allow-simulated"],
        ["phases", "build", "--out", "phases.json", "--work", "run"],
        ["phases", "list", "Li,O"],
    ],
)
@pytest.mark.parametrize("checkpoint", ["checkpoint.pth", "model.safetensors"])
def test_commands_refuse_it_in_one_sentence(arguments, checkpoint, tmp_path, mark, monkeypatch, capsys):
    from screening.cli import app

    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "models" / "received"
    folder.mkdir(parents=True)
    zipped(folder / checkpoint, mark)
    write_card(folder, "chgnet", checkpoint)
    monkeypatch.setattr(sys, "argv", ["screen", *arguments, "--potential", "models/received"])
    with pytest.raises(SystemExit) as stopped:
        app.main()
    said = capsys.readouterr().err.strip()
    assert stopped.value.code == 2
    assert said.startswith("screen: ")
    assert f"models/received/{checkpoint} is " in said
    assert "\n" not in said
    assert not mark.exists()
    assert not (tmp_path / "run").exists()


def test_cards_run_nothing(tmp_path, mark):
    (tmp_path / "card.yaml").write_text(f"kind: !!python/object/apply:os.system ['touch {mark}']\nbase: chgnet\n")
    refused(str(tmp_path), mark, "is not the card of a retrained potential")
    with pytest.raises(UserError, match="cannot be read"):
        load_softening(tmp_path)
    assert not mark.exists()


@pytest.mark.parametrize(
    "unsafe", ["weights_only=False", "allow_pickle=True", "MontyDecoder(", "loadfn(", "torch.jit.load("]
)
def test_no_reader_of_ours_runs_what_it_reads(unsafe):
    """Ways to read that call what a file names; ruff looks for pickle, eval and unsafe YAML."""
    root = Path(registry.__file__).parents[1]
    assert [path.name for path in root.rglob("*.py") if unsafe in path.read_text(encoding="utf-8")] == []


def test_one_place_unpickles():
    root = Path(registry.__file__).parents[1]
    assert [p.name for p in root.rglob("*.py") if "torch.load(" in p.read_text(encoding="utf-8")] == ["weights.py"]


def test_a_card_names_no_code(tmp_path, mark, monkeypatch):
    """A correction of an ``ase:`` potential: what a user types may name code, what a file says may not."""
    (tmp_path / "strange_module.py").write_text(f"open({str(mark)!r}, 'w')\ndef factory(): ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    folder = tmp_path / "soft"
    folder.mkdir()
    (folder / "card.yaml").write_text(yaml.safe_dump({"kind": "softening", "base": "ase:strange_module:factory"}))
    refused(str(folder), mark, "code that a file names is not run")
    (folder / "card.yaml").write_text(yaml.safe_dump({"kind": "softening", "base": str(folder)}))
    refused(str(folder), mark, "is a correction of itself")


# Weights that are weights, but not the right ones


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """CHGNet's own weights as safetensors."""
    path = tmp_path_factory.mktemp("weights") / "model.safetensors"
    write_weights(read_network("chgnet"), path)
    return path


def copy_of(weights: Path, folder: Path, **changes) -> Path:
    (folder / "model.safetensors").write_bytes(weights.read_bytes())
    write_card(folder, "chgnet", "model.safetensors", **changes)
    return folder / "model.safetensors"


def test_the_weights_are_read_to_the_last_bit(weights, tmp_path):
    copy_of(weights, tmp_path)
    found, expected = (load_potential(name, "cpu", self_check=False) for name in (str(tmp_path), "chgnet"))
    (one,), (other,) = (p.evaluate([lithium_niobate()], stress=True) for p in (found, expected))
    assert one.energy == other.energy
    assert (one.forces == other.forces).all()
    assert (one.stress == other.stress).all()


def test_a_tampered_file_does_not_agree_with_its_card(weights, tmp_path, mark):
    path = copy_of(weights, tmp_path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    refused(str(tmp_path), mark, r"is not the file that .* describes \(other SHA-256\)")


@pytest.mark.parametrize("left", [0, 7, 1000, -4])
def test_a_truncated_file_is_damaged_also_where_its_card_agrees(weights, left, tmp_path, mark):
    path = copy_of(weights, tmp_path)
    path.write_bytes(path.read_bytes()[:left])
    write_card(tmp_path, "chgnet", path.name)
    refused(str(tmp_path), mark, "is damaged or no safetensors file")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"network": "chgnet-0.2.0"}, "the network is 'chgnet-0.2.0'; use chgnet or chgnet-r2scan"),
        ({"network": None}, "the network is ''"),
        ({"family": "sevennet"}, "the network is 'chgnet'; use sevennet-0 or sevennet-l3i5"),
        ({"checkpoint": ["model.safetensors"]}, "is not the card of a retrained potential"),
    ],
)
def test_a_network_that_is_none_of_the_family(changes, reason, weights, tmp_path, mark):
    copy_of(weights, tmp_path, **changes)
    refused(str(tmp_path), mark, reason)


def test_weights_of_another_network(weights, tmp_path):
    copy_of(weights, tmp_path, family="sevennet", network="sevennet-0")
    with pytest.raises(UserError, match=r"holds the weights of another network \(\d+ tensors differ") as error:
        load_potential(str(tmp_path), "cpu", self_check=False)
    assert "\n" not in str(error.value)


# Folders of earlier versions


def write_as_earlier_versions_did(family: str, path: Path) -> None:
    if family == "chgnet":
        torch.save({"model": read_network("chgnet").as_dict()}, path)
        return
    from sevenn import __version__
    from sevenn.util import load_checkpoint

    content = load_checkpoint(str(sevennet.checkpoint_of("sevennet-0"))).get_checkpoint_dict()
    content["config"] = {**content["config"], "version": __version__}
    content |= {"optimizer_state_dict": None, "scheduler_state_dict": None}
    content["model_state_dict"] = read_network("sevennet-0").state_dict()
    torch.save(content, path)


@pytest.mark.parametrize("family", BASES)
def test_folders_of_earlier_versions_still_load(family, tmp_path):
    write_as_earlier_versions_did(family, tmp_path / "checkpoint.pth")
    write_card(tmp_path, family, "checkpoint.pth")
    card = yaml.safe_load((tmp_path / "card.yaml").read_text())
    del card["network"]
    (tmp_path / "card.yaml").write_text(yaml.safe_dump(card))
    check_name(str(tmp_path))
    found, expected = (load_potential(name, "cpu", self_check=False) for name in (str(tmp_path), BASES[family]))
    (one,), (other,) = (p.evaluate([lithium_niobate()]) for p in (found, expected))
    assert one.energy == other.energy
    assert (one.forces == other.forces).all()


def test_what_the_packages_ship_needs_no_more_than_weights(monkeypatch):
    """All of it is read by the restricted unpickler."""
    asked = []
    original = torch.load

    def load(*args, **kwargs):
        asked.append(kwargs.get("weights_only") is True or os.environ.get("TORCH_FORCE_WEIGHTS_ONLY_LOAD") == "1")
        return original(*args, **kwargs)

    monkeypatch.setattr(torch, "load", load)
    monkeypatch.setattr("sevenn.checkpoint.torch_load", load)
    for package in (chgnet, sevennet):
        for name in package.CHECKPOINTS:
            package.read_model(package.checkpoint_of(name))
    assert asked == [True] * 5


def test_the_restriction_ends_where_it_should(monkeypatch):
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    monkeypatch.delenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD", raising=False)
    with contextlib.suppress(ZeroDivisionError), restricted_unpickling():
        assert os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] == "1"
        assert "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD" not in os.environ
        raise ZeroDivisionError
    assert "TORCH_FORCE_WEIGHTS_ONLY_LOAD" not in os.environ
    assert os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] == "1"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_of_a_training_that_diverged_are_refused_before_anything_is_computed(value, tmp_path):
    network = read_network("chgnet")
    with torch.no_grad():
        next(p for p in network.parameters() if p.dim() == 2)[0, 0] = value
    write_weights(network, tmp_path / "model.safetensors")
    write_card(tmp_path, "chgnet", "model.safetensors")
    with pytest.raises(UserError, match="weights that are no finite numbers"):
        check_name(str(tmp_path))
