"""Where a run keeps its records: on a database server that its summary names, or in a file of its folder."""

from __future__ import annotations

from pathlib import Path

STORE, SUMMARY = "store.db", "summary.yaml"
"""Names of the record store and of the summary in a run's folder."""


def is_url(location: str) -> bool:
    """Whether a location is a server's and no file's."""
    return "://" in location


def store_location(run: Path, stated: object) -> str | Path:
    """URL or path of a run's record store, whether it exists or not.

    Parameters
    ----------
    run
        Its folder.
    stated
        What its summary says under ``store``; the file that is named there has moved along with the folder.
    """
    url = str(stated or "")
    return url if is_url(url) else run / STORE
