"""Every command of the README is run as it stands there, in one folder; what is run in another way says how and why.

- ``make`` would install the program and come back here: what its recipes run is run by this interpreter instead.
- Screens are run with ``--dry-run`` and computed from a smaller config: 15 candidates take a quarter of an hour.
- ``make test`` is run on one small file.
- ``source .venv/bin/activate`` puts the programs on PATH: those of this interpreter are there.
- ``screen ui`` never ends: it is asked for its page on a free port and told to stop.
"""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MG = "Mg_Li-vLi-1of12"
FILE = "tests/test_inside.py"


def commands(text: str) -> list[list[str]]:
    """Words of every line in blocks of shell commands and of every ``screen`` or ``make`` command within a sentence."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    inline = re.findall(r"`((?:screen|make) [^`]+)`", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL))
    found = [shlex.split(line, comments=True) for line in [*lines, *inline]]
    return [words for words in found if words and words != ["screen", "COMMAND", "--help"]]


COMMANDS = commands(README)


def recipe(words: list[str]) -> list[str]:
    """Words of the last command that ``make`` would run, after its environment's program."""
    told = subprocess.run(["make", "-n", *words[1:]], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    (line,) = [line for line in told.splitlines() if re.match(r"\.venv/bin/(screen|python -m pytest)\b", line)]
    return shlex.split(line.partition(";")[0])


@dataclass
class Place:
    """A folder with a finished run ``runs/mg``, in which the commands are run one after the other."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "PYTEST_"))}
        return kept | {"COATSCREEN_CACHE": str(self.folder / "cache"), "PYTHONPATH": str(ROOT)}

    def start(self, arguments: list[str]) -> subprocess.Popen[str]:
        code = "import sys; sys.argv[0] = 'screen'; from screening.cli.app import main; main()"
        return subprocess.Popen(
            [sys.executable, "-c", code, *arguments], cwd=self.folder, env=self.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def screen(self, arguments: list[str]) -> str:
        """What the command prints."""
        process = self.start(arguments)
        told, errors = process.communicate()
        assert process.returncode == 0, errors
        return told


@pytest.fixture(scope="module")
def place(tiny_run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("readme")
    shutil.copytree(tiny_run_folder, folder / "runs" / "mg")
    shutil.copy(tiny_run_folder.parent / "mlflow.db", folder)
    return Place(folder)


def page(process: subprocess.Popen[str], port: int) -> bytes:
    """What the server shows first, once it answers."""
    while process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as reply:
                return bytes(reply.read())
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise AssertionError(process.communicate())


def run_ui(place: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    process = place.start(["ui", "--port", str(port)])
    try:
        assert b"<title>MLflow</title>" in page(process, port)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate()


def run_command(words: list[str], place: Place) -> str:
    if words[0] == "make":
        words = recipe(words)
    match words:
        case [_, "-m", "pytest", *options]:
            own = [FILE, "-n", "0", "-p", "no:cacheprovider", "--basetemp", str(place.folder / "pytest")]
            command = [sys.executable, "-m", "pytest", *options, *own]
            return subprocess.run(
                command, cwd=ROOT, env=place.environment, capture_output=True, text=True, check=True
            ).stdout
        case ["source", ".venv/bin/activate"]:
            return ""
        case ["screen", "ui"]:
            run_ui(place)
            return ""
        case [_, first, *_] if first.startswith("--"):
            before = Place(place.folder / "before")  # where no run of a smaller config has the name of this one
            before.folder.mkdir(exist_ok=True)
            return before.screen([*words[1:], "--dry-run"])
        case _:
            return place.screen(words[1:])


def test_every_command_is_found() -> None:
    names = {" ".join(words[:2]) for words in COMMANDS}
    assert {"make test", "screen rank", "screen ui", "screen validate", "screen window"} <= names
    assert {words[0] for words in COMMANDS} <= {"make", "screen", "source"}
    text = "Once\n```sh\na 'b c'  # d\n```\nand `make e` or `screen f`, not `g`."
    assert commands(text) == [["a", "b c"], ["make", "e"], ["screen", "f"]]


@pytest.mark.slow
def test_every_command_does_what_the_readme_says(place: Place) -> None:
    told = {shlex.join(words): run_command(words, place) for words in COMMANDS}
    dry = [text for command, text in told.items() if "--dopants" in command]
    assert all("LiNbO3" in text for text in dry)
    (tests,) = [text for command, text in told.items() if command == "make test"]
    assert re.search(r"^\.+ +\[100%\]$", tests, flags=re.MULTILINE)
    (ranking,) = [text for command, text in told.items() if command.startswith("screen rank")]
    assert MG in ranking
    assert "What the flags mean" in ranking
    (window,) = [text for command, text in told.items() if command.startswith("screen window")]
    assert "Li6PS5Cl" in window
    assert len({path.read_bytes()[:4] for path in place.folder.glob("*.png")}) == 1
    assert [path.name for path in (place.folder / "runs" / "mg" / "validation").iterdir()]


def test_the_tests_that_ci_runs_are_those_of_the_readme() -> None:
    last = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()[-1]
    assert shlex.split(last) == ["make", "test"]
    assert ["make", "test"] in COMMANDS
