"""Ctrl-C in the first moments and in the last ones: a sentence, and never a traceback or half a library."""

import subprocess
import sys

import pytest

INTERRUPTED = """
import os, signal, sys

class Interrupts:
    def find_spec(self, name, path=None, target=None):
        if name == {name!r}:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupts())
sys.argv = ["screen", "rank", "somewhere"]
"""


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", ["typer", "screening.cli.commands.window", "yaml"])
def test_stopped_while_the_command_line_is_imported(name):
    done = python(INTERRUPTED.format(name=name) + "from screening.cli.app import main; main()")
    assert done.returncode == 130
    assert done.stderr.startswith("screen: stopped by Ctrl-C; the same command starts again: ")
    assert done.stderr.count("\n") == 1


def test_stopped_while_mlflow_is_imported_it_can_still_be_told():
    code = """
from screening.process.stopping import Stopped, stop_signals
from screening.tracking.session import open_client
try:
    with stop_signals():
        open_client("sqlite:///nowhere.db")
except Stopped:
    import mlflow.entities.span, mlflow.tracking
    print("told", mlflow.tracking.MlflowClient.__name__)
"""
    done = python(INTERRUPTED.format(name="mlflow.entities.span") + code)
    assert done.stdout == "told MlflowClient\n", done.stderr[-500:]


def test_a_command_that_has_ended_is_not_stopped_any_more():
    code = """
import atexit, os, signal, sys
sys.argv = ["screen", "--version"]
atexit.register(lambda: os.kill(os.getpid(), signal.SIGTERM))  # runs after what main has registered
from screening.cli.app import main
main()
"""
    done = python(code)
    assert (done.returncode, done.stderr) == (0, "")
