"""One exception for every signal that asks for the end, and nothing that cuts its answer short."""

import os
import signal
import sys

import pytest

from screening.process.stopping import Stopped, check_stop, not_interrupted, stop_signals, was_stopped


def tell(number: int) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize(
    ("number", "said", "code"),
    [
        (signal.SIGTERM, "stopped by SIGTERM", 143),
        (signal.SIGINT, "stopped by Ctrl-C", 130),
        (signal.SIGHUP, "stopped by SIGHUP", 129),
        (signal.SIGUSR1, "stopped by SIGUSR1", 138),
        (signal.SIGXCPU, "stopped by SIGXCPU", 152),
    ],
)
def test_every_signal_says_what_it_was(number: int, said: str, code: int) -> None:
    before = signal.getsignal(number)
    with pytest.raises(Stopped, match=said) as caught, stop_signals():
        tell(number)
    assert caught.value.exit_code == code
    assert was_stopped(caught.value)
    assert signal.getsignal(number) is before


def test_a_second_signal_does_not_interrupt_what_the_first_began(capfd: pytest.CaptureFixture[str]) -> None:
    put_away = []

    def work() -> None:
        try:
            tell(signal.SIGTERM)
        finally:
            tell(signal.SIGINT)
            tell(signal.SIGTERM)
            put_away.append(True)

    with pytest.raises(Stopped, match="SIGTERM"), stop_signals():
        work()
    assert put_away == [True]
    assert "stopping already" in capfd.readouterr().err


def test_a_block_that_must_be_whole_ends_first() -> None:
    whole = []

    def work() -> None:
        with not_interrupted():
            tell(signal.SIGTERM)
            whole.append(True)
        whole.append(False)

    with pytest.raises(Stopped), stop_signals():
        work()
    assert whole == [True]


def test_a_stop_that_python_dropped_is_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    dropped: list[object] = []

    class Careless:
        def __del__(self) -> None:
            tell(signal.SIGTERM)

    with stop_signals():
        check_stop()
        monkeypatch.setattr(sys, "unraisablehook", dropped.append)
        careless = Careless()
        del careless
        assert len(dropped) == 1
        with pytest.raises(Stopped):
            check_stop()


def test_what_is_ignored_stays_ignored() -> None:
    """As under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_signals():
            tell(signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_server_inside_a_command_answers_for_itself() -> None:
    with stop_signals():
        with pytest.raises(Stopped), stop_signals():
            tell(signal.SIGTERM)
        check_stop()  # the inner one was answered
        with pytest.raises(Stopped):
            tell(signal.SIGINT)
