"""Whatever write of whatever command fails, for whatever reason: one sentence that names a path, no traceback.

An audit hook sees every file that is opened for writing, made, renamed or removed, and every database that is opened,
whoever does it, and lets the k-th of them and all later ones fail, as a full disk does.
"""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.io import write

from screening.campaign.summary import write_summary
from screening.chemistry.candidate import Candidate, Defects, Substitution
from screening.cli.app import main
from screening.config import Settings
from screening.engine.running.records import Record
from screening.engine.running.store import RecordStore
from screening.validation.jobs import Job
from screening.validation.plan.screened import Plan

ERRORS = (errno.EACCES, errno.ENOSPC, errno.EROFS, errno.ENOLCK)
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


@dataclass
class Disk:
    """Below `root` the write number `fails_at`, and all that follow, end with `number`."""

    root: Path | None = None
    number: int = 0
    fails_at: int = 1
    refused: list[str] = field(default_factory=list)
    seen: int = 0

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.root is None or not (path := _written(event, arguments)):
            return
        if not Path(path).absolute().is_relative_to(self.root):
            return
        self.seen += 1
        if self.seen >= self.fails_at:
            self.refused.append(path)
            raise OSError(self.number, os.strerror(self.number), path)


def _written(event: str, arguments: tuple[object, ...]) -> str | None:
    """The path that an event of the interpreter is about to change."""
    if event == "open":
        path, _, flags = arguments
        wanted = isinstance(path, str | bytes | os.PathLike) and int(flags) & WRITING  # type: ignore[call-overload]
    else:
        path = arguments[0] if arguments else None
        wanted = event in ("os.mkdir", "os.rename", "os.link", "sqlite3.connect") and isinstance(
            path, str | bytes | os.PathLike
        )
    return os.fsdecode(path) if wanted else None  # type: ignore[arg-type]


DISK = Disk()
sys.addaudithook(DISK)


@pytest.fixture
def disk(tmp_path) -> Iterator[Callable[..., Disk]]:
    def break_it(number: int, fails_at: int) -> Disk:
        DISK.root, DISK.number, DISK.fails_at, DISK.seen = tmp_path, number, fails_at, 0
        DISK.refused.clear()
        return DISK

    yield break_it
    DISK.root = None


def make_run(folder: Path) -> None:
    """A finished run with one doped candidate."""
    folder.mkdir()
    magnesium = Defects(substitutions=(Substitution(element="Mg", charge=2, site="Li", count=1),), li_vacancies=1)
    candidates = [
        Candidate(host="LiNbO3", n_fu=12),
        Candidate(host="LiNbO3", n_fu=12, defects=magnesium, compensation="li_vacancy", x_requested=1 / 12),
    ]
    store = RecordStore(folder / "store.db")
    units = {"work_of_adhesion": "J/m2", "migration_barrier": "eV", "oxidation_driving_force": "eV/atom"}
    for candidate in candidates:
        for name, unit in {**units, "e_above_hull": "eV/atom"}.items():
            details = {"y": 1.0} if name == "work_of_adhesion" else {}
            store.put_record(
                Record(candidate=candidate.name, property=name, value=0.1, unit=unit, fidelity="mlip:chgnet",
                       converged=True, potential="chgnet", checkpoint_sha256="0" * 64, details=details)
            )  # fmt: skip
    settings = Settings(adhesion={"soc": [1.0]})
    write_summary(folder / "summary.yaml", status="finished", settings=settings, candidates=candidates)


class Copper:
    """Stands in for GPAW, which is not installed everywhere."""

    name = "emt"

    def check(self) -> None: ...

    def is_finished(self, folder: Path) -> bool:
        return False

    def write(self, job: Job, folder: Path) -> None:
        write(folder / "start.extxyz", job.atoms)

    def run(self, folder: Path) -> None: ...


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """A folder with something for every command to work on."""
    make_run(tmp_path / "first")
    copper = bulk("Cu")
    copper.calc = EMT()
    copper.get_forces()
    copper.info |= {"fidelity": "dft:x-pbe:kim2026", "calculation": "a", "source": "a", "charge": 0.0}
    (tmp_path / "data").mkdir()
    write(tmp_path / "data" / "training.extxyz", copper, format="extxyz")
    write(tmp_path / "copper.cif", bulk("Cu"))
    (tmp_path / "mlflow.db").touch()
    job = Job(name="LiNbO3/bulk", candidate="LiNbO3", role="bulk", atoms=bulk("MgO", "rocksalt", a=4.2))
    softening = SimpleNamespace(to_card=dict)
    monkeypatch.setattr("screening.campaign.validate.plan_validation", lambda *_, **__: Plan(jobs=[job], missing=[]))
    monkeypatch.setattr("screening.retraining.softening.fit_softening", lambda *_, **__: softening)
    monkeypatch.setattr("screening.validation.programs.make_engine", lambda *_, **__: Copper())
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


COMMANDS: dict[str, tuple[str, int]] = {
    "run": ("run --dopants Mg --x 1/12 --preset quick --out out --workers 1 --device cpu", 4),
    "rank": ("rank first --write", 5),
    "validate": ("validate first", 6),
    "ingest": ("ingest data/training.extxyz --data more --settings kim2026 --allow-simulated", 3),
    "retrain": ("retrain --data data --run first --allow-simulated --name soft", 3),
    "label": ("label copper.cif --out labelled", 3),
    "window json": ("window LiNbO3 --json window.json", 2),
    "window plot": ("window LiNbO3 --plot", 1),
    "phases build": ("phases build --out energies.json --work work --device cpu --workers 1", 2),
    "ui": ("ui --port 5999", 1),
}
"""Arguments, and how many of its first writes are tried in turn."""

pytestmark = pytest.mark.usefixtures("own_logging")

PLACES = ("out", "first", "more", "models", "labelled", r"window[\w-]*\.(json|png)", r"energies\.json", "work")

CASES = [(name, k) for name, (_, n) in COMMANDS.items() for k in range(1, n + 1)]


@pytest.mark.parametrize("number", ERRORS, ids=errno.errorcode.get)
@pytest.mark.parametrize(("name", "k"), CASES)
def test_one_sentence_that_names_a_path(place, disk, monkeypatch, capfd, name, k, number):
    monkeypatch.setattr(sys, "argv", ["screen", *COMMANDS[name][0].split()])
    broken = disk(number, k)
    with pytest.raises(SystemExit) as end:
        main()
    broken.root = None
    out, err = capfd.readouterr()
    assert broken.refused, "the command wrote less often than this test supposes"
    assert end.value.code not in (0, None)
    assert "Traceback" not in out + err
    sentences = [line for line in err.splitlines() if line.startswith("screen: ")]
    assert len(sentences) == 1, err
    assert re.search(rf"{place}|\b({'|'.join(PLACES)})\b", sentences[0]), sentences[0]
    assert os.strerror(number) in sentences[0]
