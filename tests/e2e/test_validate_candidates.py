"""`screen validate` writes the jobs of every kind of candidate, and each dopant is where the potential had it.

A whole screen with a toy potential in place of CHGNet: vacancies, interstitials, oxygen vacancies, none of them, one
element on both sites, two elements together, and the antisites of a congruent host.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.geometry import get_distances
from pymatgen.io.vasp.inputs import Incar, Poscar
from toy_inputs import write_inputs

from screening.campaign.load import StoredRun, load_run
from screening.campaign.ranking.sources import latest
from screening.campaign.validate import choose, plan_validation, potential_records
from screening.chemistry.candidate import Candidate
from screening.chemistry.index_lists import INDEX_LISTS, marks
from screening.engine.running.store import RecordStore
from screening.validation.jobs import read_manifest
from screening.validation.plan.bulk import bulk_jobs
from screening.validation.plan.screened import ScreenedRun
from screening.validation.programs import load_validation_settings
from screening.validation.vasp.settings import VaspSettings

TOYS = Path(__file__).parents[1] / "toys"
HOST = "LiNbO3"
CO = "LiNbO3-congruent-Co_Li-vLi-1of12"
KINDS = {
    "vLi": "Mg_Li-vLi-1of12",
    "iLi": "Mg_Nb-iLi-1of12",
    "iso": "Ta_Nb-iso-1of12",
    "self": "Mg3_Li+Mg1_Nb-self-4of12",
    "vO": "Mg_Nb-vO-4of12",
    "co-doped": "Mg2_Li+Ta1_Nb-vLi-3of12",
}
ROLES = {"bulk", "delithiated", "coating", "interface-y1", "interface-y0.333", "substrate-y1", "substrate-y0.333"}


def screen(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(TOYS), str(TOYS.parents[1])]),
        "OMP_NUM_THREADS": "1",
        "COATSCREEN_CACHE": str(folder / "cache"),
        "COLUMNS": "200",
    }
    command = [sys.executable, str(TOYS / "toy_screen.py"), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment, check=False)


@dataclass(frozen=True)
class Validated:
    """A run, what it sends to DFT, and the folder with the written jobs."""

    run: StoredRun
    atoms: dict[str, Atoms]
    folder: Path

    def candidate(self, name: str) -> Candidate:
        return next(c for c in self.run.candidates if c.name == name)

    def jobs_of(self, name: str) -> dict[str, Atoms]:
        return {job.removeprefix(f"{name}/"): a for job, a in self.atoms.items() if job.startswith(f"{name}/")}


def validated(folder: Path, out: str, names: list[str], arguments: list[str]) -> Validated:
    toy = ["--potential", "ase:toy_calculator:soft_spheres", "--phases", "phases.json"]
    done = screen(
        [*arguments, *toy, "--config", "tiny.yaml", "--out", out, "--workers", "1", "--device", "cpu"], folder
    )
    assert done.returncode == 0, done.stderr[-2000:]
    written = screen(["validate", out, "--candidates", ",".join(names), "--engine", "vasp"], folder)
    assert written.returncode == 0, written.stderr[-2000:]
    assert "not planned" not in written.stdout
    assert "Traceback" not in written.stderr
    run = load_run(folder / out)
    settings = load_validation_settings("kim2026")
    plan = plan_validation(run, settings, choose(run, names=names), only={"bulk", "vacancy", "coating", "interface",
                                                                          "substrate", "end", "band"})  # fmt: skip
    assert plan.missing == []
    return Validated(run, {job.name: job.atoms for job in plan.jobs}, folder / out / "validation" / "kim2026")


@pytest.fixture(scope="module")
def doped(tmp_path_factory: pytest.TempPathFactory) -> Validated:
    folder = tmp_path_factory.mktemp("kinds")
    write_inputs(folder)
    return validated(folder, "run", list(KINDS.values()), ["--dopants", "Mg,Ta,Mg:Ta=2:1", "--x", "1/12,3/12,4/12"])


@pytest.fixture(scope="module")
def congruent(tmp_path_factory: pytest.TempPathFactory) -> Validated:
    """Co, which has a moment and a U, beside the antisites of the host; the cathode holds Co as well."""
    folder = tmp_path_factory.mktemp("congruent")
    write_inputs(folder)
    return validated(
        folder, "run", [CO], ["--dopants", "Co", "--x", "1/12", "--site", "Li", "--host", "LiNbO3:congruent"]
    )


def coating_of(atoms: Atoms) -> np.ndarray:
    """(N,) whether each atom belongs to the coating."""
    return np.asarray(atoms.arrays.get("region", np.ones(len(atoms), dtype=int)) == 1)


def check_marks(found: Validated, name: str) -> None:
    """Every list of every job of a candidate names the atoms that the candidate puts there, and no other."""
    defects, dopants = found.candidate(name).defects, found.candidate(name).dopants
    elements = {s.element for s in dopants}
    jobs = found.jobs_of(name)
    assert {job for job in jobs if "hop-" not in job} == ROLES
    assert any("hop-" in job for job in jobs)
    for job, atoms in jobs.items():
        if job.startswith("substrate"):
            assert not any(marks(atoms, key) for key in INDEX_LISTS)
            continue
        theirs = np.isin(atoms.get_chemical_symbols(), sorted(elements)) & coating_of(atoms)
        assert sorted(marks(atoms, "dopant_indices")) == np.flatnonzero(theirs).tolist(), job
        inserted = marks(atoms, "interstitial_indices")
        assert {atoms.symbols[i] for i in inserted} <= {"Li"}
        if dopants:  # a cell of another size has as many for each dopant
            expected = defects.li_interstitials * int(theirs.sum()) // sum(s.count for s in dopants)
            assert len(inserted) in ({expected, expected - 1} if job == "delithiated" and expected else {expected}), job


def check_delithiated(found: Validated, name: str) -> None:
    """One Li less than the bulk; what is marked there is marked here, at the same place."""
    bulk, left = found.jobs_of(name)["bulk"], found.jobs_of(name)["delithiated"]
    assert len(left) == len(bulk) - 1
    for key in INDEX_LISTS:
        before, after = marks(bulk, key), marks(left, key)
        assert len(before) - len(after) in ((0, 1) if key == "interstitial_indices" else (0,))
        for i in after:
            distances = get_distances(left.positions[[i]], bulk.positions[before], cell=bulk.cell, pbc=True)[1][0]
            assert distances.min() < 0.3
            assert bulk.symbols[before[int(distances.argmin())]] == left.symbols[i]


def check_files(found: Validated, name: str) -> None:
    """POSCAR, moments and U of every written job are those of the atoms that are marked."""
    settings = load_validation_settings("kim2026")
    assert isinstance(settings, VaspSettings)
    rows = {job["name"]: job for job in read_manifest(found.folder).jobs}
    for job, atoms in found.jobs_of(name).items():
        folder, row = found.folder / name / job, rows[f"{name}/{job}"]
        structure = Poscar.from_file(next(f for f in (folder / "POSCAR", folder / "00" / "POSCAR") if f.is_file()))
        incar = Incar.from_file(folder / "INCAR")
        symbols = [site.specie.symbol for site in structure.structure]
        assert symbols == atoms.get_chemical_symbols()
        assert row["n_atoms"] == len(symbols)
        assert row["formula"] == atoms.get_chemical_formula()
        table, blocks = settings.moments.value, structure.site_symbols
        hubbard = dict(zip(blocks, incar.get("LDAUU", [0.0] * len(blocks)), strict=True))
        for i in marks(atoms, "dopant_indices"):
            assert symbols[i] in {s.element for s in found.candidate(name).dopants}
            np.testing.assert_allclose(structure.structure[i].coords, atoms.positions[i], atol=1e-6)
            assert incar["MAGMOM"][i] == table.get(symbols[i], settings.moments.default)
            assert hubbard[symbols[i]] == settings.hubbard.value.get(symbols[i], 0.0)
        assert (folder / "POTCAR.spec").read_text().split() == [settings.label(s) for s in blocks]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_candidate_goes_to_vasp(doped: Validated, kind: str) -> None:
    for check in (check_marks, check_delithiated, check_files):
        check(doped, KINDS[kind])


@pytest.mark.slow
def test_the_host_goes_to_vasp_with_nothing_marked(doped: Validated) -> None:
    check_marks(doped, HOST)
    check_files(doped, HOST)


@pytest.mark.slow
def test_antisites_of_a_congruent_host_and_a_dopant_of_the_cathodes_elements(congruent: Validated) -> None:
    for name in [c.name for c in congruent.run.candidates]:
        check_marks(congruent, name)
        check_delithiated(congruent, name)
        check_files(congruent, name)
        for job, atoms in congruent.jobs_of(name).items():
            if not job.startswith("substrate"):
                antisites = marks(atoms, "antisite_indices")
                assert [atoms.symbols[i] for i in antisites] == ["Nb"]
                assert atoms.arrays["oxidation_state"][antisites].tolist() == [5]


@pytest.mark.slow
def test_a_store_from_before_lists_moved_with_atoms(doped: Validated, tmp_path: Path) -> None:
    """Its delithiated cells have the lists of their bulk: too far by one, or beyond the last atom."""
    run = doped.run
    store = RecordStore(run.folder / "store.db")
    names = list(KINDS.values())

    class Old:
        """The store as an early version left it."""

        def get(self, key: str) -> Any:
            found = store.get(key)
            for record in run.records:
                if record.property == "delithiation_voltage" and record.structure["delithiated"] == (key,):
                    bulk = store.get(*record.structure["bulk"])
                    assert found is not None
                    assert bulk is not None
                    found.atoms.info = {**found.atoms.info, **{k: marks(bulk.atoms, k) for k in INDEX_LISTS}}
            return found

    screen_ = ScreenedRun(
        candidates=names, records=latest(potential_records(run)), store=Old(), labels={}, n_fu=run.settings.bulk.n_fu
    )
    stale = 0
    for name in names:
        jobs = {job.name.split("/")[1]: job.atoms for job in bulk_jobs(screen_, name).jobs}
        fresh = doped.jobs_of(name)["delithiated"]
        assert {k: marks(jobs["delithiated"], k) for k in INDEX_LISTS} == {k: marks(fresh, k) for k in INDEX_LISTS}
        stale += marks(jobs["delithiated"], "dopant_indices") != marks(jobs["bulk"], "dopant_indices")
    assert stale, "no Li was taken out before a dopant: the test shows nothing"
