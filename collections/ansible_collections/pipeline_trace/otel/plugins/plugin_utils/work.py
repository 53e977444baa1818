# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""The open spans of a run of Ansible: which one is around which, and what is known of them before they end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from . import core, results

c = core.conventions


class Work:
    """An open span, and the open span around it.

    ``last_ns``: the end of its last child, nanoseconds since the epoch. ``told``: whether the span is sent. ``counts``: how
    often hosts ended a task in it, by outcome, if they have no spans.
    """

    def __init__(self, span: Any, parent: Work | None, *, told: bool = True) -> None:
        self.span = span
        self.parent = parent
        self.told = told
        self.last_ns = span.start_ns
        self.counts: dict[str, int] = {}

    def fail(self, outcome: str, message: str) -> None:
        """Mark the span as failed, with the message of the first failure. ``outcome``: a key of results.WORDS."""
        if self.span.status_code != core.span.ERROR:
            self.span.fail(message)
            self.span.attributes[c.ERROR_TYPE] = outcome
            self.span.attributes[c.TASK_RUN_RESULT] = results.WORDS[outcome]


class Task(Work):
    """An open task. ``lines``: makes the journal lines of its hosts. ``telling``, ``notifies``: see PlaybookSpans.task."""

    def __init__(
        self, span: Any, parent: Work | None, lines: Any, *, told: bool, telling: bool, notifies: Iterable[str]
    ) -> None:
        super().__init__(span, parent, told=told)
        self.lines = lines
        self.telling = telling
        self.notifies = notifies
