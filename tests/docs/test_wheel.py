"""What the wheel holds, and that an installation without this folder finds it."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from screening.assets import model_folder

ROOT = Path(__file__).parents[2]
BUILT_FROM = ("pyproject.toml", ".gitignore", "README.md", "LICENSE")
FOLDERS = ("screening", "configs", "datasets", "models")


def build(root: Path, folder: Path, version: str = "standard") -> zipfile.ZipFile:
    (path,) = WheelBuilder(str(root)).build(directory=str(folder), versions=[version])
    return zipfile.ZipFile(path)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A copy of the sources in which somebody has trained two models, and one is to ship."""
    root = tmp_path_factory.mktemp("source")
    for name in BUILT_FROM:
        shutil.copy(ROOT / name, root)
    for name in FOLDERS:
        ignored = shutil.ignore_patterns("__pycache__", *(["[!R]*"] if name == "models" else []))
        shutil.copytree(ROOT / name, root / name, ignore=ignored)
    for name in ("mine", "rejected/worse", "shipped"):
        (root / "models" / name).mkdir(parents=True)
        (root / "models" / name / "card.yaml").write_text("kind: softening\n")
    with (root / ".gitignore").open("a") as file:
        file.write("!/models/shipped/\n")
    return root


@pytest.fixture(scope="module")
def wheel(source, tmp_path_factory):
    with build(source, tmp_path_factory.mktemp("wheel")) as built:
        yield built


def test_configs_datasets_and_the_marker_of_types_are_in_the_wheel(wheel, source):
    names = set(wheel.namelist())
    assert "screening/py.typed" in names
    for folder in ("configs", "datasets"):
        files = {str(p.relative_to(source)) for p in (source / folder).rglob("*") if p.is_file()}
        assert {f"screening/_assets/{name}" for name in files} <= names
    assert not [name for name in names if name.startswith(("configs/", "datasets/", "models/", "tests/"))]


def test_of_the_models_only_what_git_is_told_to_keep_is_in_the_wheel(wheel):
    models = {name.removeprefix("screening/_assets/models/") for name in wheel.namelist() if "/models/" in name}
    assert models == {"README.md", "shipped/card.yaml"}


def test_an_installed_wheel_finds_its_assets(wheel, tmp_path):
    site, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    wheel.extractall(site)
    elsewhere.mkdir()
    code = (
        "from pathlib import Path; from screening.assets import asset, model_folder; import screening\n"
        "for parts in [('configs', 'presets', 'quick.yaml'), ('datasets', 'crystals', 'LiNbO3.yaml'),"
        " ('models', 'README.md')]: print(asset(*parts))\n"
        "print(model_folder(Path('models/shipped')) / 'card.yaml')\n"
        "print(Path(screening.__file__))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=elsewhere,
        env={"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=True,
    )
    paths = [Path(line) for line in done.stdout.splitlines()]
    assert len(paths) == 5
    assert all(path.is_file() and path.is_relative_to(site) for path in paths)


def test_an_editable_installation_points_to_the_sources(source, tmp_path):
    with build(source, tmp_path, "editable") as built:
        (pth,) = [name for name in built.namelist() if name.endswith(".pth")]
        assert built.read(pth).decode().strip() == str(source)


def test_a_folder_of_the_users_comes_before_what_ships(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own = Path("models/README.md")
    assert model_folder(own) == ROOT / "models" / "README.md"
    assert model_folder(Path("models/nothing")) == Path("models/nothing")
    assert model_folder(Path("models/../models/README.md")) == Path("models/../models/README.md")
    own.parent.mkdir()
    own.touch()
    assert model_folder(own) == own
