"""The poller's log on stderr: one line for each message, as key=value or JSON, with masked secrets."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable
from datetime import datetime, timezone

from pipeline_trace.trace import redact

from ..fetch.errors import one_line

# Letters of a message or a field.
_LONGEST_TEXT = 10_000

TEXT, JSON, PLAIN = "text", "json", "plain"
LOGGER = logging.getLogger("pipeline_trace.poll")
_LEVELS = {0: logging.WARNING, 1: logging.INFO}


def set_up(form: str, verbosity: int, secrets: Iterable[str] = ()) -> None:
    """Send the log of the whole process to stderr. ``form``: TEXT, JSON, or PLAIN for a person at a terminal.

    ``verbosity``: 0 for warnings, 1 also for what was done, 2 also for every request. ``secrets``: texts to mask everywhere.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines(form, secrets))
    level = _LEVELS.get(verbosity, logging.DEBUG)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level if level == logging.DEBUG else logging.ERROR)
    LOGGER.setLevel(level)
    # urllib3 warns about every retry. The poller's own message, after the last try, says more.
    logging.getLogger("urllib3").setLevel(level if level == logging.DEBUG else logging.ERROR)


def say(level: int, message: str, **fields: object) -> None:
    """Log a message. ``level``: as in logging. ``fields``: added to the line as keys and values."""
    LOGGER.log(level, "%s", message, extra={"fields": fields})


class Changes:
    """Logs a problem when it begins, when it changes and when it ends, but not each time that it occurs.

    ``last``: the current problem; "" if there is none.
    """

    def __init__(self, **fields: object) -> None:
        self._fields = fields
        self.last = ""

    def problem(self, problem: str, message: str, **fields: object) -> None:
        """Log the message, unless ``problem`` is the current problem already."""
        if problem != self.last:
            say(logging.WARNING, message, **self._fields, **fields)
        self.last = problem

    def well(self, message: str) -> None:
        """Log the message if there was a problem. The problem has ended."""
        if self.last:
            say(logging.WARNING, message, **self._fields)
        self.last = ""


class _Lines(logging.Formatter):
    """Formats a record as one line, even if its message has several lines."""

    def __init__(self, form: str, secrets: Iterable[str]) -> None:
        super().__init__()
        self._form = form
        self._secrets = [secret for secret in secrets if secret]

    def format(self, record: logging.LogRecord) -> str:
        fields = {name: self._clean(value) for name, value in getattr(record, "fields", {}).items()}
        message = self._clean(record.getMessage())
        if record.exc_info and record.exc_info[1]:
            fields["error"] = self._clean(repr(record.exc_info[1]))
        if self._form == PLAIN:
            return f"pipeline-trace: {message}"
        time = datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds")
        whole = {"time": time.replace("+00:00", "Z"), "level": record.levelname.lower(), "msg": message, **fields}
        if self._form == JSON:
            return json.dumps(whole, ensure_ascii=False)
        return " ".join(f"{name}={_quoted(value)}" for name, value in whole.items())

    def _clean(self, value: object) -> object:
        if isinstance(value, int | float):
            return value
        text = str(value)
        for secret in self._secrets:
            text = text.replace(secret, redact.MASK)
        return one_line(redact.masked(" ".join(text.split())), _LONGEST_TEXT)


def _quoted(value: object) -> str:
    text = str(value)
    return text if text and not set(text) & set(' "=') else json.dumps(text, ensure_ascii=False)
