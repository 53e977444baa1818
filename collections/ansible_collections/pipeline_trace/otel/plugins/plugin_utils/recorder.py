# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Sets up the journal and the shipping process when an Ansible command starts, and waits for the delivery at its end.

This also works if a signal or an error ends the command.
"""

from __future__ import annotations

import atexit
import os
import signal
import socket
import threading
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import suppress
from types import FrameType
from typing import Any

from . import core, deployment
from .carrier import Carrier
from .playbook_spans import PlaybookSpans
from .settings import Command, Settings

c = core.conventions

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Recorder:
    """Records the playbooks of one Ansible command. ``wanted`` is False if tracing is off for this command."""

    spans: PlaybookSpans
    carrier: Carrier | None = None

    def __init__(
        self,
        environ: MutableMapping[str, str],
        settings: Settings,
        command: Command,
        *,
        ansible_version: str,
        warn: Callable[[str], object],
        say: Callable[[str], object],
    ) -> None:
        """``warn``, ``say``: functions that show a line to the user."""
        self.settings = settings
        self.command = command
        self._process_environ = environ
        self._ansible_version = ansible_version
        self._warn = lambda text: warn(f"pipeline-trace: {text}")
        self._say = lambda text: say(f"pipeline-trace: {text}")
        self._process = os.getpid()
        self._journal: Any = None
        self._shipper: Any = None
        self._tried = False
        self._given_up = False
        self._reason = ""
        enabled = not settings.enabled_by or environ.get(settings.enabled_by, "").lower() == "true"
        self.wanted = enabled and not core.destinations.is_disabled(environ)
        if self.wanted:
            atexit.register(self._settle)

    def begin(self, variables: Mapping[str, Any]) -> bool:
        """Find the command's place, create its journal and start its shipping process. Return whether it is recorded.

        ``variables``: Ansible's extra variables. A second call changes nothing.
        """
        if self._tried:
            return self._journal is not None
        self._tried = True
        environ = self.settings.environ(self._process_environ, variables)
        try:
            self._home = core.home.find_home(environ)
            journal = core.journal.Writer(self._home.journals)
        except (core.home.HomeError, core.journal.JournalError) as error:
            self._warn(f"not traced: {error}")
            return False
        if self._home.warning:
            self._warn(self._home.warning)
        # Before the start of the shipping process: at the same time, the two would only compete for the processor.
        place = core.locate.locate(environ, self._home.path, self.settings.trace_per)
        for warning in place.warnings:
            self._warn(warning)
        if not place.sampled:
            journal.discard()
            return False
        wrong = core.destinations.setup_warning(environ)
        if wrong:
            self._warn(wrong)
        self._environ = environ
        self._journal = journal
        self._shipper = core.start.ShippingProcess(journal.path, environ, self.settings.flush_limit)
        self.spans = self._make_spans(place, variables)
        if self.settings.propagate:
            self.carrier = Carrier(self._process_environ, place)
        self._watch_signals()
        return True

    def _make_spans(self, place: Any, variables: Mapping[str, Any]) -> PlaybookSpans:
        found: dict[str, Any] = core.resource.from_environment(self._environ, self.settings.service_name or "ansible")
        resource = {**found, c.HOST_NAME: socket.gethostname(), c.ANSIBLE_VERSION: self._ansible_version, **place.resource}
        sources = deployment.Sources(self.settings.deployment, variables, self._environ, self.command.inventories)
        attributes: dict[str, Any] = dict(deployment.attributes(sources))
        if self.command.check_mode:
            attributes[c.ANSIBLE_CHECK_MODE] = True
        several = len(self.command.playbooks) > 1
        return PlaybookSpans(
            self._journal, place, resource, attributes=attributes, several=several, messages=self.settings.messages
        )

    def went_on(self) -> None:
        """Note that a playbook ran to its end, so an earlier signal did not end the command."""
        self._reason = ""

    def give_up(self) -> None:
        """Stop the recording after an error in the callback. The shipping process closes the open spans."""
        self._given_up = True
        if self.carrier:
            self.carrier.leave()

    def _watch_signals(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        for number in _SIGNALS:
            before = signal.getsignal(number)
            # A signal that is ignored (nohup) stays ignored.
            if before is not signal.SIG_IGN and before is not None:
                signal.signal(number, self._noting(before))

    def _noting(self, before: Any) -> Callable[[int, FrameType | None], Any]:
        """Return a signal handler that records the signal, then does what the earlier handler does."""

        def handler(number: int, frame: FrameType | None) -> Any:
            # A forked worker has our handler until it sets its own.
            if os.getpid() == self._process:
                self._reason = signal.Signals(number).name
                if number == signal.SIGTERM:
                    # Ansible kills itself, so atexit does not run. The shipping process continues.
                    self._journal.note_end(self._reason)
            if callable(before):
                return before(number, frame)
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return None

        return handler

    def _settle(self) -> None:
        """End the journal, and wait for its delivery, at most for the flush limit. Runs at the exit of the process."""
        if os.getpid() != self._process:
            return
        with suppress(Exception):
            if self._journal is None:
                return
            if self.carrier:
                self.carrier.leave()
            # After a signal or an error in the callback, the shipping process closes the open spans.
            if not (self._reason or self._given_up):
                self.spans.end(len(self.command.playbooks))
            self._journal.end(self._reason)
            # A second Ctrl-C ends the wait. The user still gets the line that says where the spans are.
            with suppress(KeyboardInterrupt):
                self._shipper.settle()
            self._tell(delivered=not self._journal.path.exists())
            self._shipper.release()

    def _tell(self, delivered: bool) -> None:
        if self._journal.dropped:
            count, path = self._journal.dropped, self._journal.path
            self._warn(f"{count} spans could not be written to {path} ({self._journal.problem}); free some space there")
        if not delivered:
            self._warn_of_waiting()
            return
        if not self._journal.spans:
            return
        trace, receiver = self.spans.trace_id, core.redact.masked(core.destinations.traces_endpoint(self._environ))
        rejected = self._rejected()
        if rejected:
            lost = f"{rejected.rejected} of {self._journal.spans} spans of trace {trace} were rejected"
            self._warn(f"{lost} by {receiver} ({rejected.reason or 'no reason given'}); see the receiver's log")
        elif self.settings.trace_url:
            self._say(self.settings.trace_url.replace("{trace_id}", trace))
        elif receiver:
            self._say(f"trace {trace} sent to {receiver}")
        elif core.locate.is_in_ci(self._environ):
            here = f"trace {trace} is in {self._home.store} on this machine"
            self._say(f"{here}; set OTEL_EXPORTER_OTLP_ENDPOINT to send it to a Collector")
        else:
            self._say(f"trace {trace} is in {self._home.store}; {core.start.viewing_hint(trace)}")

    def _warn_of_waiting(self) -> None:
        path = self._journal.path
        waiting = core.load("delivery.reader").count_waiting(path)
        problem = core.load("delivery.progress").load_progress(path).problem or "no answer in time"
        self._warn(f"{waiting} spans wait in {path} ({problem}); deliver them with: {core.start.command_line('ship')}")

    def _rejected(self) -> Any:
        """Return the delivery state if the receiver rejected spans, else None."""
        # The shipping process leaves this file only where something was rejected.
        if not core.journal.progress_path(self._journal.path).exists():
            return None
        state = core.load("delivery.progress").take_progress(self._journal.path)
        return state if state.rejected else None
