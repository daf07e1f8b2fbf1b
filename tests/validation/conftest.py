"""The tiny run as it is loaded, and real runs of tiny cells with vpmdk as the VASP command; made once per session."""

import shutil
from pathlib import Path

import pytest
from pymatgen.io.vasp.inputs import Poscar
from shared import once
from vasp_runs import VPMDK, PaperLike, nickel_oxide, write_inputs

from screening.campaign.load import StoredRun, load_run
from screening.validation.vasp import custodian as custodian_run
from screening.validation.vasp.engine import run_vasp_job


@pytest.fixture
def tiny_run(tiny_run_folder: Path) -> StoredRun:
    return load_run(tiny_run_folder)


@pytest.fixture(scope="session", autouse=True)
def _one_thread_and_quick_polls():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(custodian_run, "POLL_SECONDS", 0.2)
        patch.setenv("OMP_NUM_THREADS", "1")
        yield


@pytest.fixture(scope="session")
def nio_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A relaxed NiO cell; tests copy it before they change anything."""

    def make(place: Path) -> None:
        run_vasp_job(write_inputs(place / "nio", nickel_oxide()), VPMDK)

    return once(tmp_path_factory, "vpmdk-nio", make) / "nio"


@pytest.fixture(scope="session")
def static_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A single point of another geometry."""

    def make(place: Path) -> None:
        run_vasp_job(write_inputs(place / "static", nickel_oxide(seed=1), NSW=0, IBRION=-1), VPMDK)

    return once(tmp_path_factory, "vpmdk-static", make) / "static"


@pytest.fixture(scope="session")
def band_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A band of three images: the O atom of NiO, displaced along x."""

    def make(place: Path) -> None:
        folder = place / "band"
        write_inputs(folder, nickel_oxide(), IMAGES=1, SPRING=-5, LCLIMB=True, NSW=3, EDIFFG=-5.0)
        (folder / "POSCAR").unlink()
        for number, amplitude in enumerate((-0.15, 0.02, 0.15)):
            (folder / f"{number:02d}").mkdir()
            Poscar(nickel_oxide(amplitude=amplitude)).write_file(folder / f"{number:02d}" / "POSCAR")
        run_vasp_job(folder, VPMDK)

    return once(tmp_path_factory, "vpmdk-band", make) / "band"


@pytest.fixture
def copy_of(tmp_path):
    """Copy a session's run below `tmp_path` under a name."""

    def copy(source: Path, name: str) -> Path:
        return Path(shutil.copytree(source, tmp_path / "runs" / name))

    return copy


@pytest.fixture
def paper(monkeypatch) -> PaperLike:
    """`PaperLike` as the only known settings, ``paper``."""
    settings = PaperLike()

    def load(name):
        assert name == "paper"
        return settings

    for module in ("ingest", "check"):
        monkeypatch.setattr(f"screening.validation.ingest.{module}.load_validation_settings", load)
    monkeypatch.setattr("screening.validation.ingest.check.available_settings", lambda: {"paper": Path("paper.yaml")})
    return settings
