# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Makes the spans of playbooks, plays, roles, blocks, includes and tasks.

Each span is written to the journal as soon as it ends, and only open spans stay in memory: ansible-playbook forks for every
host and task, and each object in memory makes a fork slower.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Any

from . import core, results
from .hosts import Hosts, Running
from .lineage import INCLUDE, ROLE, Group
from .notifiers import Notifiers
from .output import Output
from .recaps import Recaps
from .verdict import PlayRun
from .work import Play, Task, Work, count, fail

c = core.conventions
# The smallest thing that has a span, unless it fails.
DETAIL_HOST, DETAIL_PLAY = "host", "play"
_LINEAR = ("linear", "debug", "ansible.builtin.linear", "ansible.builtin.debug")


class PlaybookSpans:
    """Makes the spans of one Ansible command, which may run several playbooks."""

    def __init__(
        self,
        journal: Any,
        place: Any,
        resource: Mapping[str, Any],
        *,
        attributes: Mapping[str, Any],
        now: Callable[[], int],
        detail: str = DETAIL_HOST,
        several: bool = False,
        messages: bool = True,
    ) -> None:
        """``place``: the command's place. ``attributes``: for each of its playbooks. ``now``: see core.clock.

        ``detail``: the smallest thing that has a span though it did not fail: host, task or play.
        ``several``: whether to put the playbooks under one span for the command.
        """
        self._place = place
        self._output = Output(journal, place, resource, now)
        self._attributes = attributes
        self._now = now
        self._detail = detail
        self.hosts = Hosts(self._output, messages=messages, all_told=detail == DETAIL_HOST)
        self._linear = True
        self._command: Work | None = None
        self._playbook: Work | None = None
        self._play: Play | None = None
        # Ansible's result of the last play: that of the command, if no other one follows.
        self._result: int | None = None
        # Roles, blocks, includes and tasks by uuid, outer before inner.
        self._open: dict[str, Work] = {}
        self._notifiers = Notifiers()
        self._diffs = 0
        self._begun = 0
        self._recaps = Recaps(now)
        if several:
            self._command = self._begin("ansible-playbook", None, {c.ANSIBLE_TYPE: c.TYPE_COMMAND})

    @property
    def trace_id(self) -> str:
        """The trace id."""
        return self._output.trace_id

    def write_to(self, journal: Any) -> None:
        """Write to another journal from now on."""
        self._output.journal = journal

    def playbook(self, name: str, title: str) -> None:
        """Begin a playbook, and end the one before. ``title``: the name of the span."""
        self._end_playbook()
        self._begun += 1
        attributes = {c.ANSIBLE_TYPE: c.TYPE_PLAYBOOK, c.ANSIBLE_PLAYBOOK_NAME: core.redact.masked(name)}
        self._playbook = self._begin(title, self._command, {**attributes, **self._place.attributes, **self._attributes})

    def play(self, name: str, attributes: Mapping[str, Any], run: PlayRun | None = None) -> None:
        """Begin a play or a batch of a play (``serial``), and end the one before. ``run``: what Ansible knows of it."""
        self._end_play()
        # Only with these strategies does a task end before the next one starts.
        self._linear = attributes.get(c.ANSIBLE_PLAY_STRATEGY) in _LINEAR
        around = self._playbook or self._command or self._without_playbook()
        span = self._output.span(name, around, {c.ANSIBLE_TYPE: c.TYPE_PLAY, **attributes})
        self._play = Play(span, around, run)
        self._output.open(self._play)

    def _without_playbook(self) -> Work:
        """Begin the span around plays that a program runs through Ansible's API."""
        attributes = {c.ANSIBLE_TYPE: c.TYPE_COMMAND, **self._place.attributes, **self._attributes}
        self._command = self._begin("ansible", None, attributes)
        return self._command

    def no_hosts(self, what: str) -> None:
        """Record that a play has no hosts. ``what``: ``matched`` (none matched) or ``remaining`` (none left)."""
        if self._play:
            self._play.span.attributes[c.ANSIBLE_PLAY_NO_HOSTS] = what
            if self._play.last_ns == self._play.span.start_ns:
                self._play.span.attributes[c.TASK_RUN_RESULT] = c.SKIP

    def has(self, uuid: str) -> bool:
        """Return whether a task is open. With the free strategy, a task starts once for each host."""
        return uuid in self._open

    def task(
        self,
        uuid: str,
        name: str,
        attributes: Mapping[str, Any],
        inside: Sequence[Group],
        *,
        telling: bool = False,
        including: bool = False,
        notifies: Iterable[str] = (),
    ) -> None:
        """Begin a task.

        ``inside``: the groups that it is in. ``telling``: whether its successful results have details to read.
        ``including``: whether it is a dynamic include, which may still fail after a successful result. ``notifies``: the
        handlers and topics that it notifies if it changes something.
        """
        self._release()
        if self._linear:
            self._end_tasks(keep={group.uuid for group in inside})
        parent = self._enter(inside)
        span = self._output.span(name, parent, {c.ANSIBLE_TYPE: c.TYPE_TASK, c.TASK_NAME: "", **attributes})
        span.attributes[c.TASK_NAME] = span.name
        details = {"telling": telling or including, "including": including, "notifies": notifies}
        self._open[uuid] = Task(span, parent, told=self._detail != DETAIL_PLAY, **details)
        self._output.open(self._open[uuid])

    def host_start(self, uuid: str, host: str) -> str:
        """Begin a task on a host, before its worker is forked. Return the id of the span that its worker is in.

        That is the host's span, or the one around it if the host has none. It is empty if the task is unknown.
        """
        task = self._open.get(uuid)
        if not task:
            return ""
        span_id = self.hosts.start(task, host)
        if self._detail == DETAIL_HOST:
            return span_id
        around = self._play if self._detail == DETAIL_PLAY and self._play else task
        return str(around.span.span_id)

    def host_end(self, uuid: str, host: str, outcome: str, result: Any) -> bool:
        """End a task on a host. Return whether no host runs a task now.

        ``outcome``: a key of results.WORDS. ``result``: Ansible's, read only if needed.
        """
        task = self._open.get(uuid)
        if not task:
            return False
        message = self.hosts.end(task, host, outcome, result)
        if self._detail != DETAIL_HOST and not self.hosts.awaits(host):
            count(task, outcome, self._play)
        if task.notifies and outcome == results.CHANGED:
            self._notifiers.note(task.notifies, task.span.name)
        if outcome in results.BAD:
            fail(task, outcome, f"{core.redact.masked(host)}: {message}")
            if self._play:
                self._play.hosts.add(host)
        return not self.hosts.busy

    def _release(self) -> None:
        """Take the includes that have not failed by now as what their results said."""
        for task, outcome in self.hosts.release():
            if self._detail != DETAIL_HOST:
                count(task, outcome, self._play)

    def host_event(self, host: str, name: str, attributes: Mapping[str, Any]) -> None:
        """Add an event to the span of a host that runs a task."""
        running: Running | None = self.hosts.running(host)
        if running:
            running.event(name, self._now(), attributes)

    def handler(self, uuid: str, names: Set[str]) -> dict[str, Any]:
        """Return the attributes of a handler that begins. ``names``: the names by which tasks can notify it."""
        tasks = self._notifiers.take(uuid, names)
        return {c.ANSIBLE_TASK_HANDLER: True, **({c.ANSIBLE_TASK_NOTIFIED_BY: tasks} if tasks else {})}

    def diff(self) -> None:
        """Count a diff that Ansible shows. The diff itself is not recorded."""
        self._diffs += 1

    def recap(self, counts: Iterable[tuple[str, Mapping[str, int]]], problem: str = "") -> None:
        """End a playbook. ``counts``: Ansible's counters by host, which include the earlier playbooks of the command.

        ``problem``: why the command will fail, even if no host did.
        """
        if not self._playbook:
            return
        self._end_play()
        if self._result:
            self._playbook.fail(*(self._playbook.failure or (results.FAILED, f"Ansible's result is {self._result}")))
        elif self._result is None and self._playbook.failure:
            self._playbook.fail(*self._playbook.failure)
        elif problem:
            self._playbook.fail(results.INTERRUPTED, problem)
        self._recaps.put(self._playbook.span, counts)
        self._end_playbook()

    def end(self, expected: int, problem: str = "") -> None:
        """End the command. ``expected``: how many playbooks its command line names.

        ``problem``: why Ansible stopped before the recap, if it did and that is known.
        """
        if self._playbook or (self._play and self._play.broke_off):
            self._stop(f"Ansible stopped: {problem}" if problem else "Ansible stopped before its recap; its output says why")
        self._end_playbook()
        if self._command:
            if self._command.failure:
                self._command.fail(*self._command.failure)
            if 0 < self._begun < expected:
                self._command.fail(results.FAILED, f"only {self._begun} of {expected} playbooks ran")
            # A program may wait for long before it runs the next play, or ends.
            self._finish(self._command, 0 if self._begun else self._command.last_ns)
            self._command = None

    def cancel(self, signal: str) -> None:
        """End the command, whose open spans a signal cut off. ``signal``: its name."""
        self.end_finished()
        self.hosts.stop("", signal)
        now = self._now()
        for around in (*reversed(self._open.values()), self._play, self._playbook, self._command):
            if around:
                around.cancel(signal, now)
                self._finish(around, now)
        self._open.clear()
        self._play = self._playbook = self._command = None

    def end_finished(self) -> None:
        """End the tasks that no host runs any more. Without the linear strategy, there may be many."""
        self._release()
        for uuid, work in reversed(list(self._open.items())):
            ended = isinstance(work, Task) and work.last_ns > work.span.start_ns and not self.hosts.runs(work)
            # An include goes on as long as what it brought.
            if ended and not any(inner.parent is work for inner in self._open.values()):
                self._finish(self._open.pop(uuid), work.last_ns)

    def _stop(self, message: str) -> None:
        """Mark as failed what Ansible did not bring to its end."""
        if self._play and (self._play.run is None or self._play.broke_off):
            last = list(self._open.values())[-1:]
            for work in self.hosts.stop(message) or [work for work in last if work.last_ns == work.span.start_ns]:
                fail(work, results.INTERRUPTED, message)
            self._play.fail(results.INTERRUPTED, message)
        if self._playbook:
            self._playbook.fail(results.INTERRUPTED, message)

    def _enter(self, inside: Sequence[Group]) -> Work | None:
        """Return the open span of the innermost group. Begins groups that are not open."""
        parent = self._play or self._playbook
        for group in inside:
            if group.uuid not in self._open:
                if group.kind == INCLUDE:
                    # The parent of included tasks is the include's task. For handlers, that task has already ended.
                    continue
                name = f"role {group.name}" if group.kind == ROLE else group.name
                told = self._detail != DETAIL_PLAY
                self._open[group.uuid] = self._begin(name, parent, {c.ANSIBLE_TYPE: group.kind}, told=told)
            parent = self._open[group.uuid]
        return parent

    def _begin(self, name: str, parent: Work | None, attributes: Mapping[str, Any], *, told: bool = True) -> Work:
        work = Work(self._output.span(name, parent, attributes), parent, told=told)
        self._output.open(work)
        return work

    def _end_tasks(self, keep: set[str]) -> None:
        """End all open tasks and groups, except the groups in ``keep``, which the next task is in.

        A group ends with what is around it: a handler is in the role of an include, but not in the include.
        """
        if self.hosts.busy:
            # Where Ansible cannot start a worker, it goes on as if the host had nothing to do.
            message = "Ansible went on without its result"
            for task in self.hosts.stop(message):
                fail(task, results.INTERRUPTED, message)
        kept: set[Work | None] = {self._play, self._playbook}
        ended = []
        for uuid, work in self._open.items():
            if uuid in keep and work.parent in kept:
                kept.add(work)
            else:
                ended.append(uuid)
        for uuid in reversed(ended):
            work = self._open.pop(uuid)
            self._finish(work, work.last_ns)

    def _end_play(self) -> None:
        self._release()
        self._end_tasks(keep=set())
        if self._play:
            self._play.judge()
            if self._play.run and self._play.run.result is not None:
                self._result = self._play.run.result
            self._finish(self._play, 0 if self._playbook else self._play.last_ns)
            self._play = None

    def _end_playbook(self) -> None:
        self._end_play()
        if self._playbook:
            attributes = self._playbook.span.attributes
            if self._diffs:
                attributes[c.ANSIBLE_DIFFS] = self._diffs
                self._diffs = 0
            if c.DEPLOYMENT_ENVIRONMENT in attributes:
                attributes[c.DEPLOYMENT_STATUS] = "failed" if self._playbook.failed else "succeeded"
            self._finish(self._playbook)
            self._playbook = None

    def _finish(self, work: Work, end_ns: int = 0) -> None:
        work.span.end_ns = end_ns or self._now()
        work.span.attributes.setdefault(c.TASK_RUN_RESULT, c.SUCCESS)
        if work.parent:
            work.parent.last_ns = max(work.parent.last_ns, work.span.end_ns)
            # Ansible's result decides whether a playbook fails, perhaps by a failure that did not fail its own play.
            if work.parent.failure is None and (work.failed or work.parent is self._playbook):
                work.parent.failure = work.failure
        if work.told:
            work.span.attributes.update({f"{c.ANSIBLE_HOSTS_PREFIX}{word}": count for word, count in work.counts.items()})
            self._output.end(work)
        elif isinstance(work, Task) and self._play:
            attributes = self._play.span.attributes
            attributes[c.ANSIBLE_TASKS_LEFT_OUT] = attributes.get(c.ANSIBLE_TASKS_LEFT_OUT, 0) + 1
