# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Which tasks notified a handler. Ansible says that a handler is notified only when it is about to run, not by whom."""

from __future__ import annotations

from collections.abc import Iterable, Set

# Beyond this many tasks, the later ones are not named.
_MOST = 20


class Notifiers:
    """Remembers the tasks that notified, by the words with which they did."""

    def __init__(self) -> None:
        self._tasks: dict[str, dict[str, int]] = {}
        self._taken: dict[str, int] = {}
        self._count = 0

    def note(self, notified: Iterable[str], task: str) -> None:
        """A task changed something. ``notified``: the handlers and topics that it names."""
        self._count += 1
        for name in notified:
            self._tasks.setdefault(str(name), {})[task] = self._count

    def take(self, handler: str, names: Set[str]) -> list[str]:
        """Return the tasks that notified a handler since it ran last. ``names``: its own and its topics'."""
        before, self._taken[handler] = self._taken.get(handler, 0), self._count
        noted = {task: when for name in names for task, when in self._tasks.get(name, {}).items() if when > before}
        return sorted(noted, key=lambda task: noted[task])[:_MOST]
