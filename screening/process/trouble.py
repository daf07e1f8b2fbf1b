"""Failures that say nothing about a candidate: a full disk, a read-only file system, a store that is out of reach.

They stop the run, which the same command continues; as the failure of one candidate they would spoil a ranking.
"""

from __future__ import annotations

import errno

from screening.errors import UserError

MACHINE_ERRORS = frozenset(
    {
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EFBIG,
        errno.EROFS,
        errno.EACCES,
        errno.EPERM,
        errno.EIO,
        errno.ENOLCK,
        errno.ESTALE,
        errno.ENODEV,
        errno.ENXIO,
        errno.EMFILE,
        errno.ENFILE,
    }
)
"""Numbers of an OSError that the next candidate would meet as well."""


class StoreUnusable(UserError):
    """The record store cannot be read or written now; it is not damaged."""


def stops_the_run(error: BaseException) -> bool:
    """Whether an error belongs to the machine and not to what was computed when it came up."""
    return isinstance(error, StoreUnusable) or (isinstance(error, OSError) and error.errno in MACHINE_ERRORS)
