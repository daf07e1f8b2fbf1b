"""Dotted names in backticks, in docstrings and comments, are there: what moves takes its readers along."""

from __future__ import annotations

import ast
import re
from importlib.util import find_spec
from pathlib import Path

import pytest

import screening
from screening.config import Settings

PACKAGE = Path(screening.__file__).parent
DOTTED = re.compile(r"(?<!`)`([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+)(?:\(\))?`(?!`)")
WRITTEN = ("ranking.csv", "ranking.json", "summary.yaml")
"""Files of a run, which look like dotted names."""


def names_in(tree: ast.Module) -> set[str]:
    """Every name that a module defines or uses."""
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                found.add(name)
            case ast.Name(id=name) | ast.arg(arg=name) | ast.Attribute(attr=name) | ast.keyword(arg=str(name)):
                found.add(name)
            case ast.alias(name=name):
                found.update(name.split("."))
    return found


MODULES = {
    path.relative_to(PACKAGE.parent).with_suffix("").parts: names_in(ast.parse(path.read_text(encoding="utf-8")))
    for path in PACKAGE.rglob("*.py")
}
"""Parts of a module's dotted name to the names in it."""
ANYWHERE = set().union(*MODULES.values())


def is_there(name: str, beside: set[str]) -> bool:
    """Whether a dotted name is that of a module or of something in one.

    Also good: an attribute of a class or of something that stands in the same module (`beside`), a setting, and what
    other packages have.
    """
    parts = name.split(".")
    for module, names in MODULES.items():
        own = module[:-1] if module[-1] == "__init__" else module
        for n in range(len(parts), 0, -1):
            if own[-n:] == tuple(parts[:n]) and (n == len(parts) or parts[n] in names):
                return True
    is_class = parts[0][0].isupper() and parts[0] in ANYWHERE
    if is_class or parts[0] in beside | set(Settings.model_fields):
        return all(part in ANYWHERE for part in parts[1:])
    return parts[0] != "screening" and find_spec(parts[0]) is not None


def test_dotted_names_in_backticks_are_there() -> None:
    missing, n_seen = [], 0
    for module, names in MODULES.items():
        path = PACKAGE.parent.joinpath(*module).with_suffix(".py")
        for found in DOTTED.finditer(path.read_text(encoding="utf-8")):
            n_seen += 1
            if found[1] not in WRITTEN and not is_there(found[1], names):
                missing.append(f"{path.relative_to(PACKAGE)}: {found[1]}")
    assert missing == []
    assert n_seen > 50


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("screening.validation.plan.phases.phase_jobs", True),
        ("phases.phase_jobs", True),
        ("files.replacing", True),
        ("settings.rattle", True),
        ("stability.electrolyte", True),
        ("ase.db", True),
        ("plan_phases.phase_jobs", False),
        ("screening.validation.phases.phase_jobs", False),
        ("files.replaced_by", False),
        ("adhesion_records.py", False),
    ],
)
def test_a_name_that_moved_is_noticed(name: str, there: bool) -> None:
    assert is_there(name, {"settings"}) is there
