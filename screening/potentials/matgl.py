"""matgl models (TensorNet, M3GNet, CHGNet, ...) by hub name or by local path, through matgl's own ASE calculator."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from screening.errors import UserError
from screening.potentials.ase_calculator import AsePotential
from screening.potentials.batching import pick_device, quiet, sha256_of

WEIGHTS = "state.pt"
MODEL_FILES = ("model.pt", WEIGHTS, "model.json")


def load(name: str, device: str = "auto") -> AsePotential:
    """Load ``matgl:NAME_OR_PATH``: a folder with ``model.pt, state.pt, model.json``, or a name on the hub.

    Raises
    ------
    UserError
        When matgl is not installed, the folder is no matgl model, or the hub cannot be reached.
    """
    _, _, target = name.partition(":")
    if not target:
        raise UserError("potential 'matgl:' names no model: write matgl:NAME or matgl:PATH")
    device = pick_device(device)
    try:
        with quiet():
            potential, weights = _load_model(target)
    except ImportError as error:
        raise UserError("matgl is not installed; install coatscreen[matgl] or choose another potential") from error
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise UserError(
            f"matgl model {target!r} could not be loaded ({_root_cause(error)}); where the hub is out of reach, "
            "give the path of a downloaded model"
        ) from error
    from matgl.ext.ase import PESCalculator

    potential.eval().requires_grad_(False).to(device)
    with quiet():
        calculator = PESCalculator(potential, stress_unit="eV/A3", use_voigt=True)
    return AsePotential(
        calculator,
        name=name,
        checkpoint_sha256=sha256_of(weights),
        device=device,
        corrections=_corrections(target),
    )


def _load_model(target: str) -> tuple[Any, Path]:
    """The model and the path of its weights. What looks like a path never goes to the hub."""
    import matgl
    from matgl.apps.pes import Potential

    folder = Path(target).expanduser()
    if not folder.is_dir():
        if is_path(target):
            raise ValueError("there is no such folder")
        folder = _download(target)
    missing = [file for file in MODEL_FILES if not (folder / file).exists()]
    if missing:
        raise ValueError(f"the folder holds no {missing[0]}")
    model = matgl.load_model(folder)
    if not isinstance(model, Potential):
        raise ValueError(f"it is a {type(model).__name__}, not an interatomic potential")
    return model, folder / WEIGHTS


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
