"""What the library logs, as a user wants to see it: each sentence once, and no traceback unless asked for."""

from __future__ import annotations

import logging
import os
import sys

TRACEBACK = "COATSCREEN_TRACEBACK"
"""Environment variable that shows where in the code a failure arose."""

NOISY = ("matplotlib", "mlflow", "alembic")
"""Libraries whose warnings (no cache folder for fonts, migrations of a database) are not about the user's work."""


def set_up(level: int = logging.WARNING) -> None:
    """Send what is logged from `level` on to standard error; every process of ours calls it before anything else."""
    handler = _StandardError()
    handler.addFilter(_Once())
    handler.setFormatter(_Sentence("%(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.handlers = [h for h in root.handlers if not isinstance(h, _StandardError)]
    root.addHandler(handler)
    root.setLevel(level)
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.ERROR)


def verbose() -> None:
    """Show what the engine does, too."""
    logging.getLogger().setLevel(logging.INFO)


class _StandardError(logging.StreamHandler):
    """Writes to whatever standard error is at the moment."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> object:
        return sys.stderr

    def handleError(self, record: logging.LogRecord) -> None:
        """A message that cannot be written must not print a traceback about it."""


class _Once(logging.Filter):
    """Lets a warning through once, whoever repeats it; what is logged for information may repeat."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        if record.levelno < logging.WARNING:
            return True
        known = text in self._seen
        self._seen.add(text)
        return not known


class _Sentence(logging.Formatter):
    """Message and the error behind it in one line."""

    def format(self, record: logging.LogRecord) -> str:
        if os.environ.get(TRACEBACK):
            return super().format(record)
        error = record.exc_info[1] if record.exc_info else None
        # a worker sends its traceback as text
        text = self.formatMessage(_with_message(record)).partition("\nTraceback (most recent call last)")[0]
        return text if error is None else f"{text} ({type(error).__name__}: {error}; {TRACEBACK}=1 shows where)"


def _with_message(record: logging.LogRecord) -> logging.LogRecord:
    record.message = record.getMessage()
    return record
