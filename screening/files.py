"""How files are written, replaced and fingerprinted, and whether they can be: the one place for all of them."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import yaml

from screening.errors import UserError

# What a file system says that cannot flush: the data are as safe there as they can be.
_NO_FSYNC = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS)

PARSE_ERRORS = (yaml.YAMLError, ValueError, RecursionError)
"""What text that is no YAML or JSON raises: bytes that are no UTF-8, a date of the 40th, brackets without end."""


def read_received(path: Path) -> str:
    """Text of a file that lies in a folder which anybody may have sent.

    Raises
    ------
    ValueError
        When it is no UTF-8, or a pipe or device (also by a link), which has no end.
    """
    if not stat.S_ISREG(path.stat().st_mode) and not path.is_dir():  # a folder is refused by the system
        raise ValueError("it is a pipe or a device and no file")
    return path.read_text(encoding="utf-8")


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file for binary writing that takes the place of `path` when the block ends without an error.

    A reader, or a kill at any moment, sees the old content or the new one, never a part. An existing file keeps its
    permissions, a link keeps pointing to the file that is replaced, and what cannot be replaced (``/dev/stdout``, a
    named pipe) is written to directly.

    Raises
    ------
    OSError
        Names `path`, whichever step failed (the file system does not, when a disk is full).
    """
    with naming(path):
        target = path.resolve() if path.is_symlink() else path
        mode = _mode(target)
        if mode is not None and not stat.S_ISREG(mode):
            with target.open("wb") as file:
                yield file
            return
        # in the same folder: a replacement is atomic only within one file system
        temporary = target.with_name(f".{os.getpid()}-{secrets.token_hex(4)}.tmp")
        try:
            with temporary.open("xb") as file:
                if mode is not None:
                    os.fchmod(file.fileno(), stat.S_IMODE(mode))
                yield file
                file.flush()
                _to_disk(file)
            temporary.replace(target)
        except BaseException:
            with contextlib.suppress(OSError):  # the error that led here says more
                temporary.unlink(missing_ok=True)
            raise


def write_text(path: Path, text: str) -> None:
    """`replacing` with a text in UTF-8; of a file name that is no valid text the odd bytes are spelt out."""
    write_bytes(path, text.encode("utf-8", errors="backslashreplace"))


def write_bytes(path: Path, data: bytes) -> None:
    """`replacing` with these bytes."""
    with replacing(path) as file:
        file.write(data)


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let an OSError from the block name `path`, where it names no file or one of our own temporary ones.

    Raises
    ------
    OSError
        Of the same kind, with `path` as its file.
    """
    try:
        yield
    except OSError as error:
        named = error.filename
        if error.errno is None or (isinstance(named, str) and not named.endswith(".tmp")):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def sha256_of(*paths: Path) -> str:
    """SHA-256 of the files' bytes, one after the other; files of any size."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _mode(path: Path) -> int | None:
    """File type and permissions, None for a file that does not exist yet."""
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return None


def _to_disk(file: BinaryIO) -> None:
    try:
        os.fsync(file.fileno())
    except OSError as error:
        if error.errno not in _NO_FSYNC:
            raise


def check_writable(folder: Path, option: str) -> None:
    """Refuse a folder that is not there and cannot be made, or is there and cannot be written; nothing stays there.

    Raises
    ------
    UserError
        Names what stands in the way.
    """
    import tempfile  # with all that it imports, which most commands do without

    try:
        nearest_one = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    except OSError as error:
        raise UserError(f"{folder} cannot be used ({error.strerror}); choose another {option}.") from error
    if nearest_one == folder and not folder.is_dir():
        raise UserError(f"{folder} is a file; give {option} a folder.")
    if not nearest_one.is_dir():
        raise UserError(f"{nearest_one} is a file, so {folder} cannot be a folder; choose another {option}.")
    if not os.access(nearest_one, os.W_OK | os.X_OK):
        raise UserError(f"{folder} cannot be written: {nearest_one} is read-only for you; choose another {option}.")
    try:
        with tempfile.TemporaryFile(dir=nearest_one):  # of no name, as Linux makes it: nobody sees it come and go
            pass
    except OSError as error:  # whatever else is wrong with a disk (it is full) is said by what writes
        if error.errno in (errno.ENOENT, errno.EACCES, errno.EPERM, errno.EROFS):
            raise UserError(f"{folder} cannot be written ({error.strerror}); choose another {option}.") from error
