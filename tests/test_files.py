"""One way to write files: whole or not at all, in the place of what was there, with errors that name it."""

from __future__ import annotations

import ast
import errno
import hashlib
import os
import stat
from pathlib import Path

import pytest

import screening
from screening.campaign.load import read_summary
from screening.errors import UserError
from screening.files import check_writable, naming, read_received, replacing, sha256_of, write_bytes, write_text
from screening.potentials.model_card import read_card
from screening.retraining.softening import load_softening
from screening.validation.jobs import read_manifest


def test_a_file_is_written_in_utf8_whatever_the_locale(tmp_path):
    write_text(tmp_path / "a", "±Å\n")
    assert (tmp_path / "a").read_bytes() == "±Å\n".encode()


def test_a_name_that_is_no_text_can_be_written_down(tmp_path):
    write_text(tmp_path / "a", os.fsdecode(b"caf\xe9"))
    assert (tmp_path / "a").read_text(encoding="utf-8") == r"caf\udce9"


@pytest.mark.parametrize("step", ["fsync", "replace", "fchmod"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EDQUOT])
def test_a_write_that_fails_leaves_the_old_file_and_names_it(tmp_path, monkeypatch, step, number):
    path = tmp_path / "ranking.csv"
    path.write_text("old")

    def refuse(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path if step == "replace" else os, step, refuse)
    with pytest.raises(OSError) as caught:
        write_text(path, "new")
    monkeypatch.undo()
    assert (caught.value.errno, caught.value.filename) == (number, str(path))
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["ranking.csv"]


def test_a_block_that_fails_leaves_nothing_behind(tmp_path):
    def half() -> None:
        with replacing(tmp_path / "a") as file:
            file.write(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half()
    assert list(tmp_path.iterdir()) == []


def test_a_file_keeps_its_permissions_and_a_new_one_follows_the_umask(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text("")
    old.chmod(0o664)
    before = os.umask(0o027)
    try:
        write_bytes(old, b"1")
        write_bytes(new, b"1")
    finally:
        os.umask(before)
    assert [stat.S_IMODE(p.stat().st_mode) for p in (old, new)] == [0o664, 0o640]


def test_a_link_stays_one_and_its_file_is_replaced(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    real, link = tmp_path / "elsewhere" / "real", tmp_path / "link"
    real.write_text("old")
    link.symlink_to(real)
    write_text(link, "new")
    assert link.is_symlink()
    assert real.read_text() == "new"


def test_what_is_no_file_is_written_to_and_never_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_text(pipe, "through")
        assert os.read(reader, 100) == b"through"
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_file_system_that_cannot_flush_is_no_error(tmp_path, monkeypatch):
    def refuse(_):
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "fsync", refuse)
    write_text(tmp_path / "a", "kept")
    assert (tmp_path / "a").read_text() == "kept"


def test_a_folder_in_the_place_of_the_file_is_named(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(IsADirectoryError) as caught:
        write_text(tmp_path / "a", "x")
    assert caught.value.filename == str(tmp_path / "a")


def test_naming_keeps_what_an_error_names_already():
    with pytest.raises(PermissionError) as caught, naming(Path("other")):
        raise PermissionError(errno.EACCES, "Permission denied", "named")
    assert caught.value.filename == "named"


def test_the_hash_is_that_of_all_bytes(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 3_000_000)
    (tmp_path / "b").write_bytes(b"y")
    expected = hashlib.sha256(b"x" * 3_000_000 + b"y").hexdigest()
    assert sha256_of(tmp_path / "a", tmp_path / "b") == expected


def test_no_module_reads_or_writes_text_in_the_encoding_of_the_locale():
    """LANG=C makes it ASCII: every text file states UTF-8."""
    found = []
    for path in Path(screening.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and _text_without_encoding(node):
                found.append(f"{path.name}:{node.lineno}")
    assert found == []


def _text_without_encoding(call: ast.Call) -> bool:
    if ast.unparse(call.func) == "os.open":  # gives a number, not a text
        return False
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if any(k.arg == "encoding" for k in call.keywords):
        return False
    if name == "read_text":
        return True
    if name == "write_text":  # ours, a function of path and text, is UTF-8 always
        return len(call.args) == 1
    modes = [a.value for a in (*call.args, *(k.value for k in call.keywords)) if isinstance(a, ast.Constant)]
    return name == "open" and not any(isinstance(m, str) and "b" in m for m in modes)


def test_a_pipe_or_device_behind_a_received_name_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "summary.yaml")
    (tmp_path / "card.yaml").symlink_to("/dev/zero")
    for name in ("summary.yaml", "card.yaml"):
        with pytest.raises(ValueError, match="a pipe or a device"):
            read_received(tmp_path / name)
    (tmp_path / "text").write_bytes("µ".encode())
    assert read_received(tmp_path / "text") == "µ"


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("card.yaml", read_card),
        ("summary.yaml", read_summary),
        ("validation.yaml", read_manifest),
        ("card.yaml", load_softening),
    ],
)
def test_readers_of_received_folders_do_not_wait_for_a_pipe(name, read, tmp_path):
    (tmp_path / name).symlink_to("/dev/zero")
    with pytest.raises(UserError):
        read(tmp_path)


def test_a_folder_that_cannot_be_written_is_named_and_nothing_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_writable(tmp_path / "new" / "deeper", "--out")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="is a file"):
        check_writable(tmp_path / "file" / "run", "--out")
    with pytest.raises(UserError, match="file is a file; give --out a folder"):
        check_writable(tmp_path / "file", "--out")
    with pytest.raises(UserError, match=r"cannot be used .*; choose another --out"):
        check_writable(tmp_path / ("x" * 5000), "--out")
    # the superuser may write everywhere
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)
    with pytest.raises(UserError, match="read-only for you; choose another --out"):
        check_writable(tmp_path / "new", "--out")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file"]
