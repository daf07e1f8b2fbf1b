"""A clean stop: every signal that asks this process to end becomes one exception, so that what is open is put away.

A batch queue sends SIGTERM (some SIGXCPU, SIGUSR1 or SIGUSR2 before it), a lost terminal SIGHUP, Ctrl-C SIGINT.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGXCPU, signal.SIGUSR1, signal.SIGUSR2)


class Stopped(BaseException):
    """Somebody asked this process to stop.

    No `Exception`, so that nothing that goes on after the failure of one task swallows it; no `KeyboardInterrupt`
    either, which the command-line library answers without a word.

    Attributes
    ----------
    also
        Arguments that the same command needs in addition to be the same tomorrow.
    """

    def __init__(self, number: int) -> None:
        self.signal = signal.Signals(number)
        self.also: tuple[str, ...] = ()
        super().__init__(f"stopped by {'Ctrl-C' if number == signal.SIGINT else self.signal.name}")

    @property
    def exit_code(self) -> int:
        """What a shell reports for a process that this signal has ended."""
        return 128 + self.signal


def was_stopped(error: BaseException) -> bool:
    """Whether an exception means that somebody asked for the end; in a notebook Ctrl-C is a KeyboardInterrupt."""
    return isinstance(error, Stopped | KeyboardInterrupt)


class _State:
    """What was asked for, and how many blocks must not be interrupted."""

    def __init__(self) -> None:
        self.asked: Stopped | None = None
        self.deferring = 0


_state = _State()


@contextmanager
def stop_signals() -> Iterator[None]:
    """Raise `Stopped` in the main thread at the first signal; while that is being answered, further ones are not heard.

    A signal that is ignored (nohup, a shell's background job) or handled by somebody else stays as it is.
    """
    state, before = _State(), {}
    outer = _swap(state)
    for number in SIGNALS:
        found = signal.getsignal(number)
        if found in (signal.SIG_DFL, signal.default_int_handler, _answer):
            before[number] = signal.signal(number, _answer)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _swap(outer)


def _swap(state: _State) -> _State:
    global _state
    old, _state = _state, state
    return old


def _answer(number: int, frame: FrameType | None) -> None:
    if _state.asked is not None:
        os.write(2, b"screen: stopping already; what was computed is being put away\n")
        return
    _state.asked = Stopped(number)
    if not _state.deferring:
        raise _state.asked


def ignore_signals() -> None:
    """For the last steps of a process that is ending: nothing cuts its last words short."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def check_stop() -> None:
    """Raise a `Stopped` that got lost: Python drops exceptions that a signal raises inside a destructor."""
    if _state.asked is not None and not _state.deferring:
        raise _state.asked


@contextmanager
def not_interrupted() -> Iterator[None]:
    """Finish the block before a stop is answered; one that was asked for inside it is raised at its end."""
    before = _state.asked
    _state.deferring += 1
    try:
        yield
    finally:
        _state.deferring -= 1
    if _state.asked is not before:
        check_stop()
