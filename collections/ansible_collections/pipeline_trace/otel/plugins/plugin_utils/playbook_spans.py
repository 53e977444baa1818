# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Makes the spans of playbooks, plays and tasks from what Ansible's hooks tell. Which span is in which: nesting.py.

Each span is written to the journal as soon as it ends, and only open spans stay in memory: ansible-playbook forks for every
host and task, and each object in memory makes a fork slower.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Any

from . import core, results
from .hosts import Hosts, Running
from .lineage import Group
from .nesting import DETAIL_HOST, DETAIL_PLAY, Nesting
from .notifiers import Notifiers
from .output import Output
from .recaps import Recaps
from .verdict import PlayRun
from .work import Play, Task, Work, count, fail

c = core.conventions
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
        self._open = Nesting(self._output, self.hosts, now, detail)
        self._linear = True
        # Ansible's result of the last play: that of the command, if no other one follows.
        self._result: int | None = None
        self._notifiers = Notifiers()
        self._diffs = 0
        self._begun = 0
        self._recaps = Recaps(now)
        if several:
            self._open.command = self._open.begin("ansible-playbook", None, {c.ANSIBLE_TYPE: c.TYPE_COMMAND})

    @property
    def trace_id(self) -> str:
        """The trace id."""
        return self._output.trace_id

    @property
    def is_over(self) -> bool:
        """Whether a play without a playbook has its result. More plays may follow; no hook tells when none does."""
        play = self._open.play
        return bool(play and not self._open.playbook and play.run and not play.broke_off)

    def write_to(self, journal: Any) -> None:
        """Write to another journal from now on."""
        self._output.journal = journal

    def playbook(self, name: str, title: str) -> None:
        """Begin a playbook, and end the one before. ``title``: the name of the span."""
        self._end_playbook()
        self._begun += 1
        attributes = {c.ANSIBLE_TYPE: c.TYPE_PLAYBOOK, c.ANSIBLE_PLAYBOOK_NAME: core.redact.masked(name)}
        attributes = {**attributes, **self._place.attributes, **self._attributes}
        self._open.playbook = self._open.begin(title, self._open.command, attributes)

    def play(self, name: str, attributes: Mapping[str, Any], run: PlayRun | None = None) -> None:
        """Begin a play or a batch of a play (``serial``), and end the one before. ``run``: what Ansible knows of it."""
        self._end_play()
        # Only with these strategies does a task end before the next one starts.
        self._linear = attributes.get(c.ANSIBLE_PLAY_STRATEGY) in _LINEAR
        around = self._open.playbook or self._open.command or self._without_playbook()
        span = self._output.span(name, around, {c.ANSIBLE_TYPE: c.TYPE_PLAY, **attributes})
        self._open.play = play = Play(span, around, run)
        self._output.open(play)

    def _without_playbook(self) -> Work:
        """Begin the span around plays that a program runs through Ansible's API."""
        attributes = {c.ANSIBLE_TYPE: c.TYPE_COMMAND, **self._place.attributes, **self._attributes}
        self._open.command = command = self._open.begin("ansible", None, attributes)
        return command

    def no_hosts(self, what: str) -> None:
        """Record that a play has no hosts. ``what``: ``matched`` (none matched) or ``remaining`` (none left)."""
        play = self._open.play
        if play:
            play.span.attributes[c.ANSIBLE_PLAY_NO_HOSTS] = what
            if play.last_ns == play.span.start_ns:
                play.span.attributes[c.TASK_RUN_RESULT] = c.SKIP

    def has(self, uuid: str) -> bool:
        """Return whether a task is open. With the free strategy, a task starts once for each host."""
        return uuid in self._open.tasks

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
        self._open.release()
        if self._linear:
            self._open.end_tasks(keep={group.uuid for group in inside})
        parent = self._open.enter(inside)
        span = self._output.span(name, parent, {c.ANSIBLE_TYPE: c.TYPE_TASK, c.TASK_NAME: "", **attributes})
        span.attributes[c.TASK_NAME] = span.name
        details = {"telling": telling or including, "including": including, "notifies": notifies}
        self._open.tasks[uuid] = Task(span, parent, told=self._detail != DETAIL_PLAY, **details)
        self._output.open(self._open.tasks[uuid])

    def host_start(self, uuid: str, host: str) -> str:
        """Begin a task on a host, before its worker is forked. Return the id of the span that its worker is in.

        That is the host's span, or the one around it if the host has none. It is empty if the task is unknown.
        """
        task = self._open.tasks.get(uuid)
        if not task:
            return ""
        span_id = self.hosts.start(task, host)
        if self._detail == DETAIL_HOST:
            return span_id
        around = self._open.play if self._detail == DETAIL_PLAY and self._open.play else task
        return str(around.span.span_id)

    def host_end(self, uuid: str, host: str, outcome: str, result: Any) -> bool:
        """End a task on a host. Return whether no host runs a task now.

        ``outcome``: a key of results.WORDS. ``result``: Ansible's, read only if needed.
        """
        task = self._open.tasks.get(uuid)
        if not task:
            return False
        message = self.hosts.end(task, host, outcome, result)
        if self._detail != DETAIL_HOST and not self.hosts.awaits(host):
            count(task, outcome, self._open.play)
        task.ran = task.ran or outcome != results.SKIPPED
        if task.notifies and outcome == results.CHANGED:
            self._notifiers.note(task.notifies, task.span.name)
        if outcome in results.BAD:
            fail(task, outcome, f"{core.redact.masked(host)}: {message}")
            if self._open.play:
                self._open.play.hosts.add(host)
        return not self.hosts.busy

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
        playbook = self._open.playbook
        if not playbook:
            return
        self._end_play()
        if self._result:
            playbook.fail(*(playbook.failure or (results.FAILED, f"Ansible's result is {self._result}")))
        elif self._result is None and playbook.failure:
            playbook.fail(*playbook.failure)
        elif problem:
            playbook.fail(results.INTERRUPTED, problem)
        self._recaps.put(playbook.span, counts)
        self._end_playbook()

    def end(self, expected: int, problem: str = "") -> None:
        """End the command. ``expected``: how many playbooks its command line names.

        ``problem``: why Ansible stopped before the recap, if it did and that is known.
        """
        if self._open.playbook or (self._open.play and self._open.play.broke_off):
            why = f"Ansible stopped: {problem}" if problem else "Ansible stopped before its recap; its output says why"
            self._open.stop(why)
        self._end_playbook()
        command = self._open.command
        if command:
            if command.failure:
                command.fail(*command.failure)
            if 0 < self._begun < expected:
                command.fail(results.FAILED, f"only {self._begun} of {expected} playbooks ran")
            # A program may wait for long before it runs the next play, or ends.
            self._open.finish(command, 0 if self._begun else command.last_ns)
            self._open.command = None

    def cancel(self, signal: str) -> None:
        """End the command, whose open spans a signal cut off. ``signal``: its name."""
        self._open.cancel(signal)

    def end_finished(self) -> None:
        """End the tasks that no host runs any more. Without the linear strategy, there may be many."""
        self._open.end_finished()

    def _end_play(self) -> None:
        self._open.release()
        self._open.end_tasks(keep=set())
        play = self._open.play
        if play:
            play.judge()
            if play.run and play.run.result is not None:
                self._result = play.run.result
            self._open.finish(play, 0 if self._open.playbook else play.last_ns)
            self._open.play = None

    def _end_playbook(self) -> None:
        self._end_play()
        playbook = self._open.playbook
        if playbook:
            attributes = playbook.span.attributes
            if self._diffs:
                attributes[c.ANSIBLE_DIFFS] = self._diffs
                self._diffs = 0
            ran = any(value for name, value in attributes.items() if name.startswith(c.ANSIBLE_STATS_PREFIX))
            if not (ran or playbook.failed):
                # No host matched, or no play has a task: nothing was deployed.
                attributes[c.TASK_RUN_RESULT] = c.SKIP
            elif c.DEPLOYMENT_ENVIRONMENT in attributes:
                attributes[c.DEPLOYMENT_STATUS] = "failed" if playbook.failed else "succeeded"
            self._open.finish(playbook)
            self._open.playbook = None
