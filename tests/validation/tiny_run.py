"""A real, tiny run of the whole screen: pristine and one Mg, CHGNet, few optimiser steps; nothing has to converge."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import yaml

TINY = {
    "preset": "quick",
    "site": "Li",
    "interface": {
        "registry_grid": [1, 1], "gaps": [2.0], "registry_relaxed": 1, "registry_steps": 1,
        "parent_starts": 1, "parent_hops": 0,
    },
    "bulk": {"n_relaxed": 1, "n_draws": 3, "fmax": 0.1, "max_steps": 6},
    "adhesion": {
        "soc": [1.0, 1 / 3], "contact_placements": 1, "inner_placements": 0, "vacancy_orders": 2, "rounds": 1,
        "prerelax_steps": 1, "slab_starts": ["cut", "half"], "slab_hops": 0, "fmax": 0.1, "max_steps": 2,
        "n_draws": 2, "n_rattled": 1,
    },
    "migration": {
        "n_images": 3, "max_steps": 20, "endpoint_max_steps": 6, "endpoint_fmax": 0.1, "fmax": 0.1,
        "hops": "representative", "min_hops": 2,
    },
    "stability": {"max_steps": 3, "delithiation_sites": 1},
}  # fmt: skip

MG = "Mg_Li-vLi-1of12"


def screen(arguments: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    code = "import sys; sys.argv[0] = 'screen'; from screening.cli.app import main; main()"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COATSCREEN_CACHE": str(cwd / "cache"), "COLUMNS": "160"}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=cwd, capture_output=True, text=True, env=environment, check=False
    )


def compute(folder: Path) -> Path:
    """Compute the run below `folder` and return its own folder."""
    (folder / "tiny.yaml").write_text(yaml.safe_dump(TINY))
    arguments = ["--dopants", "Mg", "--x", "1/12", "--config", "tiny.yaml", "--out", "run", "--workers", "1"]
    done = screen([*arguments, "--device", "cpu"], folder)
    assert done.returncode == 0, done.stderr[-2000:]
    return folder / "run"
