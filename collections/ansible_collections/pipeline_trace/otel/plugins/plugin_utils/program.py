# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""The journal and the shipping process that all Ansible runs of this process share, and what its end does with them.

An Ansible command is one run. A program that uses Ansible's API may have many, one after another or in threads.
"""

from __future__ import annotations

import atexit
import os
import signal
import threading
from collections.abc import Mapping
from contextlib import suppress
from types import FrameType
from typing import Any, Protocol

from . import core

# HUP: the terminal is closed, or ssh has lost its connection.
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
# A journal is deleted when all of it is delivered. In a program that runs for months, this bounds its size.
_LARGEST_JOURNAL = 16 << 20
# Variables that say where spans are delivered, and how.
_OF_DELIVERY = ("OTEL_", "PIPELINE_TRACE_", "SSL_", "REQUESTS_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY")


class Run(Protocol):
    """A run that is not over yet. ``thread``: the thread that it runs in."""

    thread: int

    def finish(self) -> None:
        """End its spans, and put the environment back."""

    def cut_off(self, signal: str) -> None:
        """Note that a signal comes to this process, which may end it. ``signal``: its name."""

    def warn_of_loss(self, delivery: Delivery) -> None:
        """Tell the user how many spans could not be written, if any."""

    def tell(self, delivery: Delivery, traces: int) -> None:
        """Tell the user where the spans are. ``traces``: how many runs wrote to the journal."""


class Delivery:
    """A journal, its shipping process, and where that delivers to."""

    def __init__(self, environ: Mapping[str, str], flush_limit: float) -> None:
        """Create the journal. ``flush_limit``: seconds. Raises HomeError, JournalError."""
        self.environ = environ
        self.home = core.home.find_home(environ)
        self.journal = core.journal.Writer(self.home.journals)
        self._flush_limit = flush_limit
        self._shipper: Any = None

    @property
    def is_new(self) -> bool:
        """Whether the shipping process is not started yet."""
        return self._shipper is None

    def start(self) -> None:
        """Start the shipping process, unless it is started. Raises OSError."""
        if self.is_new:
            self._shipper = core.start.ShippingProcess(self.journal.path, self.environ, self._flush_limit)

    def serves(self, environ: Mapping[str, str]) -> bool:
        """Return whether a run with this environment can use it too."""
        return _of_delivery(environ) == _of_delivery(self.environ) and self.journal.size < _LARGEST_JOURNAL

    def end(self, reason: str) -> None:
        """End the journal. The shipping process delivers the rest. ``reason``: see journal.Writer.end."""
        self.journal.end(reason)

    def settle(self) -> None:
        """Wait for the delivery, at most for the flush limit."""
        self._shipper.settle()

    def release(self) -> None:
        """Leave the shipping process to itself."""
        self._shipper.release()


def _of_delivery(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name.upper().startswith(_OF_DELIVERY)}


class Program:
    """This process. ``reason``: the name of the signal that ends it, or empty."""

    def __init__(self) -> None:
        self.reason = ""
        self._process = os.getpid()
        self._delivery: Delivery | None = None
        self._traces = 0
        self._open: list[Run] = []
        self._handlers: dict[int, Any] = {}
        atexit.register(self._settle)

    def delivery(self, environ: Mapping[str, str], flush_limit: float) -> Delivery:
        """Return what delivers the spans of a run with this environment. Raises HomeError, JournalError.

        ``flush_limit``: how long the process waits for the delivery at its end, in seconds.
        """
        if self._delivery and not self._open and not self._delivery.serves(environ):
            self._delivery.end("")
            self._delivery.release()
            self._last.warn_of_loss(self._delivery)
            self._delivery = None
        if self._delivery is None:
            self._delivery, self._traces = Delivery(environ, flush_limit), 0
        return self._delivery

    def finish_earlier(self) -> None:
        """Finish the runs of this thread: Ansible runs one after another, so they are over."""
        for run in [run for run in self._open if run.thread == threading.get_ident()]:
            self._finish(run)

    def begin(self, run: Run) -> None:
        """Note that a run has begun. So an earlier signal, such as Ctrl-C at a prompt, did not end the process."""
        self.reason = ""
        self._open.append(run)
        self._traces += 1
        self._last = run
        self._watch_signals()

    def _finish(self, run: Run) -> None:
        # Until then, a signal may still come to it.
        try:
            run.finish()
        finally:
            self._open.remove(run)

    def forget(self) -> None:
        """Drop a journal that nothing is to be recorded in, unless other runs use it."""
        if self._delivery and not self._traces:
            self._delivery.journal.discard()
            self._delivery = None

    def _watch_signals(self) -> None:
        """Record the signals that end the process. Ansible may have set its own handlers since the last run began."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in _SIGNALS:
            now = signal.getsignal(number)
            # A signal that is ignored (nohup) stays ignored.
            if now not in (signal.SIG_IGN, None, self._note):
                self._handlers[number] = now
                signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> Any:
        """Record a signal, then do what the handler that was there before does."""
        # A forked worker has our handler until it sets its own.
        if os.getpid() == self._process:
            self.reason = signal.Signals(number).name
            for run in self._open:
                run.cut_off(self.reason)
            if number != signal.SIGINT and self._delivery:
                # The process kills itself, so atexit does not run. The shipping process continues.
                self._delivery.journal.note_end(self.reason)
        handler = self._handlers[number]
        if callable(handler):
            return handler(number, frame)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        return None

    def _settle(self) -> None:
        """End the journal, and wait for its delivery, at most for the flush limit. Runs at the exit of the process."""
        delivery = self._delivery
        if os.getpid() != self._process or delivery is None:
            return
        with suppress(Exception):
            if not self._traces:
                # What was to begin the first run went wrong.
                delivery.journal.discard()
                return
            for run in list(self._open):
                with suppress(Exception):
                    self._finish(run)
            delivery.end(self.reason)
            # A second Ctrl-C ends the wait. The user still gets the line that says where the spans are.
            with suppress(KeyboardInterrupt):
                delivery.settle()
            self._last.tell(delivery, self._traces)
            delivery.release()


_PROGRAMS: dict[int, Program] = {}


def this_program() -> Program:
    """Return the record of this process. A forked process has its own."""
    process = os.getpid()
    if process not in _PROGRAMS:
        _PROGRAMS.clear()
        _PROGRAMS[process] = Program()
    return _PROGRAMS[process]
