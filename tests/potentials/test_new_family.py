"""A family of potentials is added by one file and one line: a copy of the program with a toy family is used as it is.

The copy is a copy because tables are derived when they are imported; nothing in it is changed but those two.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from toy_inputs import write_inputs

import screening
from screening.engine.running.store import RecordStore
from screening.potentials.families.table import MODULES

TOY = "toy-spheres"
PACKAGE = Path(screening.__file__).parent
TESTS = Path(__file__).parents[1]
MG = ["run", "--dopants", "Mg", "--x", "1/12", "--phases", "phases.json", "--config", "tiny.yaml", "--workers", "1"]


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    """Folder with the extended program, what it ships, and the conformance test."""
    root = tmp_path_factory.mktemp("copy")
    shutil.copytree(PACKAGE, root / "screening", ignore=shutil.ignore_patterns("__pycache__"))
    for shipped in ("configs", "datasets", "models"):  # an installed package holds its own
        if (PACKAGE.parent / shipped).is_dir():
            (root / shipped).symlink_to(PACKAGE.parent / shipped)
    families = root / "screening" / "potentials" / "families"
    shutil.copyfile(TESTS / "toys" / "toy_family.py", families / "toy.py")
    table = (families / "table.py").read_text()
    assert table.count('    "ase",\n') == 1
    (families / "table.py").write_text(table.replace('    "ase",\n', '    "ase",\n    "toy",\n'))
    (root / "tests" / "potentials").mkdir(parents=True)
    shutil.copytree(TESTS / "toys", root / "tests" / "toys", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(TESTS / "conftest.py", root / "tests" / "conftest.py")
    shutil.copyfile(TESTS / "potentials" / "test_conformance.py", root / "tests" / "potentials" / "test_conformance.py")
    write_inputs(root)
    return root


def test_every_file_of_a_family_has_its_line() -> None:
    """A file without one is in no list and no test: nobody would ever learn of it."""
    files = [path.stem for path in (PACKAGE / "potentials" / "families").glob("*.py")]
    assert sorted(files) == sorted([*MODULES, "__init__", "family", "table"])


def python(arguments: list[str], root: Path) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(root), str(root / "tests" / "toys")]),
        "OMP_NUM_THREADS": "1",
        "COATSCREEN_CACHE": str(root / "cache"),
        "COLUMNS": "200",
    }
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, env=environment, check=False)


def screen(arguments: list[str], root: Path) -> subprocess.CompletedProcess[str]:
    return python([str(root / "tests" / "toys" / "toy_screen.py"), *arguments], root)


def test_help_lists_it(copy):
    """After the built-in potentials that were there before."""
    assert f"sevennet-mf-0:PBE, {TOY}, matgl:NAME" in screen(["run", "--help"], copy).stdout


def test_a_refusal_lists_it(copy):
    done = screen([*MG, "--potential", "qqq", "--dry-run"], copy)
    assert done.returncode == 2
    assert f"sevennet-mf-0:R2SCAN, {TOY})" in done.stderr
    other_scale = screen([*MG, "--potential", "chgnet-r2scan", "--dry-run"], copy)
    assert "use chgnet or a SevenNet model or a toy, or leave the option out" in other_scale.stderr


def test_a_dry_run_knows_what_it_costs(copy):
    done = screen([*MG, "--potential", TOY, "--dry-run"], copy)
    assert done.returncode == 0, done.stderr[-2000:]
    assert f"({TOY} measured on one idle CPU core" in done.stdout


def test_it_is_loaded_and_conforms(copy):
    """Its cases of the conformance test are there without a word about it in that file."""
    done = python(
        ["-m", "pytest", "-v", "-p", "no:cacheprovider", "--rootdir", str(copy), "-o", "pythonpath=. tests/toys", "-k",
         "toy or family", f"--basetemp={copy / 'basetemp'}", "tests/potentials/test_conformance.py"], copy
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]
    for what in ("forces_are_derivatives_of_the_energy", "energy_is_extensive"):
        assert f"test_{what}[{TOY}] PASSED" in done.stdout


def test_the_records_of_a_screen_name_it(copy):
    done = screen([*MG, "--potential", TOY, "--out", "run", "--device", "cpu"], copy)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads((copy / "run" / "ranking.json").read_text())["settings"]["potential"] == TOY
    records = RecordStore.for_reading(copy / "run" / "store.db").records()
    assert {record.property for record in records} >= {"work_of_adhesion", "migration_barrier"}
    assert {(record.potential, record.fidelity) for record in records} == {(TOY, f"mlip:{TOY}")}
