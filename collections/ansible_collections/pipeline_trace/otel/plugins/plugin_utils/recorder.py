# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""A run's journal and the process that ships it: set up at the run's start, settled at its end, whatever ends it."""

from __future__ import annotations

import atexit
import os
import signal
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import FrameType
from typing import Any

from . import core
from .playbook_spans import PlaybookSpans

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Recorder:
    """Records one command's playbooks. ``active`` is False where nothing is to be recorded."""

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        ansible_version: str,
        flush_limit: float,
        trace_per: str,
        several: bool,
        warn: Callable[[str], object],
        say: Callable[[str], object],
    ) -> None:
        """Find the run's place, make its journal and start its shipping process. ``flush_limit``: seconds."""
        self.active = False
        self._environ = environ
        self._warn = lambda text: warn(f"pipeline-trace: {text}")
        self._say = lambda text: say(f"pipeline-trace: {text}")
        self._process = os.getpid()
        self._reason = ""
        if core.destinations.disabled(environ):
            return
        try:
            self._home = core.home.find(environ)
            journal = core.journal.Writer(self._home.journals)
        except (core.home.HomeError, core.journal.JournalError) as error:
            self._warn(f"this run is not traced: {error}")
            return
        if self._home.warning:
            self._warn(self._home.warning)
        self._journal = journal
        # Asked before the shipping process starts: the two would only wait for each other's processor.
        place = core.where.stand(environ, self._home.path, trace_per)
        for warning in place.warnings:
            self._warn(warning)
        if not place.sampled:
            journal.discard()
            return
        self._shipper = core.shipper.Shipper(journal.path, environ, flush_limit)
        self.spans = PlaybookSpans(journal, place, self._resource(place, ansible_version), several=several)
        self.active = True
        self._watch_the_end()

    def _resource(self, place: Any, ansible_version: str) -> dict[str, Any]:
        found: dict[str, Any] = core.resource.from_environment(self._environ, "ansible")
        return {**found, "host.name": socket.gethostname(), "ansible.version": ansible_version, **place.resource}

    def _watch_the_end(self) -> None:
        atexit.register(self._settle)
        if threading.current_thread() is not threading.main_thread():
            return
        for number in _SIGNALS:
            before = signal.getsignal(number)
            # Ignored signals (nohup) stay ignored.
            if before is not signal.SIG_IGN and before is not None:
                signal.signal(number, self._noting(before))

    def _noting(self, before: Any) -> Callable[[int, FrameType | None], Any]:
        """Return a handler that notes what ended the run, then does what was done before."""

        def handler(number: int, frame: FrameType | None) -> Any:
            # A forked worker has our handlers until it sets its own.
            if os.getpid() == self._process:
                self._reason = signal.Signals(number).name
                if number == signal.SIGTERM:
                    # No atexit follows: Ansible kills itself. The shipping process goes on.
                    self._journal.end(self._reason)
            if callable(before):
                return before(number, frame)
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return None

        return handler

    def _settle(self) -> None:
        """End the journal and wait for its delivery, no longer than the flush limit. Runs at the process's exit."""
        if os.getpid() != self._process:
            return
        with suppress(Exception):
            self._journal.end(self._reason)
            delivered = self._shipper.settle()
            self._shipper.release()
            if self._journal.dropped:
                self._warn(
                    f"{self._journal.dropped} spans could not be written to {self._journal.path} ({self._journal.problem})"
                )
            if delivered:
                self._say_delivered()
            else:
                self._say_waiting()

    def _say_delivered(self) -> None:
        trace = self.spans.trace_id
        receiver = core.destinations.endpoint(self._environ)
        if receiver:
            self._say(f"trace {trace} sent to {receiver}")
        elif core.where.in_ci(self._environ):
            here = f"trace {trace} is in {self._home.store} on this machine"
            self._say(f"{here}; set OTEL_EXPORTER_OTLP_ENDPOINT to send it to a Collector")
        else:
            self._say(f"trace {trace}; see it with: {core.shipper.hint('show', trace)}")

    def _say_waiting(self) -> None:
        waiting = core.journal.waiting(self._journal.path)
        problem = core.journal.load_state(self._journal.path).problem or "no answer in time"
        self._warn(
            f"{waiting} spans wait in {self._journal.path} ({problem}); deliver them with: {core.shipper.hint('ship')}"
        )
