"""A small real engine: ASE's EMT, for metals; a result is result.extxyz, a crash leaves started.txt."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from ase.calculators.emt import EMT
from ase.io import iread, write
from ase.optimize import BFGS

from screening.training_data.calculation import Calculation, CalculationUnreadable, Frame, Method
from screening.validation.jobs import Job
from screening.validation.protocols import CalculationFailed


@dataclass
class EmtEngine:
    """`refused` elements end in CalculationFailed, `crashing` ones in whatever EMT raises."""

    refused: str = "Pt"
    name: str = "emt"
    computed: list[str] = field(default_factory=list)

    def check(self) -> None:
        pass

    def write(self, job: Job, folder: Path) -> None:
        images = job.images or (job.atoms,)
        write(folder / "start.extxyz", list(images))
        (folder / "calculation.json").write_text(json.dumps({"relax": job.relax, "name": job.name}))

    def run(self, folder: Path) -> None:
        if self.is_finished(folder):
            return
        (folder / "started.txt").write_text("started")
        facts = json.loads((folder / "calculation.json").read_text())
        images = list(iread(folder / "start.extxyz"))
        for atoms in images:
            if self.refused in atoms.get_chemical_symbols():
                raise CalculationFailed(f"{self.refused} does not converge")
            atoms.calc = EMT()
            if facts["relax"] == "none" or len(images) > 1:
                atoms.get_forces()
            else:
                BFGS(atoms, logfile=None).run(fmax=0.02, steps=200)
        self.computed.append(facts["name"])
        write(folder / "partial.extxyz", images)
        (folder / "partial.extxyz").replace(folder / "result.extxyz")

    def is_finished(self, folder: Path) -> bool:
        return (folder / "result.extxyz").is_file()

    def read(self, folder: Path) -> list[Calculation]:
        try:
            images = list(iread(folder / "result.extxyz"))
        except Exception as error:
            raise CalculationUnreadable(f"{folder}: {error}") from error
        method = Method(engine="emt", functional="emt")
        return [
            Calculation(
                source=str(folder),
                method=method,
                frames=(Frame(atoms=atoms, energy=atoms.get_potential_energy(), forces=atoms.get_forces()),),
                electronic_converged=True,
            )
            for atoms in images
        ]
