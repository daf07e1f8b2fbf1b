"""Loading a folder of matgl runs nothing either; matgl's own loader imports and calls what the files name."""

import json
from pathlib import Path

import pytest
import torch
from received import PLANTS, refused

from screening.errors import UserError
from screening.potentials.registry import load_potential


@pytest.fixture(scope="module")
def matgl_files(tmp_path_factory):
    """A small model with random weights, as matgl writes it."""
    pytest.importorskip("matgl")
    from matgl.apps.pes import Potential
    from matgl.models import TensorNet

    folder = tmp_path_factory.mktemp("matgl")
    model = TensorNet(element_types=("Li", "Nb", "O"), units=16, nblocks=1, num_rbf=8, is_intensive=False)
    Potential(model).save(folder)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def matgl_folder(files, folder: Path) -> str:
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return f"matgl:{folder}"


@pytest.mark.parametrize("file", ["model.pt", "state.pt"])
@pytest.mark.parametrize("plant", PLANTS)
def test_a_pickle_in_a_matgl_folder_is_not_run(plant, file, matgl_files, tmp_path, mark):
    name = matgl_folder(matgl_files, tmp_path / "received")
    plant(tmp_path / "received" / file, mark)
    refused(name, mark, rf"could not be loaded \(its {file} is damaged, or holds code, which is never run\)")


@pytest.mark.parametrize("nested", [False, True])
def test_a_class_that_model_json_names_is_matgls_own(nested, matgl_files, tmp_path, mark, monkeypatch):
    """matgl itself imports what the file names: a module beside the user would be run."""
    (tmp_path / "strange_module.py").write_text(f"open({str(mark)!r}, 'w')\n")
    monkeypatch.syspath_prepend(tmp_path)
    name = matgl_folder(matgl_files, tmp_path / "received")
    content = json.loads(matgl_files["model.json"])
    (content["kwargs"]["model"] if nested else content).update({"@module": "strange_module", "@class": "Model"})
    (tmp_path / "received" / "model.json").write_text(json.dumps(content))
    refused(name, mark, "model.json asks for strange_module.Model, which is no class of matgl")


@pytest.mark.parametrize(
    ("module", "name", "arguments"),
    [
        ("subprocess", "Popen", {"args": ["touch", "{mark}"]}),
        ("matgl.models", "os", {}),
        ("matgl.apps.pes", "Batch", {}),
        ("matgl.models._core", "nn", {}),
        ("matgl.utils.io", "load_model", {"path": "elsewhere"}),
    ],
)
def test_a_class_that_model_pt_names_is_a_model_of_matgl(module, name, arguments, matgl_files, tmp_path, mark):
    potential = matgl_folder(matgl_files, tmp_path / "received")
    called = json.loads(json.dumps(arguments).replace("{mark}", str(mark)))
    torch.save(
        {"model": {"@module": module, "@class": name, "@model_version": 1, "init_args": called}},
        tmp_path / "received" / "model.pt",
    )
    with pytest.raises(UserError, match=r"model\.pt asks for") as error:
        load_potential(potential, "cpu", self_check=False)
    assert "\n" not in str(error.value)
    assert not mark.exists()


def test_other_damage_to_a_matgl_folder(matgl_files, tmp_path, mark):
    name = matgl_folder(matgl_files, tmp_path / "received")
    (tmp_path / "received" / "model.json").write_text("{")
    refused(name, mark, "its model.json is no JSON")
    (tmp_path / "received" / "model.json").unlink()
    refused(name, mark, r"the folder holds no model\.json")
