"""Commands are printed as they have to be typed here."""

import os
import shlex
import sys
from pathlib import Path

import pytest

from screening.cli.own_name import own_command
from screening.cli.stopped import last_words
from screening.process.stopping import Stopped


def program(folder: Path, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The environment's programs, in a folder below the current one; nothing is on PATH yet."""
    folder = tmp_path / "my project" / ".venv" / "bin"
    for name in ("screen", "coatscreen"):
        program(folder, name)
    monkeypatch.chdir(folder.parents[1])
    monkeypatch.setattr("sysconfig.get_path", lambda which: str(folder))
    monkeypatch.setattr(sys, "argv", [".venv/bin/screen"])
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    return folder


def test_an_active_environment_needs_the_name_alone(scripts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(scripts))
    assert own_command("rank", Path("runs/a")) == "screen rank runs/a"


def test_where_gnu_screen_owns_the_name_it_is_coatscreen(
    scripts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gnu = program(tmp_path / "usr" / "bin", "screen").parent
    monkeypatch.setenv("PATH", os.pathsep.join([str(gnu), str(scripts)]))
    assert own_command("ui") == "coatscreen ui"


def test_without_an_active_environment_it_is_a_path(
    scripts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(program(tmp_path / "usr" / "bin", "screen").parent))
    assert own_command("rank", "runs/a") == ".venv/bin/screen rank runs/a"
    monkeypatch.setattr(sys, "argv", ["/somewhere/pytest"])
    assert own_command("ui") == ".venv/bin/screen ui"
    monkeypatch.chdir(tmp_path)
    assert own_command("ui") == "'my project/.venv/bin/screen' ui"


def test_a_link_to_it_on_the_path_is_it(scripts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As pipx does it."""
    local = tmp_path / "local"
    local.mkdir()
    (local / "screen").symlink_to(scripts / "screen")
    monkeypatch.setenv("PATH", str(local))
    monkeypatch.setattr(sys, "argv", [str(local / "screen")])
    assert own_command("ui") == "screen ui"


def test_what_a_shell_would_split_is_quoted(scripts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(scripts))
    line = own_command("ingest", Path("my runs/a & b/$HOME"))
    assert shlex.split(line) == ["screen", "ingest", "my runs/a & b/$HOME"]


@pytest.mark.parametrize(
    ("arguments", "also", "line"),
    [
        (
            ["--dopants", "Mg", "--x", "1/12"],
            ("--out", "runs/2026-01-31-Mg"),
            "screen: stopped by SIGTERM; the same command continues where it was: "
            "screen --dopants Mg --x 1/12 --out runs/2026-01-31-Mg",
        ),
        (
            ["retrain", "--data", "dft data"],
            (),
            "screen: stopped by SIGTERM (no model was written); the same command starts again: "
            "screen retrain --data 'dft data'",
        ),
    ],
)
def test_last_words(
    scripts: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], also: tuple[str, ...], line: str
) -> None:
    monkeypatch.setenv("PATH", str(scripts))
    stop = Stopped(15)
    stop.also = also
    assert last_words(stop, arguments) == line
