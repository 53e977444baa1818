# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Records one run of Ansible: finds its place, makes its spans, and tells the user where they are."""

from __future__ import annotations

import resource
import socket
import threading
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import suppress
from typing import Any

from . import core, deployment, texts
from .carrier import Carrier
from .doubt import Doubt
from .playbook_spans import PlaybookSpans
from .program import Delivery, this_program
from .settings import Command, Settings
from .verdict import Errors, Verdict

c = core.conventions
# With fewer files that may be open, Ansible itself is near its end, and our journal could be the one too many.
_FEWEST_FILES = 64


class Recorder:
    """Records one run of Ansible: a command, or what a program runs with one TaskQueueManager.

    ``wanted`` is False if tracing is off.
    """

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
        verdict: Verdict,
        errors: Errors,
    ) -> None:
        """``warn``, ``say``: show a line to the user. ``verdict``, ``errors``: what Ansible decides and says."""
        self.settings = settings
        self.command = command
        self.thread = 0
        self._process_environ = environ
        self._ansible_version = ansible_version
        self._warn = lambda text: warn(f"pipeline-trace: {text}")
        self._say = lambda text: None if settings.quiet else say(f"pipeline-trace: {text}")
        self._verdict = verdict
        self._errors = errors
        self._recording = False
        self._given_up = False
        enabled = not settings.enabled_by or environ.get(settings.enabled_by, "").lower() == "true"
        self.wanted = enabled and not core.destinations.is_disabled(environ)

    def begin(self, find_variables: Callable[[], Mapping[str, Any]]) -> bool:
        """Find the run's place, and what delivers its spans. Return whether it is recorded.

        ``find_variables``: returns Ansible's extra variables. While the run goes on, a second call changes nothing.
        """
        if self._recording:
            return True
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        if 0 <= files < _FEWEST_FILES:
            self._warn(f"not traced: only {files} files may be open; raise that with: ulimit -n {_FEWEST_FILES}")
            return False
        program = this_program()
        program.finish_earlier()
        variables = find_variables()
        environ = self.settings.environ(self._process_environ, variables)
        try:
            delivery = program.delivery(environ, self.settings.flush_limit)
        except (core.home.HomeError, core.journal.JournalError) as error:
            self._warn(f"not traced: {error}")
            return False
        # Before the start of the shipping process: at the same time, the two would only compete for the processor.
        place = core.locate.locate(environ, delivery.home.path, self.settings.trace_per)
        for warning in place.warnings:
            self._warn(warning)
        if not place.sampled:
            program.forget()
            return False
        if delivery.is_new:
            wrong = (delivery.home.warning, core.destinations.setup_warning(environ), *self.settings.warnings)
            for warning in wrong:
                if warning:
                    self._warn(warning)
        delivery.start()
        self.thread = threading.get_ident()
        self.spans = self._make_spans(delivery.journal, place, environ, variables)
        self._doubt = Doubt(delivery.journal, self.spans.write_to)
        if self.settings.propagate:
            self.carrier = Carrier(self._process_environ, place)
        self._recording = True
        program.begin(self)
        return True

    def _make_spans(
        self, journal: Any, place: Any, environ: Mapping[str, str], variables: Mapping[str, Any]
    ) -> PlaybookSpans:
        found: dict[str, Any] = core.resource.from_environment(environ, self.settings.service_name or "ansible")
        found = {**found, c.HOST_NAME: socket.gethostname(), c.ANSIBLE_VERSION: self._ansible_version, **place.resource}
        sources = deployment.Sources(self.settings.deployment, variables, environ, self.command.inventories)
        attributes: dict[str, Any] = dict(deployment.attributes(sources))
        if self.command.check_mode:
            attributes[c.ANSIBLE_CHECK_MODE] = True
        several = len(self.command.playbooks) > 1
        return PlaybookSpans(
            journal,
            place,
            found,
            attributes=attributes,
            now=core.clock.start_clock(),
            detail=self.settings.detail,
            several=several,
            messages=self.settings.messages,
        )

    def went_on(self) -> None:
        """Note that a playbook ran to its end, so an earlier signal did not end the process."""
        this_program().reason = ""

    def give_up(self) -> None:
        """Stop the recording after an error in the callback. The shipping process closes the open spans."""
        self._given_up = True
        if self.carrier:
            self.carrier.leave()

    def finish(self) -> None:
        """End the spans, and put the environment back. A later run of the same TaskQueueManager begins anew."""
        self._recording = False
        if self.carrier:
            self.carrier.leave()
        # After a signal or an error in the callback, the shipping process closes the open spans.
        problem = texts.short(self._errors.last())
        signal = self._verdict.killed_by(problem)
        if not signal:
            self._doubt.wait()
        if this_program().reason or self._given_up:
            self._doubt.end(this_program().reason)
        elif signal:
            self._doubt.end(signal)
            self.spans.cancel(signal)
        else:
            self._doubt.end()
            self.spans.end(len(self.command.playbooks), problem)

    def doubt(self) -> None:
        """Note that a signal ended a command of a task. If Jenkins sent it, the next one ends Ansible."""
        if not core.start.KILLED_BY.isdisjoint(self._process_environ):
            self._doubt.begin()

    def cut_off(self, signal: str) -> None:
        """Note that a signal comes to this process, which may end it. ``signal``: its name."""
        with suppress(Exception), self._verdict.between_hooks() as free:
            if free and self._recording:
                self.spans.end_finished()
                if self.spans.is_over:
                    # It ended before the signal, perhaps long ago.
                    self.spans.end(len(self.command.playbooks))
                    self._recording = False
        self._doubt.end(signal)

    def warn_of_loss(self, delivery: Delivery) -> None:
        """Tell the user how many spans could not be written, if any."""
        journal = delivery.journal
        if journal.dropped:
            lost = f"{journal.dropped} spans could not be written to {journal.path} ({journal.problem})"
            self._warn(f"{lost}; free some space there")

    def tell(self, delivery: Delivery, traces: int) -> None:
        """Tell the user where the spans are. ``traces``: how many runs wrote to the journal."""
        journal = delivery.journal
        self.warn_of_loss(delivery)
        if journal.path.exists():
            self._warn_of_waiting(journal)
            return
        if not journal.spans:
            return
        trace, receiver = self.spans.trace_id, core.redact.masked(core.destinations.traces_endpoint(delivery.environ))
        named = f"trace {trace}" if traces == 1 else f"{traces} traces, the last one {trace},"
        rejected = self._rejected(journal)
        if rejected:
            lost = f"{rejected.rejected} of {journal.spans} spans of {named} were rejected"
            self._warn(f"{lost} by {receiver} ({rejected.reason or 'no reason given'}); see the receiver's log")
        elif self.settings.trace_url:
            self._say(self.settings.trace_url.replace("{trace_id}", trace))
        elif page := core.load("delivery.listening").page_of(delivery.home, delivery.environ, trace):
            self._say(page if traces == 1 else f"{traces} traces, the last one: {page}")
        elif receiver:
            self._say(f"{named} sent to {receiver}")
        elif core.locate.is_in_ci(delivery.environ):
            here = f"{named} {'is' if traces == 1 else 'are'} in {delivery.home.store} on this machine"
            self._say(f"{here}; set OTEL_EXPORTER_OTLP_ENDPOINT to send it to a Collector")
        else:
            here = f"{named} {'is' if traces == 1 else 'are'} in {delivery.home.store}"
            self._say(f"{here}; {core.start.viewing_hint(trace)}")

    def _warn_of_waiting(self, journal: Any) -> None:
        waiting = core.load("delivery.reader").count_waiting(journal.path)
        problem = core.load("delivery.progress").load_progress(journal.path).problem or "no answer in time"
        self._warn(
            f"{waiting} spans wait in {journal.path} ({problem}); deliver them with: {core.start.command_line('ship')}"
        )

    def _rejected(self, journal: Any) -> Any:
        """Return the delivery state if the receiver rejected spans, else None."""
        # The shipping process leaves this file only where something was rejected.
        if not core.journal.progress_path(journal.path).exists():
            return None
        state = core.load("delivery.progress").take_progress(journal.path)
        return state if state.rejected else None
