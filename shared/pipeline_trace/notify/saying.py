"""Says a problem once, until it is over."""

from __future__ import annotations

from collections.abc import Callable

Say = Callable[[str], None]


class Once:
    """Says one line about each topic that has a problem. ``say``: called with the line."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._said: set[str] = set()

    def problem(self, topic: str, line: str) -> None:
        """Say the line, unless the topic has a problem already."""
        if topic not in self._said:
            self._say(line)
        self._said.add(topic)

    def well(self, topic: str, line: str = "") -> None:
        """The topic has no problem any more. Say the line, if there is one and the topic had a problem."""
        if topic in self._said and line:
            self._say(line)
        self._said.discard(topic)
