# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""What a run of a playbook becomes: playbook, play, task and host spans.

Knows nothing of Ansible's classes: the callback hands over names. Everything is written as it happens and nothing is kept
but what is open, since ansible-playbook forks for every host and task, and every object kept makes a fork slower.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Protocol

from . import core

c = core.conventions

# What a host's result is, in the words of the conventions. `error`: the platform failed, not what ran on it.
_RESULTS = {
    "ok": c.SUCCESS,
    "changed": c.SUCCESS,
    "ignored": c.FAILURE,
    "failed": c.FAILURE,
    "unreachable": c.ERROR,
    "skipped": c.SKIP,
}
_BAD = ("failed", "unreachable")
_MESSAGE_LIMIT = 4000
_STDERR_LINES = 10


class Journal(Protocol):
    """Takes spans: when they begin and when they have ended."""

    def open(self, span: Any) -> None:
        """A span has begun."""

    def span(self, span: Any) -> None:
        """A span has ended."""


class _Work:
    """A span that is open, what is open within it, and whether something in it failed."""

    def __init__(self, span: Any) -> None:
        self.span = span
        self.last_ns = span.start_ns
        self.running: dict[str, Any] = {}


class PlaybookSpans:
    """Makes the spans of one command, which may run several playbooks."""

    def __init__(self, journal: Journal, place: Any, resource: Mapping[str, Any], *, several: bool = False) -> None:
        """``place``: where the command stands. ``several``: its playbooks hang under one span of its own."""
        self._journal = journal
        self._place = place
        self._resource = resource
        self._root_open = True
        self._keeps_tasks_open = False
        self._command: _Work | None = None
        self._playbook: _Work | None = None
        self._play: _Work | None = None
        self._tasks: dict[str, _Work] = {}
        if several:
            self._command = self._begin("ansible-playbook", None, {c.ANSIBLE_TYPE: c.TYPE_COMMAND})

    @property
    def trace_id(self) -> str:
        """Return the trace id."""
        return str(self._place.trace_id)

    def playbook(self, name: str) -> None:
        """A playbook begins; the one before has ended."""
        self._end_playbook()
        attributes = {c.ANSIBLE_TYPE: c.TYPE_PLAYBOOK, "ansible.playbook.name": name, **self._place.attributes}
        self._playbook = self._begin(f"playbook {name}", self._command, attributes)

    def play(self, name: str, *, strategy: str) -> None:
        """A play begins, or a batch of it; the one before has ended."""
        self._end_play()
        # Only under these strategies has a task ended when the next one starts.
        self._keeps_tasks_open = strategy not in ("linear", "debug")
        attributes = {c.ANSIBLE_TYPE: c.TYPE_PLAY, "ansible.play.name": name, "ansible.play.strategy": strategy}
        self._play = self._begin(name, self._playbook, attributes)

    def task(self, uuid: str, name: str, action: str) -> None:
        """A task begins; under the free strategy this comes once a host."""
        if uuid in self._tasks:
            return
        if not self._keeps_tasks_open:
            self._end_tasks()
        attributes = {c.ANSIBLE_TYPE: c.TYPE_TASK, c.TASK_NAME: core.redact.text(name), "ansible.task.action": action}
        self._tasks[uuid] = self._begin(name, self._play or self._playbook, attributes)

    def host_start(self, uuid: str, host: str) -> None:
        """A host begins a task: its worker is about to be forked."""
        task = self._tasks.get(uuid)
        if task:
            task.running[host] = self._host(task, host)
            self._journal.open(task.running[host])

    def host_end(self, uuid: str, host: str, outcome: str, result: Mapping[str, Any]) -> None:
        """A host has ended a task. ``outcome``: ok, changed, failed, ignored, unreachable or skipped."""
        task = self._tasks.get(uuid)
        if not task:
            return
        # Skipped `meta` tasks end without having begun.
        span = task.running.pop(host, None) or self._host(task, host)
        span.end_ns = task.last_ns = time.time_ns()
        span.attributes["ansible.result"] = outcome
        span.attributes[c.TASK_RUN_RESULT] = _RESULTS[outcome]
        if outcome in _BAD or outcome == "ignored":
            message = failure_message(result)
            span.attributes["ansible.message"] = message
            if outcome in _BAD:
                span.attributes[c.ERROR_TYPE] = outcome
                span.fail(message.partition("\n")[0])
                self._failed(task, outcome, host)
        self._journal.span(span)

    def end(self) -> None:
        """The run is over: everything that is open ends."""
        self._end_playbook()
        if self._command:
            self._finish(self._command)
            self._command = None

    def _begin(self, name: str, parent: _Work | None, attributes: Mapping[str, Any]) -> _Work:
        span = core.span.Span(
            trace_id=self._place.trace_id,
            span_id=core.ids.random_span_id(),
            parent_id=parent.span.span_id if parent else self._place.parent_id,
            name=core.redact.text(name),
            start_ns=time.time_ns(),
            attributes=dict(attributes),
            links=[] if parent else list(self._place.links),
            resource=self._resource,
        )
        self._journal.open(span)
        return _Work(span)

    def _host(self, task: _Work, host: str) -> Any:
        return core.span.Span(
            trace_id=self._place.trace_id,
            span_id=core.ids.random_span_id(),
            parent_id=task.span.span_id,
            name=host,
            start_ns=time.time_ns(),
            attributes={c.ANSIBLE_TYPE: c.TYPE_HOST, "ansible.host.name": host},
            resource=self._resource,
        )

    def _failed(self, task: _Work, outcome: str, host: str) -> None:
        """Mark everything around a failed host."""
        for work in (task, self._play, self._playbook, self._command):
            if work and work.span.status_code != core.span.ERROR:
                work.span.fail(f"{outcome}: {host}")
                work.span.attributes[c.ERROR_TYPE] = outcome
                work.span.attributes[c.TASK_RUN_RESULT] = _RESULTS[outcome]

    def _end_tasks(self) -> None:
        for uuid, task in list(self._tasks.items()):
            if not task.running:
                self._finish(task, task.last_ns)
                del self._tasks[uuid]

    def _end_play(self) -> None:
        self._end_tasks()
        for task in self._tasks.values():
            self._finish(task)
        self._tasks = {}
        if self._play:
            self._finish(self._play)
            self._play = None

    def _end_playbook(self) -> None:
        self._end_play()
        if self._playbook:
            self._finish(self._playbook)
            self._playbook = None

    def _finish(self, work: _Work, end_ns: int = 0) -> None:
        work.span.end_ns = end_ns or time.time_ns()
        work.span.attributes.setdefault(c.TASK_RUN_RESULT, c.SUCCESS)
        self._journal.span(work.span)


def failure_message(result: Mapping[str, Any]) -> str:
    """Return what a failed result says, masked: its ``msg`` and the last lines of its ``stderr``.

    Under ``no_log`` the result is censored already, and nothing but that is said.
    """
    if result.get("_ansible_no_log") or "censored" in result:
        return "the output has been hidden: no_log is set"
    parts = [str(result.get("msg") or "")]
    stderr = str(result.get("stderr") or result.get("module_stderr") or "").strip()
    if stderr:
        parts.append("\n".join(stderr.splitlines()[-_STDERR_LINES:]))
    message = "\n".join(part for part in parts if part) or "failed without a message"
    return str(core.redact.clip(core.redact.text(message), _MESSAGE_LIMIT))
