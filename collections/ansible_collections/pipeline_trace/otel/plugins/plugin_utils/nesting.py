# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""The open spans of a run, one in another: in which one a new span is, and with which others it ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from . import core, results
from .hosts import Hosts
from .lineage import INCLUDE, ROLE, Group
from .output import Output
from .work import Play, Task, Work, count, fail

c = core.conventions
# The smallest thing that has a span, unless it fails.
DETAIL_HOST, DETAIL_PLAY = "host", "play"


class Nesting:
    """The open spans. ``command``, ``playbook``, ``play``: None if none is open.

    ``tasks``: roles, blocks, includes and tasks by uuid, outer before inner.
    """

    def __init__(self, output: Output, hosts: Hosts, now: Callable[[], int], detail: str) -> None:
        """``now``: see core.clock. ``detail``: see PlaybookSpans."""
        self._output = output
        self._hosts = hosts
        self._now = now
        self._detail = detail
        self.command: Work | None = None
        self.playbook: Work | None = None
        self.play: Play | None = None
        self.tasks: dict[str, Work] = {}

    def begin(self, name: str, parent: Work | None, attributes: Mapping[str, Any], *, told: bool = True) -> Work:
        """Begin a span in an open one. ``told``: whether it is sent though nothing in it fails."""
        work = Work(self._output.span(name, parent, attributes), parent, told=told)
        self._output.open(work)
        return work

    def enter(self, inside: Sequence[Group]) -> Work | None:
        """Return the open span of the innermost group. Begins groups that are not open."""
        parent = self.play or self.playbook
        for group in inside:
            if group.uuid not in self.tasks:
                if group.kind == INCLUDE:
                    # The parent of included tasks is the include's task. For handlers, that task has already ended.
                    continue
                name = f"role {group.name}" if group.kind == ROLE else group.name
                told = self._detail != DETAIL_PLAY
                self.tasks[group.uuid] = self.begin(name, parent, {c.ANSIBLE_TYPE: group.kind}, told=told)
            parent = self.tasks[group.uuid]
        return parent

    def release(self) -> None:
        """Take the includes that have not failed by now as what their results said."""
        for task, outcome in self._hosts.release():
            if self._detail != DETAIL_HOST:
                count(task, outcome, self.play)

    def end_tasks(self, keep: set[str]) -> None:
        """End all open tasks and groups, except the groups in ``keep``, which the next task is in.

        A group ends with what is around it: a handler is in the role of an include, but not in the include.
        """
        if self._hosts.busy:
            # Where Ansible cannot start a worker, it goes on as if the host had nothing to do.
            message = "Ansible went on without its result"
            for task in self._hosts.stop(message):
                fail(task, results.INTERRUPTED, message)
        kept: set[Work | None] = {self.play, self.playbook}
        ended = []
        for uuid, work in self.tasks.items():
            if uuid in keep and work.parent in kept:
                kept.add(work)
            else:
                ended.append(uuid)
        for uuid in reversed(ended):
            work = self.tasks.pop(uuid)
            self.finish(work, work.last_ns)

    def end_finished(self) -> None:
        """End the tasks that no host runs any more. Without the linear strategy, there may be many."""
        self.release()
        for uuid, work in reversed(list(self.tasks.items())):
            ended = isinstance(work, Task) and work.last_ns > work.span.start_ns and not self._hosts.runs(work)
            # An include goes on as long as what it brought.
            if ended and not any(inner.parent is work for inner in self.tasks.values()):
                self.finish(self.tasks.pop(uuid), work.last_ns)

    def stop(self, message: str) -> None:
        """Mark as failed what Ansible did not bring to its end."""
        if self.play and (self.play.run is None or self.play.broke_off):
            last = list(self.tasks.values())[-1:]
            for work in self._hosts.stop(message) or [work for work in last if work.last_ns == work.span.start_ns]:
                fail(work, results.INTERRUPTED, message)
            self.play.fail(results.INTERRUPTED, message)
        if self.playbook:
            self.playbook.fail(results.INTERRUPTED, message)

    def cancel(self, signal: str) -> None:
        """End the command, whose open spans a signal cut off. ``signal``: its name."""
        self.end_finished()
        self._hosts.stop("", signal)
        now = self._now()
        for around in (*reversed(self.tasks.values()), self.play, self.playbook, self.command):
            if around:
                around.cancel(signal, now)
                self.finish(around, now)
        self.tasks.clear()
        self.play = self.playbook = self.command = None

    def finish(self, work: Work, end_ns: int = 0) -> None:
        """End a span, and note what that means for the one around it. ``end_ns``: 0 for now."""
        work.span.end_ns = end_ns or self._now()
        nothing_ran = isinstance(work, Task) and work.ran is False
        work.span.attributes.setdefault(c.TASK_RUN_RESULT, c.SKIP if nothing_ran else c.SUCCESS)
        if work.parent:
            work.parent.last_ns = max(work.parent.last_ns, work.span.end_ns)
            # Ansible's result decides whether a playbook fails, perhaps by a failure that did not fail its own play.
            if work.parent.failure is None and (work.failed or work.parent is self.playbook):
                work.parent.failure = work.failure
        if work.told:
            work.span.attributes.update({f"{c.ANSIBLE_HOSTS_PREFIX}{word}": count for word, count in work.counts.items()})
            self._output.end(work)
        elif isinstance(work, Task) and self.play:
            attributes = self.play.span.attributes
            attributes[c.ANSIBLE_TASKS_LEFT_OUT] = attributes.get(c.ANSIBLE_TASKS_LEFT_OUT, 0) + 1
