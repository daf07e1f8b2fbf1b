"""matgl models (TensorNet, M3GNet, CHGNet, ...) by hub name or by local path, through matgl's own ASE calculator."""

from __future__ import annotations

import contextlib
import json
import logging
import re
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

from ase.data import atomic_numbers

from screening.errors import UserError
from screening.files import sha256_of
from screening.potentials.ase_calculator import AsePotential
from screening.potentials.batching import pick_device, quiet
from screening.potentials.weights import read_pickle, restricted_unpickling

logger = logging.getLogger(__name__)

WEIGHTS = "state.pt"
MODEL_FILES = ("model.pt", WEIGHTS, "model.json")
MODULES = re.compile(r"matgl\.models(\._\w+)?|matgl\.apps\.(pes|_pes\w*)")
"""Modules of the classes that a model may be made of, as every version of matgl has written them."""


def load(name: str, device: str = "auto") -> AsePotential:
    """Load ``matgl:NAME_OR_PATH``: a folder with ``model.pt, state.pt, model.json``, or a name on the hub.

    Raises
    ------
    UserError
        When matgl is not installed, the folder is no matgl model, or the hub cannot be reached.
    """
    folder = check(name)
    device = pick_device(device)
    with _one_sentence(name), quiet():
        potential = _load_model(folder)
        potential.eval().requires_grad_(False).to(device)
        from matgl.ext.ase import PESCalculator

        calculator = PESCalculator(potential, stress_unit="eV/A3", use_voigt=True)
    return AsePotential(
        calculator,
        name=name,
        checkpoint_sha256=sha256_of(folder / WEIGHTS),
        device=device,
        corrections=_corrections(name.partition(":")[2]),
    )


def check(name: str) -> Path:
    """Folder of a model's files, which are fetched from the hub where they are not on this machine; nothing is loaded.

    Raises
    ------
    UserError
        See `load`.
    """
    target = name.partition(":")[2]
    if not target:
        raise UserError("potential 'matgl:' names no model: write matgl:NAME or matgl:PATH")
    if find_spec("matgl") is None:
        raise UserError("matgl is not installed; install coatscreen[matgl] or choose another potential")
    with _one_sentence(name), quiet():
        folder = local_folder(target)
        if folder is None:
            if is_path(target):
                raise ValueError("there is no such folder")
            folder = _download(target)
        missing = [file for file in MODEL_FILES if not (folder / file).exists()]
        if missing:
            raise ValueError(f"the folder holds no {missing[0]}")
        try:
            content = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        except ValueError:
            raise ValueError("its model.json is no JSON") from None
        _check_classes(content, "model.json")
        for file in ("model.pt", WEIGHTS):
            _check_classes(_read_restricted(folder / file), file)
    return folder


@contextlib.contextmanager
def _one_sentence(name: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # whatever files that are no model make matgl, PyTorch and the hub's client raise
        logger.debug("%s", name, exc_info=True)
        raise UserError(
            f"matgl model {name.partition(':')[2]!r} could not be loaded ({_root_cause(error)}); where the hub is out "
            "of reach, give the path of a downloaded model"
        ) from error


def _load_model(folder: Path) -> Any:
    """The model of a checked folder, unless its files name something else than models of matgl.

    matgl imports whatever module and calls whatever class model.json and model.pt name, with arguments from the file.
    """
    import matgl
    from matgl.apps.pes import Potential
    from matgl.utils.io import IOMixIn

    for module, name in _check_classes(_read_restricted(folder / "model.pt"), "model.pt"):
        public = "matgl.apps.pes" if module.startswith("matgl.apps") else "matgl.models"
        found = getattr(import_module(public), name, None)
        if not (isinstance(found, type) and issubclass(found, IOMixIn)):
            raise ValueError(f"its model.pt asks for {module}.{name}, which is no model")
    model = matgl.load_model(folder)
    if not isinstance(model, Potential):
        raise ValueError(f"it is a {type(model).__name__}, not an interatomic potential")
    return model


def _read_restricted(path: Path) -> Any:
    try:
        with restricted_unpickling():
            return read_pickle(path)
    except UnpicklingError:
        logger.debug("%s", path, exc_info=True)
        raise ValueError(f"its {path.name} is damaged, or holds code, which is never run") from None


def _check_classes(content: Any, file: str) -> list[tuple[str, str]]:
    """Module and name of every class that nested mappings ask for; a ValueError where one is not matgl's."""
    if isinstance(content, list | tuple):
        return [found for item in content for found in _check_classes(item, file)]
    if not isinstance(content, dict):
        return []
    classes = [found for item in content.values() for found in _check_classes(item, file)]
    if "@module" in content or "@class" in content:
        module, name = str(content.get("@module")), str(content.get("@class"))
        if not MODULES.fullmatch(module) or not name.isidentifier():
            raise ValueError(f"its {file} asks for {module}.{name}, which is no class of matgl and is not imported")
        classes.append((module, name))
    return classes


def is_path(target: str) -> bool:
    """Whether what follows ``matgl:`` can only be a path, because no name on the hub looks like it."""
    return Path(target).expanduser().is_absolute() or target.startswith((".", "~")) or target.count("/") > 1


def local_folder(target: str) -> Path | None:
    """Folder of a model that is on this machine already, as itself or in the hub's cache."""
    folder = Path(target).expanduser()
    if folder.is_dir():
        return folder
    if not target or is_path(target) or find_spec("matgl") is None:
        return None
    try:
        return _download(target, local_files_only=True)
    except (OSError, ValueError):  # what huggingface_hub raises for a model that is not in its cache
        return None


def elements_of(folder: Path) -> frozenset[str] | None:
    """The ``element_types`` that the model.json of a model states; None where it states none."""
    try:
        found = _find(json.loads((folder / "model.json").read_text(encoding="utf-8")), "element_types")
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(found, list) or not all(isinstance(symbol, str) for symbol in found):
        return None
    return frozenset(found) & frozenset(atomic_numbers) or None


def _find(content: object, key: str) -> object:
    """The value of `key` in nested mappings, the outermost one first."""
    if not isinstance(content, dict):
        return None
    if key in content:
        return content[key]
    return next((found for value in content.values() if (found := _find(value, key)) is not None), None)


def _download(name: str, *, local_files_only: bool = False) -> Path:
    """Fetch a model from the hub into matgl's own cache; a bare name is one of matgl's official models."""
    from huggingface_hub import snapshot_download
    from matgl.config import MATGL_CACHE
    from matgl.utils.io import HF_MATGL_ORG

    repository = name if "/" in name else f"{HF_MATGL_ORG}/{name}"
    return Path(
        snapshot_download(
            repository, allow_patterns=list(MODEL_FILES), cache_dir=MATGL_CACHE, local_files_only=local_files_only
        )
    )


def _corrections(target: str) -> str:
    """M3GNet-MP was trained on uncorrected Materials Project energies; every other scale keeps its own hull."""
    return "MP2020-needed" if "M3GNet-MP-2021" in target else "own-hull"


def _root_cause(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    lines = str(error).strip().splitlines()
    return lines[0][:200].rstrip(".") if lines else type(error).__name__
