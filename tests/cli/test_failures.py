"""The sentence of every failure, and that none reaches the user as a traceback."""

from __future__ import annotations

import errno
import logging
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from screening.cli import app, failures
from screening.errors import CandidateFailed, UserError
from screening.process import logs, system_errors


def ended(monkeypatch, capfd, error: BaseException) -> tuple[int, str]:
    """Exit code and standard error of a command that raises `error`."""

    def fail(**_):
        raise error

    monkeypatch.setattr(app, "app", fail)
    with pytest.raises(SystemExit) as end:
        app.main()
    return int(end.value.code), capfd.readouterr().err


@pytest.mark.parametrize(("number", "code_and_words"), [
    (errno.EACCES, "give a place where you may write"),
    (errno.ENOSPC, "free some space"),
    (errno.EDQUOT, "your share of the disk"),
    (errno.EROFS, "a disk that can be written"),
    (errno.ENOLCK, "a folder on a local disk"),
    (errno.ENAMETOOLONG, "a shorter name"),
    (errno.ENOTDIR, "a part of that path is a file"),
    (errno.EISDIR, "not a folder"),
    (errno.EMFILE, "ulimit -n"),
    (errno.EIO, "check the disk"),
    (errno.ESTALE, "mount it again"),
    (errno.EXDEV, system_errors.DEFAULT),
], ids=lambda v: errno.errorcode[v] if isinstance(v, int) else "")  # fmt: skip
def test_an_error_of_the_system_names_place_reason_and_remedy(monkeypatch, capfd, number, code_and_words):
    code, text = ended(monkeypatch, capfd, OSError(number, os.strerror(number), "runs/a"))
    assert code == 2
    assert text.startswith(f"screen: runs/a cannot be used ({os.strerror(number)}): ")
    assert code_and_words in text
    assert text.count("\n") == 1


def test_both_places_of_a_renaming_and_bytes_are_named(monkeypatch, capfd):
    error = OSError(errno.EXDEV, "Invalid cross-device link", b"a", None, "b")
    assert "a and b" in ended(monkeypatch, capfd, error)[1]


def test_without_a_place_the_current_folder_is_named(monkeypatch, capfd, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert str(tmp_path) in ended(monkeypatch, capfd, OSError(errno.ENOSPC, "No space left on device"))[1]


@pytest.mark.parametrize(("error", "code", "words"), [
    (UserError("say it"), 2, "screen: say it\n"),
    (CandidateFailed("no energy"), 1, "screen: the screen cannot go on: no energy\n"),
    (sqlite3.OperationalError("database or disk is full"), 2, "database or disk is full"),
    (MemoryError(), 1, "not enough memory"),
    (UnicodeEncodeError("utf-8", "caf\udce9", 3, 4, "surrogates not allowed"), 2, "'caf\\udce9' cannot be written"),
    (UnicodeDecodeError("utf-8", b"a\nb\xe9", 3, 4, "invalid"), 2, "no utf-8 text (line 2): save it as UTF-8"),
])  # fmt: skip
def test_what_has_a_sentence_of_its_own(monkeypatch, capfd, error, code, words):
    found, text = ended(monkeypatch, capfd, error)
    assert found == code
    assert words in text
    assert text.count("\n") == 1


def test_what_nobody_thought_of_is_one_sentence_and_a_file_with_the_traceback(monkeypatch, capfd, tmp_path):
    monkeypatch.setattr(failures.tempfile, "tempdir", str(tmp_path))
    code, text = ended(monkeypatch, capfd, IndexError("list index\nout of range"))
    assert code == 1
    assert text.startswith("screen: this should not have happened (IndexError: list index out of range)")
    assert text.count("\n") == 1
    (log,) = tmp_path.glob("coatscreen-*.log")
    assert str(log) in text
    assert "Traceback" in log.read_text()


def test_where_no_file_can_be_written_the_variable_is_named(monkeypatch, capfd):
    def refuse(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(failures.tempfile, "NamedTemporaryFile", refuse)
    assert "COATSCREEN_TRACEBACK=1" in ended(monkeypatch, capfd, IndexError("x"))[1]


def test_the_traceback_is_shown_to_who_asks_for_it(monkeypatch, capfd):
    monkeypatch.setenv(failures.TRACEBACK, "1")
    assert "Traceback" in ended(monkeypatch, capfd, UserError("say it"))[1]


def test_a_failure_is_said_once(monkeypatch, capfd, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["screen", "window", "LiNbO3", "--phases", "none.json"])
    with pytest.raises(SystemExit) as end:
        app.main()
    assert end.value.code == 2
    assert capfd.readouterr().err.count("none.json cannot be read") == 1


@pytest.fixture
def log(monkeypatch):
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", list(root.handlers))
    monkeypatch.setattr(root, "level", root.level)
    logs.set_up()
    return logging.getLogger("screening.somewhere")


def test_a_warning_is_printed_once_and_an_error_without_its_traceback(log, capsys):
    for _ in range(2):
        log.warning("the disk of %s is slow", "a")
    try:
        raise IndexError("x")
    except IndexError:
        log.exception("b failed")
    log.error("c failed: x\n%s", "Traceback (most recent call last):\n  File y")
    log.info("a detail")
    assert capsys.readouterr().err.splitlines() == [
        "WARNING screening.somewhere: the disk of a is slow",
        "ERROR screening.somewhere: b failed (IndexError: x; COATSCREEN_TRACEBACK=1 shows where)",
        "ERROR screening.somewhere: c failed: x",
    ]


def test_verbose_shows_details(log, capsys):
    logs.verbose()
    log.info("a detail")
    assert capsys.readouterr().err == "INFO screening.somewhere: a detail\n"


PRINTING = (
    "import sys; from screening.cli import app; from screening.report.console import make_console\n"
    "def show(**_):\n"
    "    for i in range(20000): make_console().print(f'line {i}')\n"
    "app.app = show; app.main()"
)


def run_printing(tmp_path: Path, shell: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", shell, sys.executable, PRINTING], capture_output=True, text=True, cwd=tmp_path, check=False
    )


def test_a_reader_that_has_had_enough_is_no_failure(tmp_path):
    done = run_printing(tmp_path, '"$0" -c "$1" | head -n 1')
    assert (done.stdout, done.stderr) == ("line 0\n", "")


def test_output_that_cannot_be_written_is_one_sentence(tmp_path):
    done = run_printing(tmp_path, '"$0" -c "$1" > /dev/full')
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "No space left on device" in done.stderr
    assert "standard output" in done.stderr


def test_closed_output_is_no_traceback(tmp_path):
    done = run_printing(tmp_path, '"$0" -c "$1" >&-')
    assert "Traceback" not in done.stderr


def test_a_library_that_finds_no_memory_is_told_as_that():
    error = ImportError("libtorch_cpu.so: failed to map segment from shared object")
    assert failures.sentence(error).startswith("there is not enough memory: ")
