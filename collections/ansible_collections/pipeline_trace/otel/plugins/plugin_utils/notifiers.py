# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Records which tasks notified a handler, because Ansible does not report it."""

from __future__ import annotations

from collections.abc import Iterable, Set

# The highest number of tasks to name.
_MOST = 20


class Notifiers:
    """The tasks that notified handlers, by the names that they used."""

    def __init__(self) -> None:
        self._tasks: dict[str, dict[str, int]] = {}
        self._taken: dict[str, int] = {}
        self._count = 0

    def note(self, notified: Iterable[str], task: str) -> None:
        """Record that a task changed something. ``notified``: the handlers and topics that the task notifies."""
        self._count += 1
        for name in notified:
            self._tasks.setdefault(str(name), {})[task] = self._count

    def take(self, handler: str, names: Set[str]) -> list[str]:
        """Return the tasks that notified a handler since its last run, in order. ``names``: see lineage.handler_names."""
        before, self._taken[handler] = self._taken.get(handler, 0), self._count
        noted = {task: when for name in names for task, when in self._tasks.get(name, {}).items() if when > before}
        return sorted(noted, key=lambda task: noted[task])[:_MOST]
