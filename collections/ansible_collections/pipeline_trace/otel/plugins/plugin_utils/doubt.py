# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Holds back ended spans for a moment after a command was ended by TERM, which may be the first sign of an abort.

Jenkins ends a build's processes from the inside to the outside, and waits for each: first a task's command, then Ansible's
worker, then Ansible. So Ansible sees a failed command, and may run on for a moment, before the signal comes to itself. If it
comes, these failures were cancellations. Elsewhere, nobody ends processes in this order, and nothing is held back.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from . import core

c = core.conventions
# Jenkins waits some tens of milliseconds for each process; a host has about five. Each host's command begins the time anew.
SECONDS = 3.0
_MOST_LINES = 5_000
_FINE = tuple(f'"{c.TASK_RUN_RESULT}":"{word}"' for word in (c.SUCCESS, c.SKIP))


class Doubt:
    """Takes the place of a journal from ``begin`` to ``end``."""

    def __init__(self, journal: Any, put: Callable[[Any], None]) -> None:
        """``put``: tells those who write where to write from now on."""
        self._journal = journal
        self._put = put
        self._held: list[str] = []
        self._until = 0.0
        # A signal handler may come in between. The timer runs in its own thread.
        self._lock = threading.RLock()
        self._timer: threading.Timer | None = None

    def begin(self) -> None:
        """Hold back all spans that end from now on, for SECONDS."""
        with self._lock:
            self._until = time.monotonic() + SECONDS
            self._start_timer(SECONDS)
            self._put(self)

    def _start_timer(self, seconds: float) -> None:
        if self._timer is None:
            self._timer = threading.Timer(seconds, self._look)
            self._timer.daemon = True
            self._timer.start()

    def _look(self) -> None:
        """End if the time is over. Runs in the timer's thread: Ansible may call no hook for hours."""
        with self._lock:
            self._timer = None
            left = self._until - time.monotonic()
            if left > 0:
                self._start_timer(left)
            else:
                self.end()

    def wait(self) -> None:
        """Wait until the time is over. A signal may come meanwhile."""
        with suppress(KeyboardInterrupt):
            while self._held and (left := self._until - time.monotonic()) > 0:
                time.sleep(left)

    def end(self, signal: str = "") -> None:
        """Write what was held back. ``signal``: the one that ended Ansible too; then failures become cancellations."""
        with self._lock:
            self._until = 0.0
            self._put(self._journal)
            held, self._held = self._held, []
            for line in held:
                fine = not signal or any(words in line for words in _FINE)
                self._journal.span_line(line if fine else _cancelled(line, signal))

    def open(self, span: Any) -> None:
        """Write a span that has begun."""
        with self._lock:
            self._journal.open(span)

    def open_line(self, line: str) -> None:
        """Write a span that has begun, as a line of trace/lines.py."""
        with self._lock:
            self._journal.open_line(line)

    def span(self, span: Any) -> None:
        """Write a span that has ended, or hold it back."""
        self.span_line(_line(span))

    def span_line(self, line: str) -> None:
        """Write a span that has ended, as a line of trace/lines.py, or hold it back."""
        with self._lock:
            if self._until and len(self._held) < _MOST_LINES:
                self._held.append(line)
            else:
                self.end()
                self._journal.span_line(line)


def _cancelled(line: str, signal: str) -> str:
    """Return the line of a span that failed, as one that a signal cancelled."""
    span = core.span.Span.from_dict(json.loads(line))
    span.cancel(signal, span.end_ns)
    for name in (c.ANSIBLE_RESULT, c.DEPLOYMENT_STATUS):
        span.attributes.pop(name, None)
    return _line(span)


def _line(span: Any) -> str:
    return str(core.span.encode({"type": "span", **span.to_dict()}))
