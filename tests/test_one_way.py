"""What is done in one place is done there only: consoles, logging, atomic writes, hashes of files."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import screening

PACKAGE = Path(screening.__file__).parent

ONLY_IN = {
    "Console": "report/console.py",  # make_console cuts nothing off and takes no text for markup
    "basicConfig": "logs.py",  # logs.set_up shows no traceback and no sentence twice
    "mkstemp": "files.py",
    "fsync": "files.py",
    "file_digest": "files.py",
}
"""Function or class to the one module that may call it."""


def called() -> list[tuple[str, str]]:
    """Every call in the package, by name and module."""
    found = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                found.append((name, path.relative_to(PACKAGE).as_posix()))
    return found


@pytest.mark.parametrize(("name", "module"), ONLY_IN.items(), ids=ONLY_IN)
def test_no_other_module_calls_it(name: str, module: str) -> None:
    assert {where for what, where in called() if what == name} <= {module}
