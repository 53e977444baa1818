# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""The spans of hosts: the only ones that come by the thousand, so every microsecond here is paid per host and task."""

from __future__ import annotations

from collections.abc import Mapping
from time import time_ns
from typing import Any

from . import core, results

c = core.conventions

# What is known without reading a text: pipeline-trace why judges the rest.
_UNREACHABLE = {c.FAILURE_OWNER: "ops", c.FAILURE_KIND: "host_unreachable", c.FAILURE_CONFIDENCE: 0.8}
_PLAIN = (results.OK, results.CHANGED)
# Beyond this, items and retries of one host and task are counted only.
MOST_EVENTS = 500


class Running:
    """A host that runs a task."""

    __slots__ = ("attempt", "events", "host", "last_ns", "left_out", "span_id", "start_ns", "task")

    def __init__(self, task: Any, host: str, span_id: str, start_ns: int) -> None:
        self.task = task
        self.host = host
        self.span_id = span_id
        self.start_ns = start_ns
        self.last_ns = start_ns
        self.events: list[dict[str, Any]] | None = None
        self.left_out = 0
        self.attempt = 0

    def event(self, name: str, attributes: Mapping[str, Any]) -> None:
        """Note an item or a retry; its begin is taken to be the end of the one before."""
        now = time_ns()
        if self.events is None:
            self.events = []
        if len(self.events) < MOST_EVENTS:
            took = {c.ANSIBLE_DURATION_MS: (now - self.last_ns) // 1_000_000}
            self.events.append({"name": name, "time_unix_nano": now, "attributes": {**attributes, **took}})
        else:
            self.left_out += 1
        self.last_ns = now


class Hosts:
    """Writes the spans of hosts."""

    def __init__(self, journal: Any, place: Any, resource: Mapping[str, Any], *, messages: bool) -> None:
        """``messages``: whether the masked message of a failure leaves."""
        self._journal = journal
        self._trace_id = place.trace_id
        self._resource = core.span.encode(resource)
        self._messages = messages
        self._names: dict[str, tuple[str, str]] = {}
        self._running: dict[str, Running] = {}
        self._words = {
            outcome: f',"{c.ANSIBLE_RESULT}":"{outcome}","{c.TASK_RUN_RESULT}":"{word}"'
            for outcome, word in results.WORDS.items()
        }

    def lines(self, parent_id: str) -> Any:
        """Return what makes the lines of the hosts of a task."""
        return core.lines.Lines(self._trace_id, parent_id, self._resource)

    def running(self, host: str) -> Running | None:
        """Return what a host runs now. It runs one task at a time; an async poll has another task's id."""
        return self._running.get(host)

    def start(self, task: Any, host: str) -> str:
        """A host begins a task; return the id of its span."""
        name, attributes = self._names.get(host) or self._name(host)
        span_id = core.ids.random_span_id()
        now = time_ns()
        self._running[host] = Running(task, host, span_id, now)
        self._journal.open_line(task.lines.open(span_id, name, now, attributes + "}"))
        return span_id

    def item(self, host: str, outcome: str, result: Mapping[str, Any]) -> None:
        """An item of a loop ended on a host."""
        running = self._running.get(host)
        if running:
            tried = {c.ANSIBLE_ATTEMPTS: running.attempt + 1} if running.attempt else {}
            running.event("item", {**results.item(outcome, result, messages=self._messages), **tried})
            running.attempt = 0

    def retry(self, host: str, result: Mapping[str, Any]) -> None:
        """A host tries a task again. Counted here: ansible-core 2.21 names the attempt to come, others the one before."""
        running = self._running.get(host)
        if running:
            running.attempt += 1
            running.event("retry", results.retry(running.attempt, result, messages=self._messages))

    def end(self, task: Any, host: str, outcome: str, result: Any) -> str:
        """A host has ended a task; return the message of its failure, if it is one.

        From ansible-core 2.19 on, looking into a result converts all of it, which costs more than all else here.
        """
        running = self._running.get(host)
        now = time_ns()
        if running is None or running.task is not task:
            # Skipped `meta` tasks end without having begun.
            running = Running(task, host, core.ids.random_span_id(), now)
        else:
            del self._running[host]
        name, attributes = self._names.get(host) or self._name(host)
        attributes += self._words[outcome]
        extras = {}
        if task.telling or outcome not in _PLAIN:
            extras = results.extras(outcome, result._result, result._task.delegate_to, messages=self._messages)
        error = ""
        if outcome in results.BAD:
            extras[c.ERROR_TYPE] = outcome
            if outcome == results.UNREACHABLE:
                extras.update(_UNREACHABLE)
            error = str(extras.get(c.ANSIBLE_MESSAGE, outcome)).partition("\n")[0] or outcome
        if running.attempt:
            extras[c.ANSIBLE_ATTEMPTS] = running.attempt + 1
        if running.left_out:
            extras[c.ANSIBLE_EVENTS_LEFT_OUT] = running.left_out
        if extras:
            attributes += "," + core.span.encode(extras)[1:-1]
        events = core.span.encode(running.events) if running.events else "[]"
        task.last_ns = now
        self._journal.span_line(
            task.lines.span(running.span_id, name, running.start_ns, now, attributes + "}", events, error)
        )
        return error

    def _name(self, host: str) -> tuple[str, str]:
        """Return a host's name as JSON, and the beginning of its attributes."""
        name = core.span.encode(core.redact.masked(host))
        self._names[host] = (name, f'{{"{c.ANSIBLE_TYPE}":"{c.TYPE_HOST}","{c.ANSIBLE_HOST_NAME}":{name}')
        return self._names[host]
