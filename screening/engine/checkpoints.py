"""Checkpoints of systems in flight: written atomically, so that ``kill -9`` leaves the old one or the new one."""

from __future__ import annotations

import json
import logging
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from screening.files import replacing
from screening.process.trouble import stops_the_run

logger = logging.getLogger(__name__)

_META = "__meta__"


@dataclass(frozen=True)
class Checkpoint:
    """Arrays and JSON-able metadata of one system in flight, in one ``.npz`` file at `path`."""

    path: Path

    def save(self, arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> None:
        """Replace the checkpoint in one step.

        Parameters
        ----------
        arrays
            Numeric arrays of any shape; object arrays are refused, since they would need pickle to be read back.
        meta
            JSON-able metadata (step counters, time steps, the recipe key, ...).

        Raises
        ------
        ValueError
            When `arrays` holds an object array or the reserved name.
        OSError
            When it cannot be written, with the checkpoint's path. Nothing goes on without checkpoints: where they have
            no room, results have none either.
        """
        packed = {name: np.asarray(value) for name, value in arrays.items()}
        if _META in packed or any(value.dtype.hasobject for value in packed.values()):
            raise ValueError(f"a checkpoint holds numeric arrays only, none of them called {_META}")
        packed[_META] = np.frombuffer(json.dumps(dict(meta)).encode(), dtype=np.uint8)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(self.path) as file:
            np.savez(file, **packed)  # type: ignore[arg-type]

    def load(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]] | None:
        """Arrays and metadata; None when there is no checkpoint or it is damaged (which is logged).

        Raises
        ------
        OSError
            When the machine does not let it be read, which is no damage.
        """
        try:
            with np.load(self.path, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
            return arrays, json.loads(arrays.pop(_META).tobytes().decode())
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, EOFError, AttributeError, zipfile.BadZipFile) as error:
            if stops_the_run(error):
                raise
            # AttributeError: a bare .npy file where the .npz should be.
            logger.warning("damaged checkpoint %s ignored (%s); this system starts again", self.path, error)
            return None

    def delete(self) -> None:
        """Remove the checkpoint, if there is one."""
        self.path.unlink(missing_ok=True)


def checkpoint_path(folder: Path, key: str) -> Path:
    """Where the checkpoint of the task with this recipe key lies."""
    return folder / f"{key}.npz"
