# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Passes the trace to the commands of a task: sets TRACEPARENT of the host's span in the environment of the host's worker.

Ansible forks the worker right after ``v2_runner_on_start``. So this sets ``os.environ``, which local processes inherit, and
an entry in the play's ``environment``, which Ansible sets on a remote host. The environments of blocks and tasks override
the play's, and our entry comes first in it, so values that the playbook sets always win.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from . import core

_NAMES = (core.w3c.TRACEPARENT, core.w3c.TRACE_ID)
# Ansible warns if `raw` has an environment.
_WITHOUT = ("raw", "ansible.builtin.raw", "ansible.legacy.raw")


class Carrier:
    """Puts the trace context into environments, and removes it again."""

    def __init__(self, environ: MutableMapping[str, str], place: Any) -> None:
        self._environ = environ
        self._before = {name: environ.get(name) for name in _NAMES}
        self._constant = {
            name: value
            for name, value in ((core.w3c.TRACESTATE, place.tracestate), (core.w3c.BAGGAGE, place.baggage))
            if value
        }
        self._trace_id = place.trace_id
        self._prefix = f"00-{place.trace_id}-"
        self._plays: list[tuple[Any, Any]] = []
        self._entry: dict[str, str] = {}
        self._into_commands = False
        self._handed = False

    def hand(self, span_id: str) -> None:
        """Set the context for the worker that is about to be forked."""
        traceparent = f"{self._prefix}{span_id}-01"
        self._environ[core.w3c.TRACEPARENT] = traceparent
        if not self._handed:
            self._environ[core.w3c.TRACE_ID] = self._trace_id
            self._handed = True
        if self._into_commands:
            self._entry[core.w3c.TRACEPARENT] = traceparent

    def enter(self, task: Any) -> None:
        """Prepare for a task's workers: put our entry before the play's own environment."""
        self._into_commands = task.action not in _WITHOUT
        self._entry.clear()
        if self._into_commands:
            self._entry.update(self._constant)
        self._enter_play(task.get_play())

    def _enter_play(self, play: Any) -> None:
        if any(known[0] is play for known in self._plays):
            return
        own = getattr(play, "_environment", None)
        existing = own if isinstance(own, list) else [own] if isinstance(own, (dict, str)) else []
        self._plays.append((play, own))
        play._environment = [self._entry, *existing]

    def rest(self) -> None:
        """Restore the environment of this process, until the next worker is forked."""
        self._handed = False
        for name, value in self._before.items():
            if value is None:
                self._environ.pop(name, None)
            else:
                self._environ[name] = value

    def leave(self) -> None:
        """Restore all environments."""
        for play, own in self._plays:
            play._environment = own
        self._plays = []
        self._entry.clear()
        self.rest()
