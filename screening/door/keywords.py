"""Functions of many keyword arguments, which travel on as one object."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
Options = TypeVar("Options")
R = TypeVar("R")


def takes(options: Callable[P, Options]) -> Callable[[Callable[[Options], R]], Callable[P, R]]:
    """Let a function of one dataclass be called with the fields of that dataclass.

    Type checkers, editors and `help` see the fields, their types and their defaults as those of the function.

    Parameters
    ----------
    options
        The dataclass.
    """

    def decorate(function: Callable[[Options], R]) -> Callable[P, R]:
        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            return function(options(*args, **kwargs))

        found = inspect.signature(function).return_annotation
        call.__signature__ = inspect.signature(options).replace(return_annotation=found)  # type: ignore[attr-defined]
        return call

    return decorate
