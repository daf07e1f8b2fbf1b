"""A real, tiny run of the whole screen: pristine and one Mg, CHGNet, with the shipped settings of the loop to DFT."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from screening.assets import asset

TINY = asset("configs", "examples", "loop.yaml")

MG = "Mg_Li-vLi-1of12"


def screen(arguments: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    code = "import sys; sys.argv[0] = 'screen'; from screening.cli.app import main; main()"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COATSCREEN_CACHE": str(cwd / "cache"), "COLUMNS": "160"}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=cwd, capture_output=True, text=True, env=environment, check=False
    )


def compute(folder: Path) -> Path:
    """Compute the run below `folder` and return its own folder."""
    arguments = ["--dopants", "Mg", "--x", "1/12", "--config", str(TINY), "--out", "run", "--workers", "1"]
    done = screen([*arguments, "--device", "cpu"], folder)
    assert done.returncode == 0, done.stderr[-2000:]
    return folder / "run"
