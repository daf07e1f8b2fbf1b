"""What a notebook gives to the functions of the door: read, or refused in one sentence, before anything is done.

The command line reads what is typed itself, with sentences of its own, and shows paths as they were typed: between
`as_typed` and its end nothing is looked at here.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import math
import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from numbers import Integral, Real
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec, TypeVar

from screening.errors import UserError
from screening.process.system_errors import SYSTEM_ERRORS, system_sentence

P = ParamSpec("P")
R = TypeVar("R")

LOWEST_VOLTAGE, HIGHEST_VOLTAGE = 0.0, 8.0
"""V vs Li/Li+ of reactions open to Li."""
HIGHEST_CHARGE = 20
"""Of a labelled cell, e, of either sign."""
SHOWN = 60
"""Characters of a value in a sentence."""

_typed = ContextVar("typed", default=False)


class Unfit(Exception):
    """A value of another kind or range than the parameter takes."""


class Kind(NamedTuple):
    """What a parameter takes: how it is read, and its words for a sentence."""

    read: Callable[[Any], Any]
    what: str


@contextlib.contextmanager
def as_typed() -> Iterator[None]:
    """The command line is what calls."""
    before = _typed.set(True)
    try:
        yield
    finally:
        _typed.reset(before)


def lasting(path: Path) -> Path:
    """The same place also after a change of the current folder; as it was typed on the command line."""
    return path if _typed.get() else path.absolute()


@contextlib.contextmanager
def said() -> Iterator[None]:
    """Turn an error of the system (a disk, a database, an encoding) into a sentence.

    Raises
    ------
    UserError
        With the place and the remedy; not on the command line, which does the same at its end.
    """
    try:
        yield
    except SYSTEM_ERRORS as error:
        sentence = system_sentence(error)
        if _typed.get() or sentence is None or isinstance(error, BrokenPipeError):
            raise
        raise UserError(f"{sentence}.") from error


def refuse_in_starting_process() -> None:
    """Refuse to compute in a worker that is only starting, which runs a script without a main guard once more.

    Raises
    ------
    UserError
        Says how a script has to look.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise UserError(
            "a process of this computation runs the script that started it once more; put what the script does below "
            '`if __name__ == "__main__":`, or give workers=1.'
        )


