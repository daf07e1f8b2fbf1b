"""Functions, classes, constants and methods of the package are used by it or a benchmark, not by tests alone."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

import screening

PACKAGE = Path(screening.__file__).parent
BENCHMARKS = PACKAGE.parent / "benchmarks"

CALLED_FROM_OUTSIDE = {
    "screening.validation.vasp.flows.manifest_flow": "documented for those who submit jobs by jobflow",
    "screening.campaign.ranking.rows.Ranking.to_frame": "for notebooks",
    "screening.potentials.registry.available": "for notebooks: the names that `load_potential` takes",
    "screening.cli.app.main": "the entry point of pyproject.toml",
    "screening.process.logs._StandardError.stream": "overrides logging's own",
    "screening.process.logs._StandardError.handleError": "overrides logging's own",
    "screening.process.logs._Once.filter": "overrides logging's own",
}
REGISTERS = ("command", "callback", "validator")
"""What the decorators of functions are called that typer or pydantic calls."""

Definition = ast.FunctionDef | ast.ClassDef


def modules() -> dict[str, ast.Module]:
    paths = [*PACKAGE.rglob("*.py"), *BENCHMARKS.glob("*.py")]
    names = {p: ".".join(p.relative_to(PACKAGE.parent).with_suffix("").parts) for p in paths}
    return {names[p].removesuffix(".__init__"): ast.parse(p.read_text(encoding="utf-8")) for p in paths}


def names_in(node: ast.AST) -> Counter[str]:
    """Names and attributes that a piece of code reads, and words of its texts, which may name what a table calls."""
    found: Counter[str] = Counter()
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and not isinstance(part.ctx, ast.Store):
            found[part.id] += 1
        elif isinstance(part, ast.Attribute):
            found[f".{part.attr}"] += 1
        elif isinstance(part, ast.Constant) and isinstance(part.value, str):
            found.update(f".{word}" for word in re.split(r"[:.]", part.value) if word.isidentifier())
    return found


def definitions(tree: ast.Module) -> dict[str, ast.stmt]:
    """Functions, classes and constants of a module, and methods by ``Class.method``."""
    found: dict[str, ast.stmt] = {}
    for node in tree.body:
        if isinstance(node, Definition):
            found[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {target.id: node for target in targets if isinstance(target, ast.Name)}
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{m.name}": m for m in node.body if isinstance(m, ast.FunctionDef)}
    return {name: node for name, node in found.items() if not name.rpartition(".")[2].startswith("__")}


def is_registered(node: ast.stmt) -> bool:
    decorators = node.decorator_list if isinstance(node, Definition) else []
    return any(ast.unparse(each).partition("(")[0].endswith(REGISTERS) for each in decorators)


def dead() -> set[str]:
    trees = modules()
    used = {name: names_in(tree) for name, tree in trees.items()}
    everywhere = sum(used.values(), Counter())
    imported = {
        (node.module, alias.name)
        for tree in trees.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    found = set()
    for module, tree in trees.items():
        for name, node in definitions(tree).items() if module.startswith("screening") else ():
            own, bare = names_in(node), name.rpartition(".")[2]
            as_attribute = everywhere[f".{bare}"] - own[f".{bare}"]
            in_module = "." not in name and ((module, name) in imported or used[module][name] > own[name])
            if not (as_attribute or in_module or is_registered(node)):
                found.add(f"{module}.{name}")
    return found


def test_nothing_is_there_for_tests_alone() -> None:
    assert dead() - CALLED_FROM_OUTSIDE.keys() == set()


def test_what_is_called_from_outside_is_still_there() -> None:
    """An exception that no longer is one would hide the next dead function of its name."""
    assert CALLED_FROM_OUTSIDE.keys() - dead() == set()
