"""What MLflow and the databases below it complain about, as one sentence with the remedy."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

_FOUND = re.compile(r"found version (\w+)")
_UNREACHABLE = (
    "Connection refused",
    "Max retries exceeded",
    "Name or service not known",
    "could not translate host name",
    "connection to server",
    "Can't connect to",
    "timed out",
)


ADDRESS = "set MLFLOW_TRACKING_URI to sqlite:///FILE.db or to the address of a server, or unset it"


def without_password(uri: str) -> str:
    """The URI as it may be written down."""
    scheme, found, rest = uri.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}" if found else uri


def why_unusable(error: BaseException, uri: str) -> str:
    """What is wrong with the store at `uri` and what to do about it; never cut, so that the remedy is there.

    Parameters
    ----------
    error
        Whatever MLflow, SQLAlchemy, a driver or the operating system raised.
    """
    shown = without_password(uri)
    text = " ".join(str(error).replace(uri, shown).split()) or type(error).__name__
    if found := _FOUND.search(text):
        return _schema(found[1], shown)
    if "filesystem tracking backend" in text and not _folder(uri).is_dir():
        return f"there is no such folder, and MLflow no longer makes one: {ADDRESS}"
    if type(error).__name__.startswith("Unsupported"):
        return f"MLflow has no such kind of store: {ADDRESS}"
    if "filesystem tracking backend" in text:
        return f"it is a folder of files, which MLflow no longer reads: {migration(_folder(uri))}"
    if isinstance(error, ModuleNotFoundError):
        return f"it needs the Python package {error.name}: pip install {error.name}"
    if "file is not a database" in text:
        return "it is no SQLite database: move it away, or set MLFLOW_TRACKING_URI to another one"
    if "database disk image is malformed" in text:
        return "the database is damaged: move it away, or put a backup in its place"
    if isinstance(error, OSError) and error.strerror:
        place = f" {error.filename}" if isinstance(error.filename, str) else ""
        return (
            f"{error.strerror}{place}; check that disk and its permissions, or set MLFLOW_TRACKING_URI to another store"
        )
    if "readonly database" in text:
        return "it cannot be written: change its permissions, or set MLFLOW_TRACKING_URI to another store"
    if "unable to open database file" in text:
        return "it cannot be opened: check that its folder exists and that you may read and write there"
    if "disk is full" in text:
        return "the disk is full: free some space"
    if "database is locked" in text:
        return "another process holds it: wait for that one to end"
    if any(word in text for word in _UNREACHABLE):
        return "nothing answers there: start that server or check its address, or unset MLFLOW_TRACKING_URI"
    # SQLAlchemy appends the statement and a link
    return text.partition(" [SQL: ")[0].partition(" (Background on this error")[0]


def migration(folder: Path) -> str:
    """How a file store becomes a database beside it."""
    source = folder.parent if folder.name == "mlruns" else folder
    target = f"sqlite:///{source / 'mlflow.db'}"
    command = shlex.join(["mlflow", "migrate-filestore", "--source", str(source), "--target", target])
    return f"run `{command}` and unset MLFLOW_TRACKING_URI"


def _folder(uri: str) -> Path:
    return Path(uri.removeprefix("file:").removeprefix("//")).absolute()


def _schema(version: str, shown: str) -> str:
    """Another version of MLflow made the tables: which of the two is older decides what to do."""
    import mlflow

    scripts = Path(mlflow.__file__).parent / "store" / "db_migrations" / "versions"
    if any(scripts.glob(f"{version}_*.py")):
        return f"an older MLflow made it: copy it for safety, then run `mlflow db upgrade {shlex.quote(shown)}`"
    return "a newer MLflow made it: run `pip install --upgrade mlflow`, or set MLFLOW_TRACKING_URI to another store"
