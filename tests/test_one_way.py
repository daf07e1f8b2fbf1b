"""What is done in one place is done there only: consoles, logging, atomic writes, hashes of files,
names of fidelities."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import screening

PACKAGE = Path(screening.__file__).parent

ONLY_IN = {
    "Console": "report/console.py",  # make_console cuts nothing off and takes no text for markup
    "basicConfig": "logs.py",  # logs.set_up shows no traceback and no sentence twice
    "mkstemp": "files.py",
    "NamedTemporaryFile": "cli/failures.py",  # the traceback that a report may take along; nothing reads it again
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


def test_files_are_hashed_in_blocks() -> None:
    """`files.sha256_of` takes files of any size; reading one whole to hash it does not."""
    whole = re.compile(r"sha256\([^()]*\.read(_bytes)?\(")
    found = {p.name for p in PACKAGE.rglob("*.py") if whole.search(p.read_text(encoding="utf-8"))}
    assert found == set()


ELSEWHERE = re.compile(r"design section|\bthe design\b|\bissue (text|\d)|\.\./shared", re.IGNORECASE)
"""What points to papers that do not come with the code; a comment gives the reason itself."""


def test_no_comment_cites_what_does_not_come_with_the_code() -> None:
    root = PACKAGE.parent
    files = [p for part in ("screening", "benchmarks", "tests", "configs") for p in (root / part).rglob("*")]
    texts = {path: path.read_text(encoding="utf-8") for path in files if path.suffix in (".py", ".yaml")}
    assert len(texts) > 100
    assert {path for path, text in texts.items() if ELSEWHERE.search(text) and path != Path(__file__)} == set()


PARTS_OF_FIDELITIES = re.compile(r"(mlip:|dft:\w+-|-via-)")
"""What the name of a fidelity begins with, or a potential that played VASP has in it."""


def texts_of(path: Path) -> list[str]:
    """Strings of a module that the program uses: no docstrings, and of `help=` nothing."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "help":
            prose |= {id(part) for part in ast.walk(node.value)}
    constants = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in prose]
    return [node.value for node in constants if isinstance(node.value, str)]


def test_fidelities_are_pieced_together_in_one_place() -> None:
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if any(PARTS_OF_FIDELITIES.match(text) for text in texts_of(path))
    }
    assert found == {"fidelity.py"}
