"""The log of statements, a line of JSON each: what was asked, by whom, and what it cost the engine."""

from __future__ import annotations

import json
import threading
from pathlib import Path


class Log:
    """Lines in a file, from any thread."""

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.Lock()

    def add(self, entry: dict[str, object]) -> None:
        """Add a line. It is in the file before the client has its answer."""
        with self._lock, self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")


class Taken:
    """Names that only one request at a time may have: a session, the id of a query."""

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._lock = threading.Lock()

    def take(self, name: str) -> bool:
        """Return whether nobody had it; then the caller has."""
        with self._lock:
            free = name not in self._names
            self._names.add(name)
            return free

    def give_back(self, name: str) -> None:
        """Let others have it."""
        with self._lock:
            self._names.discard(name)
