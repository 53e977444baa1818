# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""The open spans of a run of Ansible: which one is around which, what is known before they end, and what makes them fail."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from . import core, results
from .verdict import PlayRun

c = core.conventions
# Hosts that the message of a play names.
_MOST_NAMES = 10


class Work:
    """An open span, and the open span around it.

    ``lines``: makes the journal lines of what is below it. ``last_ns``: the end of its last child, nanoseconds since the
    epoch. ``told``: whether the span is sent. ``counts``: how often hosts ended a task in it, by outcome, if they have no
    spans. ``failure``: the first failure in it, as the arguments of ``fail``; it may not be one of the span itself.
    """

    def __init__(self, span: Any, parent: Work | None, *, told: bool = True) -> None:
        self.span = span
        self.parent = parent
        self.told = told
        self.lines: Any = None
        self.last_ns = span.start_ns
        self.counts: dict[str, int] = {}
        self.failure: tuple[str, str] | None = None

    @property
    def failed(self) -> bool:
        """Whether the span is marked as failed."""
        return bool(self.span.status_code == core.span.ERROR)

    def cancel(self, signal: str, now: int) -> None:
        """Mark the span as cancelled by a signal. ``signal``: its name. ``now``: see core.clock."""
        self.span.cancel(signal, now)

    def fail(self, outcome: str, message: str) -> None:
        """Mark the span as failed, with the message of the first failure.

        ``outcome``: of results.BAD, or results.INTERRUPTED.
        """
        if not self.failed:
            self.failure = (outcome, message)
            self.span.fail(message)
            self.span.attributes[c.ERROR_TYPE] = outcome
            self.span.attributes[c.TASK_RUN_RESULT] = results.WORDS.get(outcome, c.ERROR)
            self.told = True


class Play(Work):
    """An open play. ``run``: what Ansible knows of it. ``hosts``: those that failed in it."""

    def __init__(self, span: Any, parent: Work | None, run: PlayRun | None) -> None:
        super().__init__(span, parent)
        self.run = run
        self.hosts: set[str] = set()

    @property
    def broke_off(self) -> bool:
        """Whether Ansible did not come to its end. False if that is not known."""
        return self.run is not None and self.run.result is None

    def judge(self) -> None:
        """Mark the play as failed if it is in Ansible's eyes: the failure of a host may be cleared later."""
        result = self.run.result if self.run else None
        if self.run is None or result is None:
            if self.failure:
                self.fail(*self.failure)
        elif result:
            lost = self.run.lost(self.hosts)
            if lost or self.run.began_whole:
                names = ", ".join(core.redact.masked(host) for host in lost[:_MOST_NAMES])
                self.fail(*(self.failure or (results.FAILED, f"Ansible counts as failed: {names or result}")))


class Task(Work):
    """An open task. For its fields, see PlaybookSpans.task."""

    def __init__(
        self,
        span: Any,
        parent: Work | None,
        *,
        told: bool,
        telling: bool,
        including: bool,
        notifies: Iterable[str],
    ) -> None:
        super().__init__(span, parent, told=told)
        self.telling = telling
        self.including = including
        self.notifies = notifies
        # Whether a host ran it; None before a host has ended it.
        self.ran: bool | None = None

    def learn(self, task: Any) -> None:
        """Take over what the task of a result says, where the playbook had a template."""
        action = str(task.action)
        if "{{" in self.span.attributes[c.ANSIBLE_TASK_ACTION] and "{{" not in action:
            self.span.attributes[c.ANSIBLE_TASK_ACTION] = action


def fail(work: Work | None, outcome: str, message: str) -> None:
    """Mark a task and the groups around it as failed. The play only notes it: Ansible's own result decides there."""
    while work is not None and not isinstance(work, Play):
        work.fail(outcome, message)
        work = work.parent
    if work is not None and work.failure is None:
        work.failure = (outcome, message)


def count(task: Work, outcome: str, play: Work | None) -> None:
    """Count the outcome of a host on its task and play, and send all spans around a failure, whatever the detail."""
    work: Work | None = task
    while work is not None:
        if work is task or work is play:
            work.counts[outcome] = work.counts.get(outcome, 0) + 1
        work.told = work.told or outcome in results.TOLD
        work = work.parent
