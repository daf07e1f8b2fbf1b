"""The two ways in which work can be refused."""


class UserError(Exception):
    """Bad input: one sentence that says what is wrong and what to do. The command line exits with code 2."""


class CandidateFailed(Exception):
    """One candidate cannot go on (NaN forces, exploded cell, ...); it is recorded as failed and the rest continue."""
