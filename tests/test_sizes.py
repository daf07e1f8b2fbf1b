"""Nothing in the program grows past what can be taken in at once: parameter lists, files, folders."""

import ast
from collections.abc import Iterator
from pathlib import Path

import screening

PACKAGE = Path(screening.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

MOST_PARAMETERS = 8
MOST_LINES = 400
"""Files are meant to stay near 300 lines."""
MOST_MODULES = 15
"""In one folder, without ``__init__``."""


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    """Names of all parameters, without the object that a method belongs to and without ``*args`` and ``**kwargs``."""
    given = function.args
    names = [argument.arg for argument in [*given.posonlyargs, *given.args]]
    if names[:1] in (["self"], ["cls"]):
        del names[0]
    return names + [argument.arg for argument in given.kwonlyargs]


def functions() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{path.relative_to(PACKAGE)}:{node.lineno} {node.name}", node


def test_what_travels_together_travels_as_one() -> None:
    assert [name for name, node in functions() if len(parameters(node)) > MOST_PARAMETERS] == []


def test_a_parameter_list_is_counted_whole() -> None:
    source = "class A:\n def f(self, a, /, b, *args, c, d=1, **more): ...\n"
    (method,) = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    assert parameters(method) == ["a", "b", "c", "d"]


def test_no_file_is_too_long_to_read() -> None:
    lines = {path.relative_to(PACKAGE): path.read_text(encoding="utf-8").count("\n") for path in MODULES}
    assert len(lines) > 200
    assert [f"{path}: {n}" for path, n in lines.items() if n > MOST_LINES] == []


def test_no_folder_holds_more_modules_than_can_be_taken_in() -> None:
    folders: dict[Path, int] = {}
    for path in MODULES:
        if path.name != "__init__.py":
            folders[path.parent] = folders.get(path.parent, 0) + 1
    assert [f"{folder}: {n}" for folder, n in folders.items() if n > MOST_MODULES] == []
