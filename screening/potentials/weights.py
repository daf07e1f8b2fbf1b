"""Weights on disk, read so that no file can run code.

What we write is safetensors: names and numbers, nothing else. What the packages ship and what older model folders hold
are pickles; those are read by PyTorch's restricted unpickler, which makes tensors, numbers and containers of them and
refuses to call anything else (``weights_only=True``; safe since PyTorch 2.6).
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from screening.errors import UserError, first_line

logger = logging.getLogger(__name__)

_FORCE, _FORBID = "TORCH_FORCE_WEIGHTS_ONLY_LOAD", "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"


def write_weights(model: torch.nn.Module, path: Path) -> None:
    """Write all parameters and buffers of a model, bit by bit."""
    from safetensors.torch import save_file

    # a copy of each: safetensors takes neither views nor tensors that share their memory
    weights = {name: value.detach().cpu().clone().contiguous() for name, value in model.state_dict().items()}
    save_file(weights, path)


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Weights by name.

    Raises
    ------
    UserError
        When the file is damaged or not safetensors, or its training diverged.
    """
    from safetensors.torch import load_file

    with _safetensors(path):
        weights: dict[str, torch.Tensor] = load_file(path)
    odd = next((name for name, value in weights.items() if not torch.isfinite(value).all()), None)
    if odd is not None:
        raise UserError(
            f"{path} holds weights that are no finite numbers (in {odd!r}); copy it again from where it was trained, "
            "or run `screen retrain` again."
        )
    return weights


def put_weights(model: torch.nn.Module, weights: dict[str, torch.Tensor], path: Path) -> None:
    """Put what `read_weights` found in `path` into a model of the same architecture.

    Raises
    ------
    UserError
        When they belong to another network.
    """
    own = {name: (tuple(value.shape), value.dtype) for name, value in model.state_dict().items()}
    found = {name: (tuple(value.shape), value.dtype) for name, value in weights.items()}
    if own != found:
        different = sorted(name for name in own.keys() | found.keys() if own.get(name) != found.get(name))
        raise UserError(
            f"{path} holds the weights of another network ({len(different)} tensors differ in name, shape or type, for "
            f"example {different[0]!r}); correct `network` in its card or run `screen retrain` again."
        )
    model.load_state_dict(weights)


def check_weights_file(path: Path) -> None:
    """Refuse a file that is not safetensors, not whole, or holds what is no number.

    Raises
    ------
    UserError
        Says what is wrong.
    """
    read_weights(path)


@contextlib.contextmanager
def _safetensors(path: Path) -> Iterator[None]:
    from safetensors import SafetensorError

    try:
        yield
    except SafetensorError as error:
        raise UserError(
            f"{path} is damaged or no safetensors file ({first_line(error)}); copy it again from where it was "
            "trained, or run `screen retrain` again."
        ) from error


def read_pickle(path: Path) -> Any:
    """Tensors, numbers and containers of a PyTorch file.

    Raises
    ------
    pickle.UnpicklingError
        When it holds anything else, which is not looked at.
    """
    return torch.load(path, map_location="cpu", weights_only=True)


def check_pickle(path: Path) -> None:
    """Refuse a PyTorch file that holds anything but tensors, numbers, arrays and containers.

    Raises
    ------
    UserError
        Says so.
    """
    try:
        with restricted_unpickling():
            read_pickle(path)
    except Exception as error:  # whatever a file that is no checkpoint makes PyTorch raise
        logger.debug("%s cannot be read", path, exc_info=True)
        raise UserError(
            f"{path} is no checkpoint of weights only: it is damaged, of another program, or holds code, which is "
            "never run; run `screen retrain` again, which writes safetensors."
        ) from error


@contextlib.contextmanager
def restricted_unpickling() -> Iterator[None]:
    """Make every `torch.load` inside restricted, also that of a package that asks for the opposite.

    The arrays of NumPy that checkpoints of SevenNet hold are let through; restoring one calls nothing of the file's
    choice. Import the package before: what it reads while it is imported is its own.
    """
    before = {name: os.environ.pop(name, None) for name in (_FORCE, _FORBID)}
    os.environ[_FORCE] = "1"
    try:
        with torch.serialization.safe_globals(_numpy_globals()):
            yield
    finally:
        del os.environ[_FORCE]
        os.environ.update({name: value for name, value in before.items() if value is not None})


def _numpy_globals() -> list[Any]:
    """What restores a NumPy array, under the names that NumPy 1 and 2 have written."""
    from numpy._core import multiarray

    numbers = [getattr(np.dtypes, f"{kind}DType") for kind in ("Float32", "Float64", "Int32", "Int64", "Bool")]
    restore = [
        (getattr(multiarray, name), f"numpy.{core}.multiarray.{name}")
        for core in ("core", "_core")
        for name in ("_reconstruct", "scalar")
    ]
    return [np.ndarray, np.dtype, *numbers, *restore]
