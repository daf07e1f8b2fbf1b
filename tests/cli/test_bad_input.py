"""Bad input is one sentence on stderr, exit code 2, and nothing on disk."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from screening.campaign.prepare import prepare
from screening.cli.app import main


def screen(arguments: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    code = "import sys; sys.argv[0] = 'screen'; from screening.cli.app import main; main()"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=cwd, capture_output=True, text=True, env=environment, check=False
    )


CASES = {
    "unknown element": (["--dopants", "Mq"], "Mq"),
    "anion": (["--dopants", "F"], "F"),
    "negative x": (["--dopants", "Mg", "--x", "-0.1"], "negative"),
    "x above one": (["--dopants", "Mg", "--x", "1.5"], "above 1"),
    "x no number": (["--dopants", "Mg", "--x", "lots"], "not a number"),
    "backwards": (["--dopants", "Mg", "--x", "0.25-0"], "backwards"),
    "y outside": (["--dopants", "Mg", "--soc", "1,1.2"], "1.2"),
    "y no number": (["--dopants", "Mg", "--soc", "full"], "full"),
    "decimal comma": (["--dopants", "Mg", "--x", "0,1"], "write 0.1"),
    "decimal comma in y": (["--dopants", "Mg", "--soc", "0,5"], "write 0.5"),
    "host only": (["--dopants", "Mg", "--x", "0.001"], "the smallest is 1/12"),
    "no place for it": (["--dopants", "Cs"], "radius differs"),
    "potential does not know it": (["--dopants", "Cf"], "chgnet was not trained on Cf"),
    "seed": (["--dopants", "Mg", "--seed", "-1"], "--seed"),
    "ten thousand workers": (["--dopants", "Mg", "--workers", "10000"], "--workers 10000"),
    "out below a file": (["--dopants", "Mg", "--out", sys.executable + "/run"], "is a file"),
    "dopants twice": (["--dopants", "Mg", "--dopants", "Zr"], "--dopants is given 2 times"),
    "preset": (["--dopants", "Mg", "--preset", "quik"], "quick"),
    "potential": (["--dopants", "Mg", "--potential", "chgnt"], "chgnet"),
    "cathode": (["--dopants", "Mg", "--cathode", "NCM812"], "NCM811"),
    "host": (["--dopants", "Mg", "--host", "LiNbO4"], "LiNbO3"),
    "variant": (["--dopants", "Mg", "--host", "LiNbO3:black"], "congruent"),
    "site": (["--dopants", "Mg", "--site", "K"], "site"),
    "phases missing": (["--dopants", "Mg", "--phases", "none.json"], "none.json"),
    "config missing": (["--dopants", "Mg", "--config", "none.yaml"], "none.yaml"),
}


AS_PROCESSES = ("unknown element", "potential does not know it")
"""One that is refused at once and one that is refused after torch was imported: nothing else is said on stderr."""


def check(case: str, code: object, errors: str, folder: Path) -> None:
    assert code == 2, errors
    message = errors.strip()
    assert CASES[case][1] in message
    assert len(message.splitlines()) == 1
    assert "Traceback" not in message
    assert not list(folder.iterdir())


@pytest.mark.parametrize("case", CASES, ids=list(CASES))
@pytest.mark.usefixtures("own_logging")
def test_one_sentence_exit_two_nothing_written(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """In this process: each of its own would import torch again, two seconds for every sentence."""
    monkeypatch.setattr(sys, "argv", ["screen", *CASES[case][0], "--dry-run"])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        main()
    check(case, end.value.code, capfd.readouterr().err, tmp_path)


@pytest.mark.parametrize("case", AS_PROCESSES)
def test_a_process_says_nothing_else(case: str, tmp_path: Path) -> None:
    done = screen([*CASES[case][0], "--dry-run"], tmp_path)
    check(case, done.returncode, done.stderr, tmp_path)


def test_unknown_config_key_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("cathod: NCM811\n")
    done = screen(["--dopants", "Mg", "--config", "c.yaml"], tmp_path)
    assert done.returncode == 2
    assert "'cathode'" in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["c.yaml"]


def test_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("precious")
    done = screen(["--dopants", "Mg", "--out", "mine"], tmp_path)
    assert done.returncode == 2
    assert "--out" in done.stderr
    assert (tmp_path / "mine" / "thesis.tex").read_text() == "precious"


def test_folder_of_another_campaign_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "summary.yaml").write_text("fingerprint: 0123\ndopants: Ta\n")
    done = screen(["--dopants", "Mg", "--out", "run"], tmp_path)
    assert done.returncode == 2
    assert "different campaign" in done.stderr
    assert (folder / "summary.yaml").read_text() == "fingerprint: 0123\ndopants: Ta\n"


def test_a_file_that_is_no_yaml_is_refused(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("a: b: c\n")
    done = screen(["--dopants", "Mg", "--config", "c.yaml"], tmp_path)
    assert done.returncode == 2
    assert "c.yaml is not a YAML file at line 1" in done.stderr


def test_a_corrupt_store_is_named_and_left_alone(tmp_path: Path) -> None:
    """The folder of the same campaign with a damaged store: nothing is deleted, and the message says what to do."""
    options: dict[str, Any] = {
        "dopants": "Mg",
        "x": "1/12",
        "preset": "quick",
        "config": None,
        "device": "cpu",
        "overrides": {},
    }
    campaign = prepare(**options, out=tmp_path / "run", workers=1)
    campaign.out.mkdir()
    summary = f"fingerprint: {campaign.fingerprint}\n"
    (campaign.out / "summary.yaml").write_text(summary)
    garbage = b"this is no database" * 100
    (campaign.out / "store.db").write_bytes(garbage)
    done = screen(["--dopants", "Mg", "--x", "1/12", "--preset", "quick", "--out", "run", "--device", "cpu"], tmp_path)
    assert done.returncode == 2, done.stderr
    assert "store.db" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert (campaign.out / "store.db").read_bytes() == garbage
    assert (campaign.out / "summary.yaml").read_text() == summary


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_cuda_without_cuda(tmp_path: Path) -> None:
    done = screen(["--dopants", "Mg", "--device", "cuda"], tmp_path)
    assert done.returncode == 2
    assert "cpu" in done.stderr
    assert not list(tmp_path.iterdir())


def test_first_dash_means_run_and_help_is_shown(tmp_path: Path) -> None:
    done = screen(["--help"], tmp_path)
    assert done.returncode == 0
    assert "rank" in done.stdout
    done = screen(["--dopants", "Mg", "--help"], tmp_path)
    assert done.returncode == 0
    assert "--x" in done.stdout
