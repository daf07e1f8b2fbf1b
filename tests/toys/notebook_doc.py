"""docs/notebook.md as a program, and what it prints."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

DOCUMENT = Path(__file__).parents[2] / "docs" / "notebook.md"
MARK = "--- next block ---"
_BLOCK = re.compile(r"```python\n(.*?)```\n```text\n(.*?)```\n", re.DOTALL)


def blocks() -> list[tuple[str, str]]:
    """Code of every block and the output below it."""
    return [(found[1], found[2]) for found in _BLOCK.finditer(DOCUMENT.read_text(encoding="utf-8"))]


def outputs(folder: Path, environment: dict[str, str]) -> list[str]:
    """What each block prints when all are run in order, in `folder`."""
    program = folder / "notebook.py"
    program.write_text(f"print({MARK!r})\n".join(f"{code}\n" for code, _ in blocks()), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, program.name], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.split(f"{MARK}\n")


def words(text: str) -> list[str]:
    """The text without its numbers, whose last digits differ from machine to machine, and without its layout."""
    return re.sub(r"[-+]?\d+(\.\d+)?(e[-+]?\d+)?", "#", text).split()
