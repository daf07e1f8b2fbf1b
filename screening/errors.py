"""The two errors that every room may raise: the user's input is bad, or one candidate cannot go on.

Rooms define further ones beside what raises them: subclasses of these, or what their own callers catch.
"""


def first_line(error: BaseException) -> str:
    """The first line of what another package says, to stand in a sentence; the kind of error where it says nothing."""
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__


class UserError(Exception):
    """Bad input: one sentence that says what is wrong and what to do. The command line exits with code 2."""


class CandidateFailed(Exception):
    """One candidate cannot go on (NaN forces, exploded cell, ...); it is recorded as failed and the rest continue.

    Where the whole screen rests on it (the pristine host, the parent interface), the screen ends with exit code 1.
    """
