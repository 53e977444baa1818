"""What the poller says as a service: one line a message on stderr, as key=value or JSON, masked."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable
from datetime import datetime, timezone

from pipeline_trace.trace import redact

TEXT, JSON, PLAIN = "text", "json", "plain"
LOGGER = logging.getLogger("pipeline_trace.poll")
_LEVELS = {0: logging.WARNING, 1: logging.INFO}


def set_up(form: str, verbosity: int, secrets: Iterable[str] = ()) -> None:
    """Send all that is logged to stderr. ``form``: TEXT, JSON, or PLAIN: for people who wait for it.

    ``verbosity``: 0 warnings, 1 what was done too, 2 every request. ``secrets``: texts that are masked wherever they stand.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines(form, secrets))
    level = _LEVELS.get(verbosity, logging.DEBUG)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level if level == logging.DEBUG else logging.ERROR)
    LOGGER.setLevel(level)
    # It warns of every request that is tried again, which says less than we do when the last try has failed.
    logging.getLogger("urllib3").setLevel(level if level == logging.DEBUG else logging.ERROR)


def say(level: int, message: str, **fields: object) -> None:
    """Say something. ``fields``: what it is about."""
    LOGGER.log(level, "%s", message, extra={"fields": fields})


class Changes:
    """Says what is wrong when it begins, when it changes and when it is over; not every time that it is looked at.

    ``last``: what is wrong, or nothing.
    """

    def __init__(self, **fields: object) -> None:
        self._fields = fields
        self.last = ""

    def problem(self, problem: str, message: str, **fields: object) -> None:
        """Say the message, unless the last problem was this one."""
        if problem != self.last:
            say(logging.WARNING, message, **self._fields, **fields)
        self.last = problem

    def well(self, message: str) -> None:
        """Say the message, if something was wrong."""
        if self.last:
            say(logging.WARNING, message, **self._fields)
        self.last = ""


class _Lines(logging.Formatter):
    """Makes one line of a record, whatever stands in it."""

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
        text = " ".join(str(value).split())
        for secret in self._secrets:
            text = text.replace(secret, redact.MASK)
        return redact.masked(text)


def _quoted(value: object) -> str:
    text = str(value)
    return text if text and not set(text) & set(' "=') else json.dumps(text, ensure_ascii=False)
