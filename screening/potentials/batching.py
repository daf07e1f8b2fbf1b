"""What every backend shares: devices, checksums, silence at load, batches that shrink when memory runs out."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from ase import Atoms

from screening.errors import UserError
from screening.potentials.base import Evaluation
from screening.potentials.memory import BatchSize, CudaMeter

logger = logging.getLogger(__name__)


def pick_device(device: str) -> str:
    """``"cpu"`` or ``"cuda"`` for what the user asked for; ``"auto"`` takes CUDA where there is one."""
    available = torch.cuda.is_available()
    if device == "auto":
        return "cuda" if available else "cpu"
    if device.split(":")[0] not in ("cpu", "cuda"):
        raise UserError(f"unknown device {device!r}: use auto, cpu or cuda")
    if device.startswith("cuda") and not available:
        raise UserError("--device cuda was asked for, but PyTorch sees no CUDA device; use --device cpu or auto")
    return device


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Swallow what the packages print and warn about while a model loads; it goes to the debug log."""
    heard = io.StringIO()
    with warnings.catch_warnings(), contextlib.redirect_stdout(heard), contextlib.redirect_stderr(heard):
        warnings.simplefilter("ignore")
        yield
    if heard.getvalue().strip():
        logger.debug("while loading: %s", heard.getvalue().strip())


def undefined(atoms: Atoms, *, stress: bool) -> Evaluation:
    """The answer for a structure that has none: NaN everywhere, so that the engine can fail this system alone."""
    return Evaluation(
        energy=float("nan"),
        forces=np.full((len(atoms), 3), np.nan),
        stress=np.full((3, 3), np.nan) if stress else None,
    )


def is_usable(atoms: Atoms) -> bool:
    """Finite coordinates and a cell with a volume."""
    cell = np.asarray(atoms.cell)
    finite = bool(np.isfinite(atoms.positions).all() and np.isfinite(cell).all())
    return finite and len(atoms) > 0 and abs(np.linalg.det(cell)) > 1e-6


class BatchedPotential(ABC):
    """A potential that evaluates one batch at a time; subclasses say how, this class says which batches.

    On a CPU structures are evaluated one by one, because a larger batch gains nothing there. On CUDA the first batch
    is a single structure, whose memory is measured (see `memory`).
    """

    name: str
    checkpoint_sha256: str
    device: str
    corrections: str
    elements: frozenset[int]
    """Atomic numbers the model was trained on."""

    def __init__(self, *, name: str, checkpoint_sha256: str, device: str, corrections: str) -> None:
        self.name = name
        self.checkpoint_sha256 = checkpoint_sha256
        self.device = device
        self.corrections = corrections
        self.batch_atoms = 1
        self.batch_size = BatchSize(CudaMeter(device)) if device.startswith("cuda") else None

    @abstractmethod
    def graph(self, structures: Sequence[Atoms]) -> Any:
        """Neighbour lists of all structures as one graph on the device."""

    @abstractmethod
    def infer(self, graph: Any) -> Any:
        """One forward and one backward pass; whatever the model gives, on the host."""

    @abstractmethod
    def unpack(self, structures: Sequence[Atoms], graph: Any, found: Any, *, stress: bool) -> list[Evaluation]:
        """Each structure's part of what `infer` found."""

    def evaluate(self, structures: Sequence[Atoms], *, stress: bool = False) -> list[Evaluation]:
        """Energies (eV), forces (eV/A) and stresses (eV/A^3), in order.

        A structure with NaN coordinates, without a volume, or with an element the model does not know gets NaNs (the
        reason is logged); the others are evaluated all the same.
        """
        results: list[Evaluation | None] = [None] * len(structures)
        todo: list[int] = []
        for index, atoms in enumerate(structures):
            if self._accepts(atoms):
                todo.append(index)
            else:
                results[index] = undefined(atoms, stress=stress)
        while todo:
            batch = self._next_batch(structures, todo)
            found = self._try_batch([structures[index] for index in batch], stress=stress)
            if found is None:
                # Out here the exception no longer holds the tensors of the failed pass.
                torch.cuda.empty_cache()
                continue
            for index, result in zip(batch, found, strict=True):
                results[index] = result
            todo = todo[len(batch) :]
        return [result for result in results if result is not None]

    def _try_batch(self, structures: list[Atoms], *, stress: bool) -> list[Evaluation] | None:
        """Evaluate a batch and choose the size of the next one; None when there was not enough memory."""
        n_atoms = sum(len(atoms) for atoms in structures)
        try:
            if self.batch_size is None:
                return self._evaluate_batch(structures, stress=stress)
            self.batch_size.meter.start()
            found = self._evaluate_batch(structures, stress=stress)
        except torch.cuda.OutOfMemoryError:
            if len(structures) == 1:
                raise
            self.batch_atoms = max(1, n_atoms // 2)
            if self.batch_size is not None:
                self.batch_size.shrink(n_atoms)
            logger.info("%s: out of GPU memory, batches of at most %d atoms from now on", self.name, self.batch_atoms)
            return None
        self.batch_size.learn(n_atoms)
        self.batch_atoms = self.batch_size.atoms
        return found

    def _evaluate_batch(self, structures: Sequence[Atoms], *, stress: bool) -> list[Evaluation]:
        graph = self.graph(structures)
        return self.unpack(structures, graph, self.infer(graph), stress=stress)

    def _accepts(self, atoms: Atoms) -> bool:
        unknown = set(atoms.numbers.tolist()) - self.elements
        if unknown:
            logger.warning("%s does not know the elements %s", self.name, sorted(unknown))
        return not unknown and is_usable(atoms)

    def _next_batch(self, structures: Sequence[Atoms], todo: Sequence[int]) -> list[int]:
        """At least one structure, then as many as `batch_atoms` allows."""
        batch: list[int] = []
        n_atoms = 0
        for index in todo:
            if batch and n_atoms + len(structures[index]) > self.batch_atoms:
                break
            batch.append(index)
            n_atoms += len(structures[index])
        return batch
