"""YAML files that people write, read strictly: nothing in them is dropped or taken for another thing; and long ones.

Numbers are those of YAML 1.2 (JSON's): ``5e-2`` is one, while ``012`` (octal in YAML 1.1), ``1:30`` (sexagesimal) and
``1_000`` stay text, which a number's setting then refuses.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from screening.errors import UserError

MAX_BYTES = 1_000_000
"""Settings take a few kB; more is another kind of file."""
MAX_NODES = 20_000
"""Values after every alias is expanded: a few lines of nested aliases make billions."""
MAX_DEPTH = 20

_INNER_TAB = re.compile(r"(?<=[^\s])[ \t]*\t[ \t]*|^[ \t]+$", re.MULTILINE)
_TAB = "'\\t'"

_CORE = "tag:yaml.org,2002:"
_KINDS = ("str", "int", "float", "bool", "null", "seq", "map", "merge", "timestamp")
_TAGS = frozenset(f"{_CORE}{kind}" for kind in _KINDS)


class _Loader(yaml.SafeLoader):
    """Safe loader with the numbers of YAML 1.2."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rules if tag not in (f"{_CORE}int", f"{_CORE}float")]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(f"{_CORE}int", re.compile(r"[-+]?(?:0|[1-9][0-9]*)$"), list("-+0123456789"))
_Loader.add_implicit_resolver(
    f"{_CORE}float",
    re.compile(
        r"(?:[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
    ),
    list("-+0123456789."),
)


_FAST_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Compiled where PyYAML has it: ten thousand entries in seconds instead of minutes."""
_STARTS = (yaml.MappingStartEvent, yaml.SequenceStartEvent)
_ENDS = (yaml.MappingEndEvent, yaml.SequenceEndEvent)


class _Refused(ValueError):
    """What a file holds and must not; the text goes after the file's name."""


def load_shipped(text: str) -> Any:
    """Content of a YAML text that ships with the program; what came from elsewhere goes to the functions below."""
    return yaml.load(text, Loader=_FAST_LOADER)  # noqa: S506 (a safe loader, compiled)


def load_long(text: str) -> Any:
    """Content of a long YAML text that a program wrote.

    Raises
    ------
    yaml.YAMLError
        When it is no YAML, or nested deeper than `MAX_DEPTH`, at which the compiled loader would crash the process.
    """
    depth = 0
    for event in yaml.parse(text, Loader=_FAST_LOADER):
        depth += isinstance(event, _STARTS) - isinstance(event, _ENDS)
        if depth > MAX_DEPTH:
            raise yaml.YAMLError(f"it is nested deeper than {MAX_DEPTH} levels")
    return load_shipped(text)


def read_yaml(path: Path, advice: str) -> dict[str, Any]:
    """Mapping that a YAML file holds; empty for an empty file.

    Parameters
    ----------
    advice
        What to do with a file that cannot be used, for example ``"correct it or leave --config out"``.

    Raises
    ------
    UserError
        When it cannot be read, is no YAML, is too large (as it stands, or once its aliases are expanded) or nested too
        deep, or holds a key twice, a key that is no text, a tag, or no mapping.
    """
    # PyYAML takes no tab before a comment or a value, which YAML allows and editors leave
    loader = _Loader(_INNER_TAB.sub(" ", _text(path, advice)))
    try:
        node = loader.get_single_node()
        if node is None:
            return {}
        _check(node, {}, 0)
        data = loader.construct_document(node)
    except (_Refused, RecursionError) as error:
        reason = str(error) if isinstance(error, _Refused) else "it is nested too deep"
        raise UserError(f"{path}: {reason}; {advice}.") from error
    except (yaml.YAMLError, ValueError) as error:
        where = getattr(error, "problem_mark", None)
        line = f" at line {where.line + 1}" if where else ""
        if problem := getattr(error, "problem", None):
            line += f" ({'a tab indents it, blanks should' if _TAB in problem else problem})"
        raise UserError(f"{path} is not a YAML file{line}; {advice}.") from error
    finally:
        loader.dispose()
    if not isinstance(data, dict):
        raise UserError(f"{path} must hold `key: value` lines such as `preset: quick`, not a {type(data).__name__}.")
    return data


def _text(path: Path, advice: str) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UserError(f"the file {path} cannot be read ({error.strerror}); check the path.") from error
    if len(raw) > MAX_BYTES:
        raise UserError(f"{path} is larger than {MAX_BYTES // 1000} kB, which settings never are; {advice}.")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not a YAML file (it is no UTF-8 text); {advice}.") from error


def _check(node: yaml.Node, sizes: dict[int, int], depth: int) -> int:
    """Number of values below a node with its aliases expanded; refuses what `read_yaml` names."""
    line = node.start_mark.line + 1
    if id(node) in sizes:
        if not sizes[id(node)]:
            raise _Refused(f"an alias at line {line} holds itself")
        return sizes[id(node)]
    if depth > MAX_DEPTH:
        raise _Refused(f"it is nested deeper than {MAX_DEPTH} levels at line {line}")
    if node.tag not in _TAGS:
        raise _Refused(f"the tag {node.tag.replace(_CORE, '!!')} at line {line} is not allowed")
    sizes[id(node)] = 0
    size = 1
    if isinstance(node, yaml.MappingNode):
        _check_keys(node)
        size += sum(_check(part, sizes, depth + 1) for pair in node.value for part in pair)
    elif isinstance(node, yaml.SequenceNode):
        size += sum(_check(item, sizes, depth + 1) for item in node.value)
    if size > MAX_NODES:
        raise _Refused(f"its aliases stand for more than {MAX_NODES} values at line {line}")
    sizes[id(node)] = size
    return size


def _check_keys(node: yaml.MappingNode) -> None:
    seen: dict[str, int] = {}
    for key, _ in node.value:
        line = key.start_mark.line + 1
        shown = str(key.value) if isinstance(key, yaml.ScalarNode) else "a list or mapping"
        # {fmax: 0,05} is fmax = 0 and a key 05
        if shown.isdecimal() or key.tag not in (f"{_CORE}str", f"{_CORE}merge"):
            hint = " (the decimal sign is a point)" if shown.isdecimal() else ""
            raise _Refused(f"the key {shown} at line {line} is no name{hint}")
        if shown in seen:
            raise _Refused(f"the key {shown!r} is given at line {seen[shown]} and again at line {line}")
        seen[shown] = line
