"""What is done in one place is done there only: consoles, logging, atomic writes, hashes of files,
names of fidelities."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import screening
from screening.potentials.families.table import FAMILIES

PACKAGE = Path(screening.__file__).parent

ONLY_IN = {
    "Console": "report/console.py",  # what is made from it there cuts nothing off and takes no text for markup
    "WholeConsole": "report/console.py",
    "StreamHandler": "process/logs.py",  # what is made from it there shows no traceback and no sentence twice
    "addHandler": "process/logs.py",
    "NamedTemporaryFile": "cli/failures.py",  # the traceback that a report may take along; nothing reads it again
    "fsync": "files.py",
}
"""Function or class to the one module that may call it or derive from it."""

NOWHERE = {
    "basicConfig": "process/logs.set_up is how this program logs",
    "mkstemp": "files.replacing writes beside the file that it replaces",
    "file_digest": "files.sha256_of hashes files",
}
"""Function to what is there instead."""


def name_of(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def called() -> list[tuple[str, str]]:
    """Every call and every class that is derived from in the package, by name and module."""
    found = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            module = path.relative_to(PACKAGE).as_posix()
            if isinstance(node, ast.Call):
                found.append((name_of(node.func), module))
            elif isinstance(node, ast.ClassDef):
                found += [(name_of(base), module) for base in node.bases]
    return found


@pytest.mark.parametrize(("name", "module"), ONLY_IN.items(), ids=ONLY_IN)
def test_one_module_calls_it_and_no_other(name: str, module: str) -> None:
    assert {where for what, where in called() if what == name} == {module}


@pytest.mark.parametrize(("name", "instead"), NOWHERE.items(), ids=NOWHERE)
def test_no_module_calls_it(name: str, instead: str) -> None:
    assert {where for what, where in called() if what == name} == set(), instead


LATE_IMPORTS = {
    "__init__.py": "the functions of the door are imported when they are asked for",
    "potentials/families/table.py": "a family is one line of the table, and imports nothing but its file",
    "retraining/finetune.py": "a family names its training code as text, since it lies in a lower room",
    "potentials/networks/matgl.py": "modules of matgl, of which there are two",
    "potentials/ase_calculator.py": "a module that the user names",
}
"""Modules that import one whose name is a text, which the contract of the layers cannot see, and why."""


def test_imports_by_text_are_only_where_they_have_a_reason() -> None:
    names = ("import_module", "__import__")
    assert {where for what, where in called() if what in names} == set(LATE_IMPORTS)


def test_of_our_own_modules_only_those_of_the_door_and_the_training_code_are_named_as_text() -> None:
    """The start of a dotted name of ours, in what the program uses; an f-string's start is a text too."""
    ours = re.compile(r"screening\.[\w.]*(:\w+)?")
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if any(ours.fullmatch(text) for text in texts_of(path))
    }
    backends = {f"potentials/families/{family.name}.py" for family in FAMILIES if family.fine_tuning is not None}
    assert found == {"__init__.py", *backends}


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
