"""What is wrong with settings, in the words of whoever typed them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from screening.names import nearest

OPTIONS = {
    "host": "--host", "congruent": "--host", "cathode": "--cathode", "site": "--site", "potential": "--potential",
    "seed": "--seed", "preset": "--preset", "adhesion.soc": "--soc", "stability.phases": "--phases",
}  # fmt: skip
"""Settings that the command line can name, by their path."""

COMMAND_LINE_ONLY = ("dopants", "x", "out", "device", "workers", "top")


def explain(
    error: ValidationError,
    root: type[BaseModel],
    config: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    options: Mapping[str, str] = OPTIONS,
) -> str:
    """What is wrong with settings, in one sentence.

    Parameters
    ----------
    root
        The settings that were read, for the names that they have.
    config, overrides
        Where the values came from: what `overrides` holds is named by its option.
    options
        Settings that are options of the command line, by their path.
    """
    first = error.errors()[0]
    path = [str(part) for part in first["loc"]]
    option = _option(path, options, overrides)
    where = option or f"{'.'.join(path)} {f'in {config}' if config is not None else 'in the settings'}"
    if first["type"] == "extra_forbidden":
        return _unknown_key(path, where, root)
    if first["type"] == "model_type":
        return f"{where}: `key: value` lines belong below it (got {first['input']!r})."
    if first["type"] == "too_short":
        return f"{where}: give at least one (got {first['input']!r})."
    if first["type"] in ("list_type", "tuple_type"):
        return f"{where}: a list in brackets belongs here, such as {_as_list(first)} (got {first['input']!r})."
    if first["type"] == "dict_type":
        return f"{where}: `name: value` lines belong below it (got {first['input']!r})."
    if first["type"] in ("missing", "too_long"):
        return f"{where}: it has too {'few' if first['type'] == 'missing' else 'many'} values (got {first['input']!r})."
    shown = repr(first["input"])
    message = first["msg"].removeprefix("Value error, ").replace("Input should", "it should")
    return f"{where}: {message[0].lower()}{message[1:]} (got {shown if len(shown) < 80 else shown[:76] + ' ...'})."


def _as_list(error: Any) -> str:
    return f"[{error['input']}]" if error["type"] == "list_type" and not isinstance(error["input"], dict) else "[4, 4]"


def _option(path: list[str], options: Mapping[str, str], overrides: Mapping[str, Any] | None) -> str:
    """The option that gave the value at `path`, empty when it is from a file; without `overrides` there is no file."""
    found: Any = overrides
    for depth, part in enumerate(path, start=1):
        if overrides is not None:
            if not isinstance(found, Mapping) or part not in found:
                return ""
            found = found[part]
        if option := options.get(".".join(path[:depth])):
            return option
    return ""


def _unknown_key(path: list[str], where: str, root: type[BaseModel]) -> str:
    if len(path) == 1 and path[0] in COMMAND_LINE_ONLY:
        return f"{where} is no setting but an option of the command line: give --{path[0]} there."
    section = root
    for part in path[:-1]:
        section = section.model_fields[part].annotation  # type: ignore[assignment]
    section_name, _, inner = path[0].partition(".")
    if any(name == section_name and inner in below.model_fields for name, below in _sections(root)):
        return f"{where} is not a setting; write `{section_name}: {{{inner}: ...}}`."
    if len(path) == 1 and (homes := [name for name, below in _sections(root) if path[0] in below.model_fields]):
        example = f"`{homes[0]}: {{{path[0]}: ...}}`"
        return f"{where} is not a setting by itself but one of {', '.join(homes)}; write {example}."
    return f"{where} is not a setting; {nearest(path[-1], section.model_fields)}."


def _sections(root: type[BaseModel]) -> list[tuple[str, type[BaseModel]]]:
    """Names and types of the settings that hold others."""
    fields = [(name, field.annotation) for name, field in root.model_fields.items()]
    return [(name, kind) for name, kind in fields if isinstance(kind, type) and issubclass(kind, BaseModel)]
