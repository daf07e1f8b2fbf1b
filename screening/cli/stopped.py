"""The last words of a command that was stopped."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from screening.cli.own_name import own_command
from screening.process.stopping import Stopped, ignore_signals, stop_signals

STARTS_AGAIN = {"retrain": "no model was written", "rank": "", "window": ""}
"""Commands that keep nothing of what they had done; all others go on where they were."""


def last_words(stop: Stopped, arguments: list[str]) -> str:
    """One sentence: what happened and how to go on.

    Parameters
    ----------
    arguments
        Those of the command line, without the program's name.
    """
    command = own_command(*arguments, *stop.also)
    name = next((word for word in arguments if not word.startswith("-")), "")
    if name in STARTS_AGAIN:
        lost = f" ({STARTS_AGAIN[name]})" if STARTS_AGAIN[name] else ""
        return f"screen: {stop}{lost}; the same command starts again: {command}"
    return f"screen: {stop}; the same command continues where it was: {command}"


def answer_stop(stop: Stopped) -> int:
    """Say the last words and return the exit code."""
    sys.stdout.flush()
    sys.stderr.write(last_words(stop, sys.argv[1:]) + "\n")
    sys.stderr.flush()
    return stop.exit_code


@contextmanager
def stop_is_answered() -> Iterator[None]:
    """End the process with the last words and the exit code of a stop that is asked for inside the block."""
    if threading.current_thread() is not threading.main_thread():  # where no signal arrives
        yield
        return
    try:
        with stop_signals():
            yield
    except Stopped as stop:
        ignore_signals()
        sys.exit(answer_stop(stop))
