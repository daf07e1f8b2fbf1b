"""What the side-by-side benchmarks share: one potential behind both sides, the machine, tables and JSON."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from ase import Atoms
from ase.calculators.calculator import all_changes

from screening.files import write_text
from screening.potentials.ase_calculator import PotentialCalculator
from screening.potentials.base import Evaluation, Potential


class CountingPotential:
    """A potential that counts the structures it evaluates and the seconds it takes."""

    batch_atoms: int  # unset, so that the engine keeps as many in flight for every potential

    def __init__(self, potential: Potential) -> None:
        self.potential = potential
        self.name = potential.name
        self.checkpoint_sha256 = potential.checkpoint_sha256
        self.device = potential.device
        self.corrections = potential.corrections
        self.n_calls = 0
        self.seconds = 0.0

    def evaluate(self, structures: Sequence[Atoms], *, stress: bool = False) -> list[Evaluation]:
        started = time.perf_counter()
        found = self.potential.evaluate(structures, stress=stress)
        self.seconds += time.perf_counter() - started
        self.n_calls += len(structures)
        return found


class CountingCalculator(PotentialCalculator):
    """Our potential as an ASE calculator, so that a force call costs the same on both sides.

    ASE asks for forces and stress one after the other; with `stress` both come from one evaluation, as they do in our
    engine, so that a full-cell relaxation by ASE is not charged twice.
    """

    def __init__(self, potential: Potential, *, stress: bool = False) -> None:
        self.counter = CountingPotential(potential)
        super().__init__(self.counter)
        self.stress = stress

    @property
    def n_calls(self) -> int:
        return self.counter.n_calls

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        wanted = {*properties, "energy", "forces", *(["stress"] if self.stress else [])}
        super().calculate(atoms, sorted(wanted), system_changes)

    def evaluation(self) -> Evaluation:
        """What the last call gave."""
        stress = self.results.get("stress")
        full = None if stress is None else stress[[[0, 5, 4], [5, 1, 3], [4, 3, 2]]]
        return Evaluation(energy=self.results["energy"], forces=self.results["forces"], stress=full)


def cpu_model() -> str:
    """Name of the processor as the operating system gives it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def machine(potential: str, device: str = "cpu") -> dict[str, Any]:
    """The machine and the versions that a table was made with."""
    packages = ("ase", "chgnet", "sevenn", "torch-sim-atomistic")
    return {
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name() if device.startswith("cuda") else device,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "potential": potential,
        "packages": {name: found for name in packages if (found := installed(name)) is not None},
    }


def installed(name: str) -> str | None:
    """Version of a package, None where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Replace a document, so that a run that is killed leaves the rows of its last whole document."""
    write_text(path, json.dumps(document, indent=1) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """A document written before; empty where there is none."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def table(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str], formats: Mapping[str, str]) -> str:
    """A Markdown table.

    Parameters
    ----------
    columns
        Key in a row and head of its column.
    formats
        Format of a key's numbers, ``"g"`` where it is missing; None and missing values are empty.
    """

    def cell(row: Mapping[str, Any], key: str) -> str:
        value = row.get(key)
        if value is None:
            return ""
        return str(value) if isinstance(value, str | bool) else format(value, formats.get(key, "g"))

    lines = ["| " + " | ".join(columns.values()) + " |", "|---" * len(columns) + "|"]
    lines += ["| " + " | ".join(cell(row, key) for key in columns) + " |" for row in rows]
    return "\n".join(lines)