def checked(**own: Kind) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a function of the door read its arguments by the table of kinds, and say errors of the system.

    Parameters
    ----------
    own
        Kinds of parameters that differ from those of the table.
    """
    kinds = KINDS | own

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(function)

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            if _typed.get():
                return function(*args, **kwargs)
            try:
                bound = signature.bind(*args, **kwargs)
            except TypeError as error:
                raise TypeError(f"{function.__name__}() {error}; see help({function.__name__})") from None
            with said():
                for name, value in bound.arguments.items():
                    if name in kinds:
                        bound.arguments[name] = _read(name, value, kinds[name], signature.parameters[name].default)
                return function(*bound.args, **bound.kwargs)

        return call

    return decorate


def _read(name: str, value: object, kind: Kind, default: object) -> Any:
    if value is None and default is None:
        return None
    try:
        return kind.read(value)
    except Unfit:
        shown = _shown(value)
        leave_out = "" if default is inspect.Parameter.empty else ", or leave it out"
        raise UserError(f"{name} is {shown}; give {kind.what}{leave_out}.") from None


def _shown(value: object) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise Unfit
    return value.strip()


def _name_or_file(value: object) -> str:
    return _text(os.fspath(value) if isinstance(value, os.PathLike) else value)


def _path(value: object) -> Path:
    text = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(text, str) or not text.strip() or "\0" in text:
        raise Unfit
    try:
        return Path(text).expanduser()
    except RuntimeError as error:  # ~NAME of nobody
        raise UserError(f"{text} cannot be found ({error}); give the path in full.") from error


def _place(value: object) -> Path:
    return lasting(_path(value))


def _run(value: object) -> object:
    if isinstance(getattr(value, "folder", None), Path):
        return value
    return _path(value.strip() if isinstance(value, str) else value)


def _members(value: object) -> list[Any]:
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        raise Unfit
    try:
        return list(value)
    except TypeError:  # an array of no dimension
        raise Unfit from None


def _paths(value: object) -> Path | list[Path]:
    if isinstance(value, str | os.PathLike):
        return _path(value)
    found = [_path(item) for item in _members(value)]
    if not found:
        raise Unfit
    return found


def _names(value: object) -> str | list[str]:
    if isinstance(value, str):
        return value
    found = _members(value)
    if not all(isinstance(item, str) for item in found):
        raise Unfit
    return found


def _held_out(value: object) -> float | str | list[str]:
    if isinstance(value, Real):
        return _between(-math.inf, math.inf)(value)
    return _names(value)


def _either(value: object) -> bool:
    if getattr(getattr(value, "dtype", None), "kind", "") == "b" and getattr(value, "ndim", 1) == 0:
        return bool(value)  # numpy's
    if not isinstance(value, bool):
        raise Unfit
    return value


def _function(value: object) -> object:
    if not callable(value):
        raise Unfit
    return value


def _text_or_mapping(value: object) -> object:
    if not isinstance(value, str | Mapping):
        raise Unfit
    return value


def _structures(value: object) -> object:
    return value if isinstance(value, Mapping) else _path(value)


def _whole(low: int | None, high: int | None) -> Callable[[object], int]:
    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, Integral):
            raise Unfit
        number = int(value)
        if (low is not None and number < low) or (high is not None and number > high):
            raise Unfit
        return number

    return read


def _between(low: float, high: float) -> Callable[[object], float]:
    def read(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, Real) or not low <= float(value) <= high:
            raise Unfit
        return float(value)

    return read


_FILE = Kind(_path, "the path of a file or folder, as text or pathlib.Path")
_OWN_PLACE = Kind(_place, "the path of a folder, as text or pathlib.Path")
_COUNT = Kind(_whole(1, None), "a whole number, 1 or more")
_YES_NO = Kind(_either, "True or False")
_HEARD = Kind(_function, "a function")
_NAMES = Kind(_names, "names as text with commas, or a list of texts")

PATHS = Kind(_paths, "a path or a list of paths, as text or pathlib.Path")
FILE_TO_WRITE = Kind(_place, "the path of a file, as text or pathlib.Path")

KINDS: dict[str, Kind] = {
    "run": Kind(_run, "the folder of a run, its name below runs/, or what screen or load_run returned"),
    "formula": Kind(_text, "a formula as text, for example 'LiNbO3'"),
    "dopants": Kind(_names, "dopants as text, for example 'Mg,Zr', or a list of texts"),
    "elements": Kind(_names, "elements as text, for example 'Li,Nb,O', or a list of texts"),
    "partners": Kind(_names, "a formula as text, or a list of formulas"),
    "candidates": _NAMES,
    "only": _NAMES,
    "site": Kind(_text, "'Li', 'Nb' or 'auto'"),
    "host": Kind(_text, "the name of a crystal, for example 'LiNbO3'"),
    "cathode": Kind(_text, "the name of a crystal, for example 'NCM811'"),
    "potential": Kind(_name_or_file, "the name of a potential such as 'chgnet', or the folder of a model"),
    "preset": Kind(_text, "'quick', 'standard' or 'accurate'"),
    "phases": Kind(_name_or_file, "'listed', 'mp' or a pymatgen JSON file"),
    "settings": Kind(_name_or_file, "the name of settings such as 'kim2026' or 'gpaw-pbe', or a YAML file"),
    "device": Kind(_text, "'auto', 'cpu' or 'cuda'"),
    "engine": Kind(_text, "'vasp' or 'gpaw'"),
    "command": Kind(_text, "what starts VASP, for example 'mpirun -n 32 vasp_std'"),
    "fidelity": Kind(_text, "a fidelity as text, for example 'dft:pbe'"),
    "unfreeze": Kind(_text, "'none' or 'all'"),
    "zero_points": Kind(_text, "'base' or 'data'"),
    "name": Kind(_text, "a name as text"),
    "source": Kind(_text, "where the structure is from, as text"),
    "weights": Kind(_text_or_mapping, "a mapping such as {'work_of_adhesion': 2}, or that as text"),
    "held_out": Kind(_held_out, "a share such as 0.2, or names as text or a list"),
    "structures": Kind(_structures, "a file, or a mapping of names to ase.Atoms"),
    "structure": _FILE,
    "config": _FILE,
    "correction": _FILE,
    "data": _FILE,
    "models": _FILE,
    "start": _FILE,
    "out": _OWN_PLACE,
    "work": _OWN_PLACE,
    "workers": _COUNT,
    "top": _COUNT,
    "max_atoms": _COUNT,
    "epochs": Kind(_whole(None, None), "a whole number"),
    "seed": Kind(_whole(None, None), "a whole number"),
    "charge": Kind(
        _whole(-HIGHEST_CHARGE, HIGHEST_CHARGE), f"a whole number from -{HIGHEST_CHARGE} to {HIGHEST_CHARGE}"
    ),
    "voltage": Kind(
        _between(LOWEST_VOLTAGE, HIGHEST_VOLTAGE), f"a number from {LOWEST_VOLTAGE:g} to {HIGHEST_VOLTAGE:g} V"
    ),
    "learning_rate": Kind(_between(-math.inf, math.inf), "a number between 0 and 1, for example 1e-4"),
    **dict.fromkeys(
        (
            "accept_method",
            "allow_simulated",
            "dry_run",
            "run_jobs",
            "self_check",
            "slab",
            "static",
            "substitute",
            "write",
        ),
        _YES_NO,
    ),
    **dict.fromkeys(("on_done", "on_epoch", "on_event", "on_progress", "on_written"), _HEARD),
}
"""Kind of every parameter of the door by its name, which means the same in all functions; numbers that are typed
as text are read by `typed_numbers`, thresholds by the settings of a ranking."""
