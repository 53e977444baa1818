# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Writes the spans of hosts. This code must be fast: it runs for every host and task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import core, results
from .output import Output

c = core.conventions

# This verdict needs no log. For all other failures, see `pipeline-trace why`.
_UNREACHABLE = {c.FAILURE_OWNER: "ops", c.FAILURE_KIND: "host_unreachable", c.FAILURE_CONFIDENCE: 0.8}
_PLAIN = (results.OK, results.CHANGED)
# For one host and task, items and retries beyond this number are only counted.
MOST_EVENTS = 500
# Failed items of a loop that the message of the whole names.
_MOST_NAMED = 10


class Running:
    """A host that runs a task."""

    __slots__ = ("attempt", "end", "events", "failed", "host", "last_ns", "left_out", "span_id", "start_ns", "task")

    def __init__(self, task: Any, host: str, span_id: str, start_ns: int) -> None:
        self.task = task
        self.host = host
        self.span_id = span_id
        self.start_ns = start_ns
        self.last_ns = start_ns
        self.events: list[dict[str, Any]] | None = None
        self.failed: list[str] = []
        self.left_out = 0
        self.attempt = 0
        # Of an include that may still fail: time, outcome and result of its end.
        self.end: tuple[int, str, Any] | None = None

    def event(self, name: str, now: int, attributes: Mapping[str, Any]) -> None:
        """Add an event for an item or a retry. Its duration counts from the event before it."""
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

    def __init__(self, output: Output, *, messages: bool, all_told: bool = True) -> None:
        """``messages``: whether to record the masked messages of failures.

        ``all_told``: whether hosts that do not fail have spans too.
        """
        self._all_told = all_told
        self._output = output
        self._now = output.now
        self._new_id = output.new_id
        self._messages = messages
        self._names: dict[str, tuple[str, str]] = {}
        self._running: dict[str, Running] = {}
        # Hosts whose include has a successful result, but whose file or role Ansible has not loaded yet.
        self._including: dict[str, Running] = {}
        self._words = {
            outcome: f',"{c.ANSIBLE_RESULT}":"{outcome}","{c.TASK_RUN_RESULT}":"{word}"'
            for outcome, word in results.WORDS.items()
        }

    @property
    def busy(self) -> bool:
        """Whether a host runs a task."""
        return bool(self._running)

    def running(self, host: str) -> Running | None:
        """Return what a host runs now, or None. Look it up by host only: an async poll has another task's id."""
        return self._running.get(host)

    def start(self, task: Any, host: str) -> str:
        """Write that a host begins a task. Return the id of its span."""
        name, attributes = self._names.get(host) or self._name(host)
        span_id = self._new_id()
        now = self._now()
        self._running[host] = Running(task, host, span_id, now)
        if self._all_told:
            self._output.journal.open_line(task.lines.open(span_id, name, now, attributes + "}"))
        return span_id

    def item(self, host: str, outcome: str, result: Mapping[str, Any]) -> None:
        """Record that an item of a loop ended on a host."""
        running = self._running.get(host)
        if running:
            tried = {c.ANSIBLE_ATTEMPTS: running.attempt + 1} if running.attempt else {}
            attributes = results.item(outcome, result, messages=self._messages)
            running.event("item", self._now(), {**attributes, **tried})
            running.attempt = 0
            if c.ANSIBLE_MESSAGE in attributes and len(running.failed) < _MOST_NAMED:
                running.failed.append(f"{attributes[c.ANSIBLE_ITEM_LABEL]}: {attributes[c.ANSIBLE_MESSAGE]}")

    def retry(self, host: str, result: Mapping[str, Any]) -> None:
        """Record that a host retries a task.

        The retries are counted here: ansible-core 2.21 reports the number of the next attempt, older versions of the last.
        """
        running = self._running.get(host)
        if running:
            running.attempt += 1
            running.event("retry", self._now(), results.retry(running.attempt, result, messages=self._messages))

    def runs(self, task: Any) -> bool:
        """Return whether a host runs a task now."""
        return any(running.task is task for running in self._running.values())

    def release(self) -> list[tuple[Any, str]]:
        """Write the spans of the hosts that ended an include: by now it would have failed. Return tasks and outcomes."""
        released = []
        while self._including:
            host, running = self._including.popitem()
            if running.end:
                self._running[host] = running
                before = running.task.last_ns
                self.end(running.task, host, running.end[1], running.end[2])
                running.task.last_ns = max(before, running.task.last_ns)
                released.append((running.task, running.end[1]))
        return released

    def awaits(self, host: str) -> bool:
        """Return whether the include that a host ended may still fail."""
        return host in self._including

    def stop(self, message: str, signal: str = "") -> list[Any]:
        """Write the spans of all hosts that run: as failed, or as cancelled by a signal. Return their tasks.

        ``message``: why they failed. ``signal``: its name.
        """
        own = {c.TASK_RUN_RESULT: c.ERROR, c.ERROR_TYPE: results.INTERRUPTED, c.ANSIBLE_MESSAGE: message}
        if signal:
            own = {c.TASK_RUN_RESULT: c.CANCELLATION}
        stopped = [*self._including.values(), *self._running.values()]
        self._including.clear()
        self._running.clear()
        # If only failed hosts get a span, a cancelled host gets none.
        for running in stopped if self._all_told or not signal else ():
            name, attributes = self._names.get(running.host) or self._name(running.host)
            attributes += "," + core.span.encode(own)[1:]
            now = running.task.last_ns = self._now()
            if signal:
                running.event("interrupted", now, {"reason": signal})
            events = core.span.encode(running.events or [])
            self._output.journal.span_line(
                running.task.lines.span(running.span_id, name, running.start_ns, now, attributes, events, message)
            )
        return [running.task for running in stopped]

    def end(self, task: Any, host: str, outcome: str, result: Any) -> str:
        """Write the span of a host that ended a task. Return the message of its failure, or an empty string.

        ``outcome``: a key of results.WORDS. ``result``: Ansible's.
        """
        running = self._running.get(host)
        now = self._now()
        if running is None or running.task is not task:
            running = self._including.pop(host, None)
            if running is None or running.task is not task:
                # A skipped `meta` task ends without a start.
                running = Running(task, host, self._new_id(), now)
        else:
            del self._running[host]
        if task.including and outcome in _PLAIN:
            if running.end is None:
                running.end = (now, outcome, result)
                self._including[host] = running
                return ""
            now = running.end[0]
        task.last_ns = now
        if not self._all_told and outcome not in results.TOLD:
            return ""
        name, attributes = self._names.get(host) or self._name(host)
        attributes += self._words[outcome]
        extras = {}
        if task.telling or outcome not in _PLAIN:
            task.learn(result._task)
            extras = results.extras(
                outcome,
                results.data(result),
                result._task.delegate_to,
                messages=self._messages,
                items=running.failed,
            )
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
        self._output.journal.span_line(
            task.lines.span(running.span_id, name, running.start_ns, now, attributes + "}", events, error)
        )
        return error

    def _name(self, host: str) -> tuple[str, str]:
        """Return a host's name as JSON, and the start of its attributes as JSON."""
        name = core.span.encode(core.redact.masked(host))
        self._names[host] = (name, f'{{"{c.ANSIBLE_TYPE}":"{c.TYPE_HOST}","{c.ANSIBLE_HOST_NAME}":{name}')
        return self._names[host]
