"""How many atoms fit into one forward and backward pass, from the memory that earlier ones took."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch

SHARE = 0.7
"""Of the free memory, to be filled by a batch: bonds per atom differ between structures, and memory fragments."""
GROWTH = 8
"""A batch is at most this many times the largest one measured: a small structure says little about a large batch."""


class Meter(Protocol):
    """Reads a device's memory; tests put their own in its place."""

    def start(self) -> None:
        """A batch begins."""
        ...

    def peak(self) -> int:
        """Most bytes in use since `start`, beyond those in use then."""
        ...

    def free(self) -> int:
        """Bytes that could be in use in addition to those that are."""
        ...


class CudaMeter:
    """PyTorch's own count of what it allocated, and the driver's of what is left."""

    def __init__(self, device: str) -> None:
        self.device = torch.device(device)
        self._before = 0

    def start(self) -> None:
        torch.cuda.reset_peak_memory_stats(self.device)
        self._before = torch.cuda.memory_allocated(self.device)

    def peak(self) -> int:
        return torch.cuda.max_memory_allocated(self.device) - self._before

    def free(self) -> int:
        cached = torch.cuda.memory_reserved(self.device) - torch.cuda.memory_allocated(self.device)
        return int(torch.cuda.mem_get_info(self.device)[0]) + cached


@dataclass
class BatchSize:
    """Atoms of the next batch.

    Attributes
    ----------
    atoms
        At least one structure is evaluated in any case, so it starts at 1: the first batch is a measurement.
    ceiling
        Half of the smallest batch that ran out of memory; never exceeded again.
    measured
        Atoms of the largest batch so far.
    bytes_per_atom
        What it took.
    """

    meter: Meter
    atoms: int = 1
    ceiling: float = math.inf
    measured: int = 0
    bytes_per_atom: float = 0.0

    def learn(self, n_atoms: int) -> None:
        """Take in that a batch of `n_atoms` has just fitted."""
        found = self.meter.peak() / n_atoms
        # A larger batch knows better; of equal ones the hungrier counts, since it may have more bonds per atom.
        if n_atoms >= 2 * self.measured or found > self.bytes_per_atom:
            self.bytes_per_atom = found
        self.measured = max(self.measured, n_atoms)
        fitting = SHARE * self.meter.free() / max(self.bytes_per_atom, 1.0)
        self.atoms = max(1, int(min(fitting, GROWTH * self.measured, self.ceiling)))

    def shrink(self, n_atoms: int) -> None:
        """Take in that a batch of `n_atoms` did not fit."""
        self.ceiling = min(self.ceiling, n_atoms // 2)
        self.atoms = max(1, n_atoms // 2)
