"""Commands of many options as functions of one object, and their defaults as those of what they call."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, ParamSpec, TypeVar, get_type_hints

from screening.door.given import as_typed
from screening.door.keywords import takes

P = ParamSpec("P")
Options = TypeVar("Options")
R = TypeVar("R")


def command(options: Callable[P, Options]) -> Callable[[Callable[[Options], R]], Callable[P, R]]:
    """Let typer call a function of one dataclass: each field is an option, annotated and with its default.

    Parameters
    ----------
    options
        The dataclass; the names in its annotations must be importable where it is defined.
    """

    def decorate(function: Callable[[Options], R]) -> Callable[P, R]:
        called = takes(options)(as_typed()(function))  # what was typed is refused in its own words
        hints = get_type_hints(options, include_extras=True)
        fields = [p.replace(annotation=hints[name]) for name, p in inspect.signature(options).parameters.items()]
        called.__signature__ = inspect.Signature(fields)  # type: ignore[attr-defined]
        called.__annotations__ = hints
        return called

    return decorate


def defaults(function: Callable[..., Any]) -> Any:
    """Default values of a function of the door, as attributes: what a command takes where nothing is typed."""
    parameters = inspect.signature(function).parameters.values()
    return SimpleNamespace(**{p.name: p.default for p in parameters if p.default is not p.empty})


def asked(options: object, function: Callable[..., Any]) -> dict[str, Any]:
    """What `options` has for a function of the door, by the names of its parameters."""
    names = inspect.signature(function).parameters
    return {name: getattr(options, name) for name in names if hasattr(options, name)}
